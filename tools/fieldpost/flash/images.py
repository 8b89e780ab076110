"""Images: what is in a file, and where the right file for a board comes from."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from fieldpost.errors import BadFile
from fieldpost.flash import esp_image, uf2
from fieldpost.flash.catalogue import Entry

# The largest flash of a supported board. No image is larger.
LARGEST = 16 * 1024 * 1024
_VERSION = re.compile(rb"MicroPython v(\d+\.\d+\.\d+)([\w.+-]*) on (\d{4}-\d{2}-\d{2})")
_MACHINE = re.compile(rb"; ([ -~]{2,60}? with (?:RP2040|RP2350|ESP32[\w-]*))")
_PAGES = (b"<!doctype", b"<html", b"<?xml", b"<head", b"{", b"<!--")


class ImageRefused(BadFile):
    """The file is not an image that a board can be given. Nothing was written to a board."""


@dataclass(frozen=True)
class Image:
    """An image file that is whole.

    chip: the only one it runs on. base: where in flash it belongs; None for UF2, which knows.
    flash: bytes that it needs; None for UF2.
    version: as "1.29.0", machine: as sys.implementation._machine, where the file has them.
    """

    path: Path
    kind: str  # "esp" or "uf2"
    chip: str
    base: int | None
    flash: int | None
    version: str | None
    date: str | None
    machine: str | None
    size: int
    sha256: str

    def __str__(self) -> str:
        what = f"MicroPython {self.version}" if self.version else "an unknown program"
        return f"{self.path.name}: {what} for {self.machine or self.chip}, {self.size} bytes"


def examine(path: Path) -> Image:
    """Read the file to its end and check it. Raises ImageRefused if it is not a whole image."""
    try:
        size = path.stat().st_size
        if size > LARGEST:
            raise ImageRefused(f"{path} is {size} bytes, more than the flash of any board here")
        data = path.read_bytes()
    except OSError as error:
        raise ImageRefused(f"cannot read the image {path}: {error.strerror}") from None
    kind = kind_of(data[:512])
    if kind is None:
        raise ImageRefused(f"{path} is {_what_else(data)}, not an image for a board")
    try:
        if kind == "uf2":
            of_uf2 = uf2.examine(data)
            chip, base, flash, content = of_uf2.chip, None, None, of_uf2.content
        else:
            of_esp = esp_image.examine(data)
            chip, base, flash, content = of_esp.chip, of_esp.base, of_esp.flash, data
    except (uf2.Broken, esp_image.Broken) as error:
        raise ImageRefused(f"{path} is {error}. Nothing was written; get the file anew.") from None
    version = _VERSION.search(content)
    machine = _MACHINE.search(content)
    return Image(
        path,
        kind,
        chip,
        base,
        flash,
        version[1].decode() + version[2].decode() if version else None,
        version[3].decode() if version else None,
        machine[1].decode() if machine else None,
        size,
        hashlib.sha256(data).hexdigest(),
    )


def kind_of(begin: bytes) -> str | None:
    """ "esp" or "uf2" by the first bytes of a file, None for anything else."""
    if begin.startswith(uf2.MAGIC):
        return "uf2"
    return "esp" if begin[:1] == bytes((esp_image.MAGIC,)) else None


def check_fits(image: Image, chip: str, where: str, machine: str | None = None) -> None:
    """Refuse an image for another chip, or for another board with that chip.

    machine: sys.implementation._machine of what runs there now, if it is known and to be kept.
    Raises ImageRefused.
    """
    if image.chip != chip:
        raise ImageRefused(
            f"{image.path.name} is for {image.chip}, and the board on {where} has {chip}. Nothing "
            "was written. Leave out --image to get the right one by itself."
        )
    if machine and image.machine and image.kind == "uf2" and machine != image.machine:
        raise ImageRefused(
            f"{image.path.name} is for {image.machine}, and {where} says that it is {machine}. "
            "Nothing was written. If the board says so only because it was once given a wrong "
            "image, name what it is with --board."
        )


def check_entry(image: Image, entry: Entry) -> None:
    """Refuse a downloaded file that is not what the catalogue says. Raises ImageRefused."""
    differences = [
        f"{name} is {found}, not {wanted}"
        for name, found, wanted in (
            ("its chip", image.chip, entry.chip),
            ("its version", image.version, entry.version),
            ("its size", image.size, entry.size),
            ("its SHA-256", image.sha256, entry.sha256),
        )
        if wanted is not None and found != wanted
    ]
    if differences:
        raise ImageRefused(
            f"{image.path.name} is not the image that the catalogue names: "
            f"{'; '.join(differences)}. It was not kept, and nothing was written."
        )


def _what_else(data: bytes) -> str:
    if not data:
        return "empty"
    begin = data[:256].lstrip().lower()
    return "a web page or other text" if begin.startswith(_PAGES) else "something else"
