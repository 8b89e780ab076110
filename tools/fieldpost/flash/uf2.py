"""What a UF2 file says: is it whole, and for which chip. Source: Microsoft's UF2 specification.

A UF2 file is blocks of 512 bytes, each with its own address and number, in one or more families:
each chip takes the blocks of the families it knows, and ignores the others without a word.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

MAGIC = b"UF2\n"
BLOCK = 512
# Raspberry Pi's families (pico-sdk, boot/uf2.h). RP2350 also knows 'absolute': in images for it, a
# block of that family works around erratum E10.
_RP2040, _ABSOLUTE, _RP2350_ARM, _RP2350_RISCV = 0xE48BFF56, 0xE48BFF57, 0xE48BFF59, 0xE48BFF5A
_CHIPS = {_RP2040: "RP2040", _RP2350_ARM: "RP2350", _RP2350_RISCV: "RP2350"}
_HEAD = struct.Struct("<8I")
_MAGIC_0, _MAGIC_1, _MAGIC_END = 0x0A324655, 0x9E5D5157, 0x0AB16F30
_NOT_FOR_FLASH, _HAS_FAMILY = 0x0001, 0x2000
_PAYLOAD = 476


class Broken(Exception):
    """The file is no whole UF2 file; the text says what is wrong, to follow 'the file is'."""


@dataclass(frozen=True)
class Facts:
    """chip: "RP2040" or "RP2350". content: what ends up in flash, block after block."""

    chip: str
    content: bytes


def examine(data: bytes) -> Facts:
    """Check every block, and that none is missing. Raises Broken."""
    if len(data) < BLOCK or len(data) % BLOCK:
        raise Broken("cut short: a UF2 file is a whole number of 512 byte blocks")
    numbers: dict[int, set[int]] = {}
    totals: dict[int, int] = {}
    content = []
    for family, number, total, payload in _blocks(data):
        numbers.setdefault(family, set()).add(number)
        if totals.setdefault(family, total) != total:
            raise Broken("damaged: its blocks disagree on how many there are")
        if family != _ABSOLUTE:
            content.append(payload)
    families = set(numbers) - {_ABSOLUTE}
    chips = {_CHIPS.get(family, f"family 0x{family:08X}") for family in families}
    if len(chips) != 1:
        found = " and ".join(sorted(chips)) or "no chip at all"
        raise Broken(f"for {found}, where one chip was expected")
    for family in families:
        missing = totals[family] - len(numbers[family])
        if missing or numbers[family] != set(range(totals[family])):
            raise Broken(f"cut short or damaged: {max(missing, 1)} of its blocks are missing")
    chip = chips.pop()
    if chip not in _CHIPS.values():
        raise Broken(f"for another chip ({chip}) than an RP2040 or RP2350")
    return Facts(chip, b"".join(content))


def _blocks(data: bytes) -> Iterator[tuple[int, int, int, bytes]]:
    """Family, number, count and payload of each block that goes to flash."""
    for at in range(0, len(data), BLOCK):
        magic_0, magic_1, flags, _, size, number, total, family = _HEAD.unpack_from(data, at)
        (magic_end,) = struct.unpack_from("<I", data, at + BLOCK - 4)
        if (magic_0, magic_1, magic_end) != (_MAGIC_0, _MAGIC_1, _MAGIC_END):
            raise Broken(f"damaged: its block {at // BLOCK} is none")
        if size > _PAYLOAD:
            raise Broken(f"damaged: its block {at // BLOCK} has an impossible size")
        if flags & _NOT_FOR_FLASH:
            continue
        if not flags & _HAS_FAMILY:
            raise Broken("without a chip family, so that no chip can be checked against it")
        yield family, number, total, data[at + _HEAD.size :][:size]
