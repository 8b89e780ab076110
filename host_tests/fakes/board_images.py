"""Images to flash in tests: real ones where they can be had, and a small one for each chip."""

import hashlib
import os
import struct
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import pytest

from fieldpost.paths import cache_folder

# A real MicroPython image comes in the source archive of a package on the registry.
_PACKAGE, _VERSION = "mp-image-tool-esp32", "0.1.1"
_REAL_ESP32 = "ESP32_GENERIC-20240602-v1.23.0.bin"
_REAL_ESP32_SHA256 = "5e442176c7e90347aa102915077dda59f795af190f907f3919ee1e4e57984716"
_REAL_PICO_W = "RPI_PICO_W-20250415-v1.25.0.uf2"
_FETCH_S = 60

RP2040, RP2350_ARM, RP2350_RISCV, ABSOLUTE = 0xE48BFF56, 0xE48BFF59, 0xE48BFF5A, 0xE48BFF57
_CHIP_IDS = {"ESP32": 0, "ESP32-S2": 2, "ESP32-C3": 5, "ESP32-S3": 9, "ESP32-C6": 13}


def real_esp32() -> Path:
    """MicroPython 1.23.0 for ESP32_GENERIC. Skips the test if it can't be fetched."""
    file = cache_folder() / "test-images" / _REAL_ESP32
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-m", "unearth", "--no-binary", "-d", folder]
            try:
                subprocess.run(
                    [*command, f"{_PACKAGE}=={_VERSION}"],
                    capture_output=True,
                    timeout=_FETCH_S,
                    check=True,
                )
                (archive,) = Path(folder).glob("*.tar.gz")
            except (subprocess.SubprocessError, ValueError) as error:
                pytest.skip(f"no registry to fetch a real ESP32 image from: {error}")
            with tarfile.open(archive) as tar:
                names = [name for name in tar.getnames() if name.endswith("/" + _REAL_ESP32)]
                member = tar.extractfile(names[0])
                assert member
                partial = file.with_suffix(f".{os.getpid()}")
                partial.write_bytes(member.read())
                partial.replace(file)
    assert hashlib.sha256(file.read_bytes()).hexdigest() == _REAL_ESP32_SHA256
    return file


def real_pico_w() -> Path:
    """MicroPython 1.25.0 for RPI_PICO_W. Skips the test if it isn't in the cache."""
    file = cache_folder() / "images" / _REAL_PICO_W
    if not file.exists():
        pytest.skip(f"no genuine Pico W image in the cache: {file}")
    return file


def esp_image(
    chip: str,
    *,
    version: str = "1.29.0",
    size: int = 20_000,
    flash_mb: int = 4,
    files_end: int = 0,
    machine: str | None = None,
    noise: bytes = b"",
) -> bytes:
    """A small whole image for `chip`: bootloader, partition table, application. noise: a part
    of it that esptool can't compress.

    flash_mb: the flash that its header names. files_end: where a partition for files ends, which
    images have had before MicroPython 1.26; 0 is without.
    """
    base = 0x1000 if chip in ("ESP32", "ESP32-S2") else 0
    machine = machine or f"Generic {chip} module with {chip}"
    text = f"\0MicroPython v{version} on 2026-08-24; {machine}\0".encode()
    bootloader = esp_part(chip, b"bootloader" * 30, flash_mb)
    application = esp_part(chip, text + noise + bytes(range(256)) * (size // 256))
    rows = _partition(1, 2, 0x9000, 0x6000, b"nvs") + _partition(0, 0, 0x10000, 0x1F0000, b"app")
    if files_end:
        rows += _partition(1, 0x81, 0x200000, files_end - 0x200000, b"vfs")
    rows += b"\xeb\xeb" + b"\xff" * 14 + hashlib.md5(rows).digest()
    image = bootloader.ljust(0x8000 - base, b"\xff") + rows.ljust(0x1000, b"\xff")
    return image.ljust(0x10000 - base, b"\xff") + application


def esp_part(chip: str, data: bytes, flash_mb: int = 4) -> bytes:
    """One part, in Espressif's app image format: header, a segment, checksum, SHA-256."""
    data += b"\0" * (-len(data) % 4)
    header = struct.pack(
        "<BBBBIB3sHBHH4sB",
        0xE9,
        1,
        2,
        flash_mb.bit_length() - 1 << 4,
        0x400805CC,
        0xEE,
        b"",
        _CHIP_IDS[chip],
        0,
        0,
        399,
        b"",
        1,
    )
    part = header + struct.pack("<II", 0x3F400020, len(data)) + data
    checksum = 0xEF
    for byte in data:
        checksum ^= byte
    part += b"\0" * (15 - len(part) % 16) + bytes((checksum,))
    return part + hashlib.sha256(part).digest()


def uf2_image(
    family: int = RP2040,
    *,
    machine: str = "Raspberry Pi Pico W with RP2040",
    version: str = "1.29.0",
    blocks: int = 40,
    absolute: bool = False,
) -> bytes:
    """A small whole UF2 file; `absolute` puts the block before it that RP2350 images have."""
    text = f"\0MicroPython v{version} on 2026-08-24\0; {machine}\0".encode()
    content = text.ljust(blocks * 256, b"\x5a")
    image = b"".join(
        uf2_block(family, number, blocks, content[number * 256 :][:256])
        for number in range(blocks)
    )
    return (uf2_block(ABSOLUTE, 0, 2, b"\xef" * 256) if absolute else b"") + image


def uf2_block(family: int, number: int, total: int, payload: bytes) -> bytes:
    """One block of 512 bytes."""
    address = 0x10000000 + number * 256
    head = struct.pack(
        "<8I", 0x0A324655, 0x9E5D5157, 0x2000, address, len(payload), number, total, family
    )
    return head + payload.ljust(476, b"\0") + struct.pack("<I", 0x0AB16F30)


def _partition(kind: int, subtype: int, address: int, size: int, label: bytes) -> bytes:
    return struct.pack("<2sBBII16sI", b"\xaa\x50", kind, subtype, address, size, label, 0)
