"""`fieldpost keys`: what it makes and guards, and that OpenSSL and a node agree with it."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from rigs.command_line import fieldpost
from rigs.update_keys import PASSPHRASE, make_keys

from fieldpost.errors import BadFile, CommandError, FileKept, NotSigned, Usage
from fieldpost.keys import passphrase
from fieldpost.keys.folder import KeyFolder, checked_passphrase
from fieldpost.keys.passphrase import with_passphrase
from fieldpost.keys.public import SIGNATURE_BYTES, PublicKey
from fieldpost.keys.signer import ProgramSigner

_DATA = b'{"counter":17}'
# RFC 8017, section 9.2: what stands before a SHA-256.
_DIGEST_INFO = bytes.fromhex("3031300d060960864801650304020105000420")
_OPENSSL = shutil.which("openssl")


@pytest.fixture
def keys(tmp_path: Path) -> KeyFolder:
    return make_keys(tmp_path / "keys")


def as_a_node(modulus: int, data: bytes, signature: bytes) -> bool:
    """What a node does: the whole block is compared, and nothing of it is parsed."""
    if len(signature) != SIGNATURE_BYTES:
        return False
    number = int.from_bytes(signature, "big")
    if number >= modulus:
        return False
    end = b"\0" + _DIGEST_INFO + hashlib.sha256(data).digest()
    block = b"\0\1" + b"\xff" * (SIGNATURE_BYTES - 2 - len(end)) + end
    return pow(number, 65537, modulus) == int.from_bytes(block, "big")


# What is made --------------------------------------------------------------------------------


def test_a_key_is_its_owners_alone_and_opens_with_its_passphrase_only(keys: KeyFolder) -> None:
    key = keys.key("update")
    assert key.private and stat.S_IMODE(key.private.stat().st_mode) == 0o600
    assert b"BEGIN ENCRYPTED PRIVATE KEY" in key.private.read_bytes()
    assert keys.signer("update", PASSPHRASE).key == key.public
    with pytest.raises(BadFile, match="does not open"):
        keys.signer("update", "another passphrase")


def test_what_it_signs_a_node_believes_and_signs_the_same_way_each_time(keys: KeyFolder) -> None:
    signer = keys.signer("update", PASSPHRASE)
    signature = signer.sign(_DATA)
    assert signature == signer.sign(_DATA)
    modulus = int(json.loads(keys.node_file())["keys"][0], 16)
    assert as_a_node(modulus, _DATA, signature) and signer.key.verifies(_DATA, signature)
    assert not as_a_node(modulus, _DATA + b" ", signature)
    assert not signer.key.verifies(_DATA + b" ", signature)
    assert not signer.key.verifies(_DATA, signature[:-1])


@pytest.mark.skipif(not _OPENSSL, reason="openssl is not installed")
def test_openssl_agrees_with_the_fingerprint_and_with_a_signature(
    keys: KeyFolder, tmp_path: Path
) -> None:
    key = keys.key("update")
    command = ["openssl", "pkey", "-pubin", "-in", str(key.path), "-outform", "DER"]
    der = subprocess.run(command, capture_output=True, check=True).stdout
    assert hashlib.sha256(der).hexdigest().startswith(key.public.fingerprint)
    (tmp_path / "data").write_bytes(_DATA)
    (tmp_path / "signature").write_bytes(keys.signer("update", PASSPHRASE).sign(_DATA))
    command = ["openssl", "dgst", "-sha256", "-verify", str(key.path)]
    command += ["-signature", str(tmp_path / "signature"), str(tmp_path / "data")]
    assert subprocess.run(command, capture_output=True).returncode == 0


def test_a_node_is_given_a_counter_and_each_key_in_768_digits(keys: KeyFolder) -> None:
    told = json.loads(keys.node_file())
    assert told["counter"] == 0 and [len(one) for one in told["keys"]] == [768]


def test_git_sees_nothing_of_the_folder(keys: KeyFolder) -> None:
    parent = str(keys.folder.parent)
    subprocess.run(["git", "init", "-q", parent], check=True)
    command = ["git", "-C", parent, "status", "--porcelain"]
    assert subprocess.run(command, capture_output=True, check=True).stdout == b""


# What is guarded -----------------------------------------------------------------------------


@pytest.mark.skipif(os.name != "posix", reason="files have no mode")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_a_key_that_others_can_read_or_write_is_refused(keys: KeyFolder, mode: int) -> None:
    private = keys.key("update").private
    assert private
    private.chmod(mode)
    with pytest.raises(BadFile, match="chmod 600"):
        keys.signer("update", PASSPHRASE)


def test_a_key_is_never_made_over_another(keys: KeyFolder) -> None:
    before = keys.key("update").path.read_bytes()
    with pytest.raises(FileKept):
        keys.create(PASSPHRASE)
    assert keys.key("update").path.read_bytes() == before


@pytest.mark.slow
@pytest.mark.skipif(not _OPENSSL, reason="openssl is not installed")
def test_a_key_without_a_passphrase_and_one_of_another_kind_are_refused(
    keys: KeyFolder, tmp_path: Path
) -> None:
    private = keys.folder / "update-key.pem"
    for what in (["rsa", "-pkeyopt", "rsa_keygen_bits:3072"], ["ed25519"]):
        subprocess.run(
            ["openssl", "genpkey", "-algorithm", *what, "-out", str(private)],
            check=True,
            capture_output=True,
        )
        private.chmod(0o600)
        with pytest.raises(BadFile, match="no passphrase"):
            keys.signer("update", PASSPHRASE)
    public = tmp_path / "short.pem"
    for bits in "2048", "4096":
        command = ["openssl", "genpkey", "-algorithm", "rsa", "-out", str(private)]
        command += ["-pkeyopt", f"rsa_keygen_bits:{bits}"]
        subprocess.run(command, check=True, capture_output=True)
        command = ["openssl", "pkey", "-in", str(private), "-pubout", "-out", str(public)]
        subprocess.run(command, check=True, capture_output=True)
        with pytest.raises(BadFile, match="3072 bits"):
            KeyFolder(tmp_path / "new").adopt(public)


def test_two_halves_that_do_not_belong_together_are_refused(
    keys: KeyFolder, tmp_path: Path
) -> None:
    other = make_keys(tmp_path / "other", which=1)
    shutil.copy(other.folder / "update-key.pem", keys.folder / "update-key.pem")
    with pytest.raises(BadFile, match="two halves"):
        keys.signer("update", PASSPHRASE)


def test_a_short_passphrase_makes_no_key(tmp_path: Path) -> None:
    with pytest.raises(Usage, match="8 characters"):
        KeyFolder(tmp_path / "keys").create("short")
    assert not (tmp_path / "keys").exists()


@pytest.mark.parametrize(
    "text",
    ["", "[]", '{"counter": 3}', '{"counter": 1, "releases": [{"counter": 2}]}', "[" * 9999],
)
def test_a_history_that_is_spoilt_is_not_begun_anew(keys: KeyFolder, text: str) -> None:
    (keys.folder / "releases.json").write_text(text)
    with pytest.raises(BadFile, match="backup"):
        keys.node_file()


# A change of keys ----------------------------------------------------------------------------


def test_nodes_believe_both_keys_until_the_change_is_finished(keys: KeyFolder) -> None:
    first = keys.key("update").public
    second = keys.rotate(PASSPHRASE).public
    assert _on_nodes(keys) == [first, second]
    with pytest.raises(FileKept):
        keys.rotate(PASSPHRASE)
    assert keys.finish().public == second
    assert _on_nodes(keys) == [second]
    # For nodes that know the first one alone.
    assert keys.signer("old", PASSPHRASE).key == first
    with pytest.raises(Usage):
        keys.finish()


@pytest.mark.slow
def test_a_change_that_is_cut_short_anywhere_is_finished_by_the_next(
    keys: KeyFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = keys.key("update").public, keys.rotate(PASSPHRASE).public
    replace = Path.replace
    for steps in range(4):
        copy = KeyFolder(Path(shutil.copytree(keys.folder, tmp_path / str(steps))))
        left = [steps]

        def cut_short(path: Path, to: Path, left: list[int] = left) -> Path:
            if not left[0]:
                raise KeyboardInterrupt
            left[0] -= 1
            return replace(path, to)

        monkeypatch.setattr(Path, "replace", cut_short)
        with pytest.raises(KeyboardInterrupt):
            copy.finish()
        monkeypatch.setattr(Path, "replace", replace)
        with pytest.raises(FileKept):
            copy.create(PASSPHRASE)
        assert copy.finish().public == second
        assert copy.signer("update", PASSPHRASE).key == second
        assert copy.signer("old", PASSPHRASE).key == first


# Keys that lie elsewhere ---------------------------------------------------------------------


@pytest.mark.skipif(not _OPENSSL, reason="openssl is not installed")
def test_a_program_signs_with_a_key_that_is_not_here(
    keys: KeyFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = tmp_path / "token"
    (keys.folder / "update-key.pem").rename(token)
    with pytest.raises(BadFile, match="is not here"):
        keys.signer("update", PASSPHRASE)
    monkeypatch.setenv("PIN", PASSPHRASE)
    program = f"openssl dgst -sha256 -passin env:PIN -sign {token} -binary"
    adopted = KeyFolder(tmp_path / "adopted").adopt(keys.key("update").path)
    assert adopted.public == keys.key("update").public and adopted.private is None
    signer = ProgramSigner(program, adopted.public)
    assert adopted.public.verifies(_DATA, signer.sign(_DATA))


@pytest.mark.parametrize(
    ("program", "why"),
    [
        ("/nowhere/at/all", "cannot start"),
        (f"{sys.executable} -c 'raise SystemExit(3)'", "status 3"),
        (f"{sys.executable} -c 'print(1)'", "no signature by the key"),
        (f"{sys.executable} -c 'print(\"x\" * 383)'", "no signature by the key"),
    ],
)
def test_a_program_that_does_not_sign_is_found_out(
    keys: KeyFolder, program: str, why: str
) -> None:
    with pytest.raises(CommandError, match=why) as told:
        ProgramSigner(program, keys.key("update").public).sign(_DATA)
    if "signature" in why:
        assert told.value.code == NotSigned.code


# The command ---------------------------------------------------------------------------------


def test_the_commands_tell_of_keys_and_never_of_a_passphrase(tmp_path: Path) -> None:
    folder = str(tmp_path / "keys")
    (tmp_path / "passphrase").write_text(PASSPHRASE + "\n")
    file = ("--passphrase-file", str(tmp_path / "passphrase"))
    made = fieldpost("keys", "new", "--dir", folder, *file)
    assert made.status == 0, made
    assert "whoever has it can update your nodes" in made.out
    told = json.loads(fieldpost("keys", "rotate", "--dir", folder, *file, "--json").out)
    assert [one["role"] for one in told["keys"]] == ["next"]
    shown = fieldpost("keys", "show", "--dir", folder)
    assert "nothing was released" in shown.out
    refused = fieldpost("keys", "rotate", "--finish", "--dir", folder)
    assert refused.status == 2 and "--yes" in refused.err
    finished = fieldpost("keys", "rotate", "--finish", "--yes", "--dir", folder, "--json")
    assert json.loads(finished.out)["keys"][0]["fingerprint"] == told["keys"][0]["fingerprint"]
    for ran in made, shown, refused, finished:
        assert PASSPHRASE not in ran.out + ran.err


class _Somebody:
    """Sits at a terminal, and types these in turn."""

    def __init__(self, *types: str) -> None:
        self.left = list(types)

    def isatty(self) -> bool:
        return True

    def prompt(self, _question: str, **_: object) -> str:
        return self.left.pop(0)


def test_a_passphrase_that_is_too_short_or_another_the_second_time_is_asked_for_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.delenv("FIELDPOST_KEY_PASSPHRASE", raising=False)
    one = _Somebody("short", PASSPHRASE, PASSPHRASE + "x", PASSPHRASE, PASSPHRASE)
    monkeypatch.setattr(passphrase.sys, "stdin", one)
    monkeypatch.setattr(passphrase.typer, "prompt", one.prompt)
    check = checked_passphrase
    assert with_passphrase(None, "k", check, may_ask=True, twice=True) == PASSPHRASE
    said = capsys.readouterr().err
    assert "8 characters" in said and "two different" in said and not one.left
    (tmp_path / "passphrase").write_text("short")
    with pytest.raises(Usage, match="8 characters"):
        with_passphrase(tmp_path / "passphrase", "k", check, may_ask=True, twice=True)
    keys = make_keys(tmp_path / "keys")
    one.left = ["not this one", PASSPHRASE]
    opened = with_passphrase(None, "k", lambda text: keys.signer("update", text), may_ask=True)
    assert opened.key == keys.key("update").public
    assert "does not open" in capsys.readouterr().err


def test_nobody_types_a_passphrase_for_a_key_that_is_there(
    monkeypatch: pytest.MonkeyPatch, keys: KeyFolder
) -> None:
    monkeypatch.setattr(passphrase, "_typed", lambda _: pytest.fail("it was asked for"))
    ran = fieldpost("keys", "new", "--dir", str(keys.folder))
    assert ran.status == 1 and "fieldpost keys rotate" in ran.err, ran


def test_without_a_passphrase_it_says_where_to_give_one(tmp_path: Path) -> None:
    ran = fieldpost("keys", "new", "--dir", str(tmp_path / "keys"), "--json", is_terminal=False)
    assert ran.status == 2 and "FIELDPOST_KEY_PASSPHRASE" in ran.out
    assert not (tmp_path / "keys").exists()


def _on_nodes(keys: KeyFolder) -> list[PublicKey]:
    return [PublicKey(int(one, 16)) for one in json.loads(keys.node_file())["keys"]]
