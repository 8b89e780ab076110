"""Whoever has a private key, and signs with it: a file, or a program that asks a token.

What else can sign, an agent or a service, is one more class with `key` and `sign`.
"""

import os
import shlex
import subprocess
from pathlib import Path
from typing import Protocol

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from fieldpost.errors import BadFile, Ended, MissingTool, NotSigned, TimedOut, Usage
from fieldpost.keys import public
from fieldpost.keys.passphrase import NotOpened
from fieldpost.keys.public import SIGNATURE_BYTES, PublicKey

# Somebody may have to type a PIN.
_PROGRAM_S = 120.0


class Signer(Protocol):
    """Signs with the private half of `key`."""

    @property
    def key(self) -> PublicKey:
        """What a node checks it with."""
        ...

    def sign(self, data: bytes) -> bytes:
        """384 bytes: RSA-3072, PKCS#1 v1.5, SHA-256. Raises CommandError."""
        ...


class FileSigner:
    """A key in a file, PKCS#8 in PEM, which its passphrase opens and its owner alone can read."""

    def __init__(self, path: Path, passphrase: str) -> None:
        check_mode(path)
        try:
            private = load_pem_private_key(path.read_bytes(), passphrase.encode())
        except OSError as error:
            raise BadFile(f"cannot read {path}: {error.strerror}") from None
        except TypeError:
            raise BadFile(
                f"{path} has no passphrase: whoever copies it could sign. Give it one: "
                f"openssl pkcs8 -topk8 -in {path} -out NEW"
            ) from None
        except ValueError:
            raise NotOpened(f"{path} does not open with that passphrase, or is no key") from None
        if not isinstance(private, rsa.RSAPrivateKey):
            raise BadFile(f"{path} is no RSA key")
        self._private = private
        self._key = public.of(private.public_key(), path)

    @property
    def key(self) -> PublicKey:
        """What a node checks it with."""
        return self._key

    def sign(self, data: bytes) -> bytes:
        """The same bytes each time: nothing in PKCS#1 v1.5 is random."""
        return self._private.sign(data, padding.PKCS1v15(), hashes.SHA256())


class ProgramSigner:
    """A program that is given the data on its standard input, and answers with the signature.

    command: as in a shell, without one. It may ask at the terminal. Its answer is checked.
    """

    def __init__(self, command: str, key: PublicKey) -> None:
        self._key = key
        try:
            self._command = shlex.split(command)
        except ValueError as error:
            raise Usage(f"--sign-with: {error}") from None
        if not self._command:
            raise Usage("--sign-with needs the name of a program")

    @property
    def key(self) -> PublicKey:
        """What a node checks it with."""
        return self._key

    def sign(self, data: bytes) -> bytes:
        """Raises CommandError for a program that fails, and for an answer that is not right."""
        name = self._command[0]
        try:
            done = subprocess.run(
                self._command, input=data, stdout=subprocess.PIPE, timeout=_PROGRAM_S
            )
        except OSError as error:
            raise MissingTool(f"cannot start {name}: {error.strerror}") from None
        except subprocess.TimeoutExpired:
            raise TimedOut(f"{name} did not sign within {_PROGRAM_S:g} s") from None
        if done.returncode:
            raise Ended(f"{name} did not sign: it ended with status {done.returncode}")
        if len(done.stdout) != SIGNATURE_BYTES or not self._key.verifies(data, done.stdout):
            raise NotSigned(
                f"what {name} gave is no signature by the key {self._key.fingerprint}: RSA, "
                "PKCS#1 v1.5, SHA-256, nothing before it and nothing after it"
            )
        return done.stdout


def check_mode(path: Path) -> None:
    """Raises CommandError unless its owner alone can read a private key."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise BadFile(f"cannot read {path}: {error.strerror}") from None
    if os.name == "posix" and mode & 0o077:
        raise BadFile(f"others can read {path}, so it is not used: chmod 600 {path}")
