"""An ESP32 image laid out anew: two slots for the program, so that it can be updated over the air.

MicroPython publishes such a build for one chip only. Its bootloader knows slots in every build,
and goes back by itself to the slot before if the new program does not prove itself; what is
missing is the partition table. Source: ESP-IDF Programming Guide, "Partition Tables" and "Over The
Air Updates"; what an official image does with such a table was tried on an emulated ESP32-C3
(host_tests/on_esp32/test_image_updates.py).
"""

import hashlib
import struct

from fieldpost.flash import esp_image
from fieldpost.flash.esp_image import Broken

_ROW = struct.Struct("<2sBBII16sI")
_TABLE_ADDRESS = 0x8000
_SECTOR_BYTES = 0x1000
# A program begins at a multiple of what the chip maps into its address space at once.
_PAGE_BYTES = 0x10000
_FIRST_SLOT = 0x10000
# Of each build so far 1.6 to 1.8 MB; on 4 MB of flash files are left with 448 KiB.
_SLOT_BYTES = 0x1C0000
_LARGER_SLOT_BYTES = 0x200000
_LEAST_FILES_BYTES = 0x60000
_MIB = 1024 * 1024
# type, subtype: see the guide.
_DATA, _APPLICATION = 1, 0
_NVS, _CHOICE, _RADIO, _FILES = 2, 0, 1, 0x81
_SLOT = 0x10


def lay_out(data: bytes, flash_bytes: int) -> bytes:
    """The image `data` with two slots, its program in the first, for a flash of that many bytes.

    Raises Broken, whose text follows 'the file is', if it is no whole image, or if two of its
    program do not fit.
    """
    facts = esp_image.examine(data)
    program = esp_image.application(data)
    slot = _SLOT_BYTES if flash_bytes <= 4 * _MIB else _LARGER_SLOT_BYTES
    files = _FIRST_SLOT + 2 * slot
    if len(program) > slot or files + _LEAST_FILES_BYTES > flash_bytes:
        raise Broken(
            f"too large to be there twice: its program has {len(program) / _MIB:.2f} MB, and on "
            f"{flash_bytes / _MIB:g} MB of flash a slot has {slot / _MIB:.2f}"
        )
    rows = (
        (_DATA, _NVS, 0x9000, 0x4000, b"nvs"),
        (_DATA, _CHOICE, 0xD000, 0x2000, b"otadata"),
        (_DATA, _RADIO, 0xF000, 0x1000, b"phy_init"),
        (_APPLICATION, _SLOT, _FIRST_SLOT, slot, b"ota_0"),
        (_APPLICATION, _SLOT + 1, _FIRST_SLOT + slot, slot, b"ota_1"),
        (_DATA, _FILES, files, flash_bytes - files, b"vfs"),
    )
    table = b"".join(
        _ROW.pack(esp_image.PARTITION_MAGIC, kind, subtype, address, size, name, 0)
        for kind, subtype, address, size, name in rows
    )
    table += esp_image.TABLE_MD5 + hashlib.md5(table).digest()
    bootloader = data[: _TABLE_ADDRESS - facts.base]
    whole = bootloader + table.ljust(_SECTOR_BYTES, b"\xff")
    # What is left of it from another layout would name a slot to start.
    return whole.ljust(_FIRST_SLOT - facts.base, b"\xff") + program


def has_two_slots(data: bytes) -> bool:
    """Whether the whole image `data` is laid out so."""
    return esp_image.count_applications(data) > 1
