"""`fieldpost release`: the same bytes each time, a counter that rises, and nothing that is not
whole is called a release."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import struct
from pathlib import Path

import pytest
from rigs.command_line import Ran, fieldpost
from rigs.update_keys import PASSPHRASE, make_keys
from rigs.update_release import make_release

from fieldpost.deploy import pack
from fieldpost.errors import BadFile, FileKept, NotSigned
from fieldpost.keys.folder import KeyFolder
from fieldpost.release import folder
from fieldpost.release.folder import Release, load
from fieldpost.release.manifest import BYTES_MAX, Manifest, parse


@pytest.fixture
def keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> KeyFolder:
    monkeypatch.setenv("FIELDPOST_KEY_PASSPHRASE", PASSPHRASE)
    monkeypatch.setenv("FIELDPOST_KEYS", str(tmp_path / "keys"))
    monkeypatch.chdir(tmp_path)
    return make_keys(tmp_path / "keys")


def release(*words: str) -> Ran:
    return fieldpost("release", *words, is_terminal=False)


# What is made --------------------------------------------------------------------------------


def test_the_same_sources_give_the_same_bytes_in_two_places(
    keys: KeyFolder, tmp_path: Path
) -> None:
    other = shutil.copytree(keys.folder, tmp_path / "other-keys")
    for out, where in ("one", keys.folder), ("two", other):
        made = release("--out", out, "--dir", str(where), "--platform", "esp32")
        assert made.status == 0, made
    one, two = (
        {path.name: path.read_bytes() for path in next((tmp_path / out).iterdir()).iterdir()}
        for out in ("one", "two")
    )
    assert one == two and sorted(one) == ["esp32.manifest", "esp32.pack", "esp32.signature"]
    told = json.loads(one["esp32.manifest"])
    assert told["sha256"] == hashlib.sha256(one["esp32.pack"]).hexdigest()
    assert told["size"] == len(one["esp32.pack"]) and told["counter"] == 1
    assert "/firmware/app.mpy" in pack.names(one["esp32.pack"])


def test_a_release_is_made_again_with_its_own_counter_and_another_with_the_next(
    keys: KeyFolder, tmp_path: Path
) -> None:
    words = ("--platform", "esp32", "--json")
    first = json.loads(release(*words).out)
    again = json.loads(release(*words, "--counter", "1").out)
    assert (again["folder"], again["counter"]) == (first["folder"], 1)
    assert json.loads(release(*words, "--dry-run").out)["counter"] == 2
    assert keys.history().counter == 1
    elsewhere = json.loads(release("make", *words, "--counter", "1", "--out", "elsewhere").out)
    assert load(Path(elsewhere["folder"])).artefacts == load(Path(first["folder"])).artefacts


def test_a_dry_run_asks_no_passphrase_and_writes_nothing(
    keys: KeyFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FIELDPOST_KEY_PASSPHRASE")
    before = sorted(tmp_path.rglob("*"))
    ran = release("--dry-run", "--platform", "esp32")
    assert ran.status == 0 and "dry run" in ran.out, ran
    assert sorted(tmp_path.rglob("*")) == before
    refused = release("--platform", "esp32", "--json")
    assert refused.status == 2 and "FIELDPOST_KEY_PASSPHRASE" in refused.out
    assert sorted(tmp_path.rglob("*")) == before and keys.history().counter == 0


def test_a_counter_only_rises_and_is_not_given_to_two_contents(keys: KeyFolder) -> None:
    make_release(keys)
    make_release(keys, version="0.3.0")
    past = keys.history()
    assert past.counter == 2 and past.next_counter("0.4.0", {}, None) == 3
    assert past.next_counter("0.4.0", {}, 9) == 9
    with pytest.raises(FileKept, match="other contents"):
        past.next_counter("0.2.0", {"rp2.pack": "0" * 64}, 1)
    with pytest.raises(FileKept, match="at most"):
        past.next_counter("0.4.0", {}, 2**30)


# What is checked -----------------------------------------------------------------------------


@pytest.fixture
def made(keys: KeyFolder) -> Release:
    return make_release(keys)


def test_a_whole_release_is_told_with_the_key_that_signed_it(
    keys: KeyFolder, made: Release
) -> None:
    told = json.loads(release("show", str(made.folder), "--json").out)
    by = {one["signed_by"] for one in told["artefacts"]}
    assert by == {keys.key("update").public.fingerprint}
    # A release of before a change of keys is still known.
    keys.rotate(PASSPHRASE)
    keys.finish()
    assert release("show", str(made.folder)).status == 0


def test_one_that_was_signed_by_somebody_else_is_not(
    keys: KeyFolder, made: Release, tmp_path: Path
) -> None:
    make_keys(tmp_path / "theirs", which=1)
    ran = release("show", str(made.folder), "--dir", str(tmp_path / "theirs"), "--json")
    assert json.loads(ran.out)["error"]["code"] == NotSigned.code and ran.status == 1


@pytest.mark.parametrize("name", ["rp2.pack", "rp2.manifest", "rp2.signature"])
def test_a_byte_that_is_changed_or_missing_is_found(
    keys: KeyFolder, made: Release, name: str
) -> None:
    path = made.folder / name
    data = path.read_bytes()
    public = keys.key("update").public
    for spoilt in (data[:-1], data + b"0", data[:9] + bytes([data[9] ^ 1]) + data[10:], b""):
        path.write_bytes(spoilt)
        with pytest.raises((BadFile, NotSigned)):
            load(made.folder).check_signed([public])
    path.unlink()
    if name != "rp2.manifest":  # without it, there is a release for ESP32 boards alone
        with pytest.raises(BadFile):
            load(made.folder)


def test_parts_of_two_releases_are_none(keys: KeyFolder, made: Release) -> None:
    other = make_release(keys, version="0.3.0")
    for path in other.folder.glob("esp32.*"):
        shutil.copy(path, made.folder)
    with pytest.raises(BadFile, match="several releases"):
        load(made.folder)


def test_a_folder_that_is_something_else_is_not_written_over(made: Release) -> None:
    assert folder.save(made) is False
    (made.folder / "note").write_text("mine")
    with pytest.raises(FileKept):
        folder.save(made)


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2},
        {"kind": "script"},
        {"sha256": "0" * 63},
        {"sha256": "Z" * 64},
        {"size": 0},
        {"size": 1.5},
        {"size": True},
        {"counter": 0},
        {"counter": 2**30},
        {"version": ""},
        {"version": "a\nb"},
        {"version": "a" * 65},
        {"least": [1, 2, 3, 4]},
        {"least": "1.23"},
        {"mpy": 256},
        {"another": 1},
    ],
)
def test_a_manifest_that_is_not_as_ours_is_refused(change: dict[str, object]) -> None:
    good = Manifest("pack", "rp2", "0.2.0", 1, 10, "0" * 64, 6, (1, 23))
    told = json.loads(good.encoded()) | change
    data = json.dumps(told, sort_keys=True, separators=(",", ":")).encode()
    with pytest.raises(BadFile):
        parse(data, "it")
    assert parse(good.encoded(), "it") == good and len(good.encoded()) < BYTES_MAX


def test_an_offer_is_what_a_node_takes_apart(made: Release, keys: KeyFolder) -> None:
    offer = made.artefacts[0].offer(3)
    assert offer[:5] == b"FPU1\3"
    assert keys.key("update").public.verifies(offer[389:], offer[5:389])
    assert json.loads(offer[389:])["platform"] == "rp2"


# Images --------------------------------------------------------------------------------------


def app_image(version: str = "v1.27.0", chip_id: int = 5, magic: int = 0xABCD5432) -> bytes:
    """As esptool writes an application: a header, one segment, a checksum, a hash."""
    body = struct.pack("<II8s32s", magic, 0, b"", version.encode()) + bytes(200)
    head = struct.pack("<BBBBIB3sHBHH4sB", 0xE9, 1, 2, 0x20, 0, 0, b"", chip_id, 0, 0, 99, b"", 1)
    data = head + struct.pack("<II", 0x3C000020, len(body)) + body
    checksum = 0xEF
    for byte in body:
        checksum ^= byte
    data += bytes(15 - len(data) % 16) + bytes([checksum])
    return data + hashlib.sha256(data).digest()


@pytest.mark.parametrize("after", [b"", b"\xff" * 64])
def test_an_application_image_is_released_for_its_chip(
    keys: KeyFolder, tmp_path: Path, after: bytes
) -> None:
    (tmp_path / "it.app-bin").write_bytes(app_image() + after)
    ran = release("--image", "it.app-bin", "--chip", "ESP32-C3", "--json")
    assert ran.status == 0, ran
    told = load(Path(json.loads(ran.out)["folder"]))
    assert told.folder.name == "micropython-1.27.0-1"
    one = told.artefacts[0]
    assert one.data == app_image()
    assert (one.name, one.manifest.chip, one.manifest.kind) == (
        "esp32c3.image",
        "esp32c3",
        "image",
    )
    assert one.is_for("esp32", "esp32c3") and not one.is_for("esp32", "esp32s3")


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (app_image(magic=80), "bootloader"),
        (app_image()[:-40] + bytes(40), "damaged"),
        (app_image()[:-1], "cut short"),
        (app_image(chip_id=9), "for an ESP32-S3"),
        (b"", "cut short"),
    ],
)
def test_another_image_is_refused(keys: KeyFolder, tmp_path: Path, data: bytes, why: str) -> None:
    (tmp_path / "it.bin").write_bytes(data)
    ran = release("--image", "it.bin", "--chip", "esp32c3", "--json")
    assert ran.status == 1 and why in json.loads(ran.out)["error"]["message"], ran
    assert keys.history().counter == 0


@pytest.mark.skipif(os.name != "posix", reason="files have no mode")
def test_a_key_that_others_can_read_signs_nothing(keys: KeyFolder) -> None:
    (keys.folder / "update-key.pem").chmod(0o644)
    ran = release("--platform", "esp32")
    assert ran.status == 1 and "chmod 600" in ran.err and keys.history().counter == 0
