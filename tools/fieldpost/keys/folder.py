"""The keys for updates, in a folder.

    update-key.pem update-key.pub.pem   what releases are signed with
    next-key.pem next-key.pub.pem       the one after it, which nodes believe already
    old-key.pem old-key.pub.pem         the one before it, for nodes that know no other
    releases.json                       the counter, and what was released (history.py)

A private key may lie elsewhere: in a token, or on a stick in a drawer. Everything else works
without it. Git ignores the folder by a file in it.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
)

from fieldpost.certs.private_files import make_private_folder, write_private
from fieldpost.errors import BadFile, FileKept, NotWritten, Usage
from fieldpost.keys import history, public
from fieldpost.keys.passphrase import Unfit
from fieldpost.keys.public import BITS, EXPONENT, PublicKey
from fieldpost.keys.signer import FileSigner

Role = Literal["update", "next", "old"]
ROLES: tuple[Role, ...] = ("update", "next", "old")
# Of these a node is told.
_ON_NODES: tuple[Role, ...] = ("update", "next")
PASSPHRASE_MIN = 8


@dataclass(frozen=True)
class Key:
    """One of the folder's. private: its file, None where it lies elsewhere."""

    role: Role
    public: PublicKey
    path: Path
    private: Path | None


class KeyFolder:
    """`create` or `adopt` makes it, everything else needs one. All of it raises CommandError."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def create(self, passphrase: str) -> Key:
        """Make the first key."""
        self.check_new()
        private, pem = _generate(passphrase)
        self._begin()
        return self._write("update", private, pem)

    def adopt(self, path: Path) -> Key:
        """Take a key whose private half lies elsewhere, by its public one in PEM."""
        self.check_new()
        found = public.load(path)
        self._begin()
        return self._write("update", found, None)

    def rotate(self, passphrase: str | None, adopted: Path | None = None) -> Key:
        """Make the key that comes after the one in use, or adopt it."""
        self.check_next()
        if adopted:
            return self._write("next", public.load(adopted), None)
        assert passphrase is not None
        return self._write("next", *_generate(passphrase))

    def check_next(self) -> None:
        """Raises CommandError where no next key can be made."""
        self.key("update")
        if self._public("next").exists():
            raise FileKept(
                f"{self.folder} has a next key already. When all nodes know it: "
                "fieldpost keys rotate --finish"
            )

    def finish(self) -> Key:
        """Let the next key take the place of the one in use, which becomes the old one. Cut short,
        it is completed by the next call."""
        if not self._public("next").exists():
            raise Usage(f"{self.folder} has no next key: fieldpost keys rotate makes one")
        with self._writing():
            # The public halves move last: each says whether its step is yet to be done.
            if self._public("update").exists():
                if self._private("update").exists():
                    self._private("update").replace(self._private("old"))
                self._public("update").replace(self._public("old"))
            if self._private("next").exists():
                self._private("next").replace(self._private("update"))
            self._public("next").replace(self._public("update"))
        return self.key("update")

    def all_keys(self) -> list[Key]:
        """Those that there are, the one in use first."""
        self.key("update")
        return [self.key(role) for role in ROLES if self._public(role).exists()]

    def key(self, role: Role) -> Key:
        """The one in that role."""
        path, private = self._public(role), self._private(role)
        if not path.exists():
            how = "fieldpost keys new" if role == "update" else "fieldpost keys rotate"
            if role == "update" and self._public("next").exists():
                how = "fieldpost keys rotate --finish was cut short, and"
            raise BadFile(f"there is no {path}: {how} makes it")
        return Key(role, public.load(path), path, private if private.exists() else None)

    def signer(self, role: Role, passphrase: str) -> FileSigner:
        """The private key in that role."""
        key = self.key(role)
        if key.private is None:
            raise BadFile(
                f"{self._private(role)} is not here: put it there, or sign where it is, with "
                "--sign-with PROGRAM"
            )
        signer = FileSigner(key.private, passphrase)
        if signer.key != key.public:
            raise BadFile(f"{key.private} and {key.path} are not two halves of one key")
        return signer

    def history(self) -> history.History:
        """What was released with them."""
        return history.load(self.folder)

    def node_file(self) -> bytes:
        """What a node is given of them, /update.keys."""
        keys = [key.public for key in self.all_keys() if key.role in _ON_NODES]
        return public.for_node(keys, self.history().counter)

    def _public(self, role: Role) -> Path:
        return self.folder / f"{role}-key.pub.pem"

    def _private(self, role: Role) -> Path:
        return self.folder / f"{role}-key.pem"

    def check_new(self) -> None:
        """Raises CommandError where no first key can be made."""
        halves = [half(role) for half in (self._public, self._private) for role in ROLES]
        if any(half.exists() for half in halves):
            raise FileKept(
                f"{self.folder} has a key already, which nodes may believe. For a new one: "
                "fieldpost keys rotate"
            )

    def _begin(self) -> None:
        with self._writing():
            make_private_folder(self.folder)
            write_private(self.folder / ".gitignore", b"*\n")
            if not (self.folder / history.NAME).exists():
                history.begin(self.folder)

    def _write(self, role: Role, key: PublicKey, pem: bytes | None) -> Key:
        with self._writing():
            if pem is not None:
                write_private(self._private(role), pem)
            write_private(self._public(role), key.pem())
        return self.key(role)

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise NotWritten(f"cannot write to {self.folder}: {error.strerror}") from None


def checked_passphrase(text: str) -> str:
    """The same one. Raises Unfit if anybody would guess it."""
    if len(text) < PASSPHRASE_MIN:
        raise Unfit(f"the passphrase of a key has {PASSPHRASE_MIN} characters at least")
    return text


def _generate(passphrase: str) -> tuple[PublicKey, bytes]:
    checked_passphrase(passphrase)
    private = rsa.generate_private_key(public_exponent=EXPONENT, key_size=BITS)
    pem = private.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(passphrase.encode())
    )
    return PublicKey(private.public_key().public_numbers().n), pem
