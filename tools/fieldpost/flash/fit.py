"""An image and the flash it goes to: whether it fits, and where its parts lie there."""

import re
from pathlib import Path

from fieldpost.board.screen import Screen
from fieldpost.errors import UnfitBoard
from fieldpost.flash import esp_image, two_slots
from fieldpost.flash.esp import EspChip
from fieldpost.flash.images import Image

_MIB = 1024 * 1024
# MicroPython's own; that for one core names its chip ESP32-UNICORE.
_RUNS_ON_TWO_CORES = re.compile(r"Generic ESP32 module.* with ESP32$")


def check_room(image: Image, chip: EspChip, where: str) -> None:
    """Refuse an image that would be written, verified, and then not start or have no files."""
    wanted = max(image.flash or 0, chip.base + image.size)
    if chip.flash and wanted > chip.flash:
        raise UnfitBoard(
            f"{image.path.name} needs {_in_mb(wanted)} of flash, and the board on {where} has "
            f"{_in_mb(chip.flash)}: it would not start, or have no file system. Nothing was "
            "written. Leave out --image to get one that fits by itself."
        )
    if chip.cores == 1 and _RUNS_ON_TWO_CORES.match(image.machine or ""):
        raise UnfitBoard(
            f"{image.path.name} is for two cores, and the {chip.name} on {where} has one: it "
            "would not start. Nothing was written. Leave out --image to get the right one by "
            "itself."
        )


def laid_out(image: Image, chip: EspChip, folder: Path, where: str, screen: Screen) -> Path:
    """A file in `folder`: the image with two slots for its program."""
    if chip.flash is None:
        raise UnfitBoard(
            f"the flash of the board on {where} did not tell its size, by which --ota lays it "
            "out. Nothing was written. Leave out --ota."
        )
    try:
        data = two_slots.lay_out(image.path.read_bytes(), chip.flash)
    except esp_image.Broken as error:
        raise UnfitBoard(
            f"{image.path.name} is {error}. Nothing was written. Leave out --ota: MicroPython is "
            "then updated by cable, and Fieldpost itself over the air as ever."
        ) from None
    screen.say(
        where,
        "It has room for MicroPython twice. A board that had another layout finds none of its "
        "files again: fieldpost deploy, then fieldpost provision.",
    )
    file = folder / image.path.name
    file.write_bytes(data)
    return file


def _in_mb(size: int) -> str:
    return f"{size / _MIB:.4g} MB"
