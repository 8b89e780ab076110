"""A genuine ESP32 image with room for its program twice, and another program for the second."""

from __future__ import annotations

import hashlib
import re
import struct
from pathlib import Path

from fieldpost.emulator.esp32_c3_facts import FLASH_BYTES
from fieldpost.flash import esp_image, two_slots

_HEADER_BYTES = 24
_SEGMENT = struct.Struct("<II")
_VERSION = re.compile(rb"MicroPython v(\d+\.\d+\.\d+) on ")


def with_two_slots(image: Path, folder: Path) -> Path:
    """What `fieldpost flash --ota` writes."""
    made = folder / f"{image.stem}-ota.bin"
    made.write_bytes(two_slots.lay_out(image.read_bytes(), FLASH_BYTES))
    return made


def program_of(image: Path, version: str = "") -> bytes:
    """The program of an image; with another version in its banner, and so another hash."""
    data = bytearray(esp_image.application(image.read_bytes()))
    if not version:
        return bytes(data)
    found = _VERSION.search(bytes(data))
    assert found and len(found[1]) == len(version)
    start, stop = found.span(1)
    data[start:stop] = version.encode()
    at = _HEADER_BYTES
    for _ in range(data[1]):
        at += _SEGMENT.size + _SEGMENT.unpack_from(data, at)[1]
    end = (at // 16 + 1) * 16
    for byte in found[1] + version.encode():
        data[end - 1] ^= byte
    data[end : end + 32] = hashlib.sha256(data[:end]).digest()
    assert esp_image.application(bytes(data)) == bytes(data)
    return bytes(data)
