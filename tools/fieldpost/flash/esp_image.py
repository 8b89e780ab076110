"""What a file says that claims to be an image for an Espressif chip: is it whole, and for which.

A MicroPython image is three parts as they lie in flash: the second-stage bootloader at the file's
begin, the partition table at flash address 0x8000, and the application where the table says.
Source: ESP-IDF Programming Guide, "App Image Format" and "Partition Tables"; esp_app_format.h.
"""

import hashlib
import re
import struct
from dataclasses import dataclass

MAGIC = 0xE9
# esp_chip_id_t.
CHIP_IDS = {
    0: "ESP32",
    2: "ESP32-S2",
    5: "ESP32-C3",
    9: "ESP32-S3",
    12: "ESP32-C2",
    13: "ESP32-C6",
    16: "ESP32-H2",
    18: "ESP32-P4",
    20: "ESP32-C61",
    23: "ESP32-C5",
}
_HEADER = struct.Struct("<BBBBIB3sHBHH4sB")
_SEGMENT = struct.Struct("<II")
_PARTITION = struct.Struct("<2sBBII16sI")
# esp_app_desc_t, the begin of the first segment: a magic word, secure version, 8 bytes, version.
_DESCRIPTION_AT = _HEADER.size + _SEGMENT.size
_DESCRIPTION_MAGIC = (0xABCD5432).to_bytes(4, "little")
_VERSION_AT = 16
_VERSION_BYTES = 32
_TABLE_ADDRESS = 0x8000
_TABLE_BYTES = 0xC00
PARTITION_MAGIC = b"\xaa\x50"
TABLE_MD5 = b"\xeb\xeb" + b"\xff" * 14
_APPLICATION = 0
_FILE_SYSTEM = b"vfs"
_CHECKSUM_SEED = 0xEF
_MIB = 1024 * 1024
_MOST_SEGMENTS = 16
_MICROPYTHON = re.compile(rb"MicroPython (v\d+\.\d+\.\d+[\w.+-]*) on ")
# Where the bootloader begins, by chip; which of them it is shows in where the table is found.
_BASES = (0x1000, 0x0000, 0x2000)


class Broken(Exception):
    """The file is no whole image; the text says what is wrong, to follow 'the file is'."""


@dataclass(frozen=True)
class Facts:
    """chip: as in CHIP_IDS. base: the flash address that the file belongs at.

    flash: bytes of flash that it needs. On less, its bootloader stops at the size that its header
    names, or nothing of a partition beyond the end is there, which is how a file system is lost.
    """

    chip: str
    base: int
    flash: int


@dataclass(frozen=True)
class Application:
    """chip: as in CHIP_IDS. version: of the project, as its build says, without a leading "v"."""

    chip: str
    version: str


@dataclass(frozen=True)
class _Partition:
    kind: int
    address: int
    size: int
    name: bytes


def examine(data: bytes) -> Facts:
    """Check every part of the image. Raises Broken."""
    chip, _ = _check_part(data, 0, "bootloader")
    base, rows, table_end = _find_table(data)
    applications = [(row.address, row.size) for row in rows if row.kind == _APPLICATION]
    if not applications:
        raise Broken("without an application in its partition table")
    for address, size in applications:
        start = address - base
        if start >= len(data):
            # An empty slot for updates; the first application must be there.
            if (address, size) == applications[0]:
                raise Broken("cut short: it ends before the application begins")
            continue
        application_chip, end = _check_part(data, start, "application")
        if application_chip != chip:
            raise Broken(f"mixed: its bootloader is for {chip}, its program {application_chip}")
        if end - start > size:
            raise Broken("not consistent: its application is larger than its partition")
    # The upper half of the header's byte 3: 0 is 1 MB, and each step doubles it.
    return Facts(chip, base, max(_MIB << (data[3] >> 4), table_end))


def file_system(data: bytes, flash_bytes: int) -> tuple[int, int]:
    """Address and size of MicroPython's file system on a flash that large, for a whole image.

    It is the partition `vfs`. An image without one takes what lies behind the last partition
    (ports/esp32/main.c, since MicroPython 1.26).
    """
    _, rows, end = _find_table(data)
    for row in rows:
        if row.name == _FILE_SYSTEM:
            return row.address, row.size
    return end, flash_bytes - end


def application(data: bytes) -> bytes:
    """The program in a whole image, as an update over the air sends it; or `data` itself, if it is
    a program alone (a file `.app-bin`). Raises Broken."""
    try:
        base, rows, _ = _find_table(data)
        start = next(row.address for row in rows if row.kind == _APPLICATION) - base
    except (Broken, StopIteration):
        start = 0
    _, end = _check_part(data, start, "application")
    return data[start:end]


def application_chip(data: bytes) -> str:
    """For which chip the program `data` is, as in CHIP_IDS. Raises Broken."""
    return _check_part(data, 0, "application")[0]


def describe(program: bytes) -> Application:
    """What a program, as `application` gives it, says of itself. Raises Broken."""
    chip = application_chip(program)
    if program[_DESCRIPTION_AT : _DESCRIPTION_AT + 4] != _DESCRIPTION_MAGIC:
        raise Broken("no program: it says nothing of itself, as a bootloader alone does not")
    at = _DESCRIPTION_AT + _VERSION_AT
    version = program[at : at + _VERSION_BYTES].partition(b"\0")[0]
    if not version and (found := _MICROPYTHON.search(program)):
        # MicroPython's own builds leave it empty there.
        version = found[1]
    return Application(chip, version.decode("ascii", "replace").removeprefix("v") or "?")


def count_applications(data: bytes) -> int:
    """How many slots for a program a whole image has. Raises Broken."""
    return sum(row.kind == _APPLICATION for row in _find_table(data)[1])


def _check_part(data: bytes, start: int, name: str) -> tuple[str, int]:
    """The chip of the image at `start`, and where it ends."""
    if len(data) < start + _HEADER.size:
        raise Broken(f"cut short: it ends in the header of its {name}")
    fields = _HEADER.unpack_from(data, start)
    magic, segments, chip_id, hash_appended = fields[0], fields[1], fields[7], fields[12]
    if magic != MAGIC or not 0 < segments <= _MOST_SEGMENTS:
        raise Broken(f"no image for an Espressif chip: it has no header where its {name} belongs")
    chip = CHIP_IDS.get(chip_id)
    if chip is None:
        raise Broken(f"for a chip that is not known here (number {chip_id})")
    at = start + _HEADER.size
    checksum = _CHECKSUM_SEED
    for _ in range(segments):
        if at + _SEGMENT.size > len(data):
            raise Broken(f"cut short: it ends in its {name}")
        size = _SEGMENT.unpack_from(data, at)[1]
        at += _SEGMENT.size
        if at + size > len(data):
            raise Broken(f"cut short: it ends in its {name}")
        checksum ^= _exclusive_or(data[at : at + size])
        at += size
    # Padded so that the checksum is the last byte of a block of 16.
    at = start + ((at - start) // 16 + 1) * 16
    if at > len(data):
        raise Broken(f"cut short: it ends in its {name}")
    if data[at - 1] != checksum:
        raise Broken(f"damaged: the checksum of its {name} is wrong")
    if hash_appended:
        if data[at : at + 32] != hashlib.sha256(data[start:at]).digest():
            raise Broken(f"damaged or cut short: the hash of its {name} is wrong")
        at += 32
    return chip, at


def _find_table(data: bytes) -> tuple[int, list[_Partition], int]:
    """The base address, every partition, and where the last one ends."""
    for base in _BASES:
        table = data[_TABLE_ADDRESS - base :][:_TABLE_BYTES]
        if table.startswith(PARTITION_MAGIC):
            return base, *_read_table(table)
    raise Broken(
        "no complete image: it has no partition table. A file whose name ends in .app-bin is for "
        "updates over the air; take the .bin without 'app'"
    )


def _read_table(table: bytes) -> tuple[list[_Partition], int]:
    found, end = [], 0
    for at in range(0, len(table) - _PARTITION.size + 1, _PARTITION.size):
        row = table[at : at + _PARTITION.size]
        if row.startswith(TABLE_MD5):
            if row[16:] != hashlib.md5(table[:at]).digest():
                raise Broken("damaged: the checksum of its partition table is wrong")
            break
        magic, kind, _, address, size, name, _ = _PARTITION.unpack(row)
        if magic != PARTITION_MAGIC:
            break
        found.append(_Partition(kind, address, size, name.rstrip(b"\0")))
        end = max(end, address + size)
    return found, end


def _exclusive_or(data: bytes) -> int:
    """All bytes of `data`, exclusive-or'ed: by halving, for a loop over 1.7 MB takes a while."""
    value = int.from_bytes(data, "little")
    bits = 8
    while bits < len(data) * 8:
        bits *= 2
    while bits > 8:
        bits //= 2
        value = (value >> bits) ^ (value & ((1 << bits) - 1))
    return value
