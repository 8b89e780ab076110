"""What an emulator of a board is to the rest of this package.

A further emulator is a module with a subclass of `Engine` and one of `Machine` (machine.py), and a
line in `engines.py`.
"""

import os
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from fieldpost.emulator.littlefs import Geometry
from fieldpost.emulator.setup import Setup
from fieldpost.errors import BadFile, MissingTool, Usage
from fieldpost.flash import images
from fieldpost.paths import cache_folder

if TYPE_CHECKING:
    from fieldpost.emulator.machine import Machine

# Types of sensors, by what a board has to have for them.
ON_I2C = frozenset({"aht", "bh1750", "bme280", "ina219", "scd4x", "sgp40", "sht3x", "sht4x"})
AT_CONVERTER = frozenset({"analog", "soil", "supply"})
_VERSION = re.compile(r"v?(\d+(?:\.\d+)*)")
_VERSION_IN_NAME = re.compile(r"-v(\d+(?:\.\d+)*)\.\w+$")


class NoImage(BadFile):
    """None of those that were asked for is here. The text says where to put one."""


class Engine(ABC):
    """What is to be known of a board's emulator before one runs.

    board: MicroPython's name of it. title: a person's. platform: `sys.platform` of its firmware.
    suffix: of its images. chip: as images name it. ssid: of an access point there; password: one
    that it takes, "" if it is open, and password_note: what to say of it. wires: the types of
    sensors that can be wired to it, and wires_note: what to say of how. tried_version: of the
    image to fetch where there is none; None: the newest.
    """

    board: ClassVar[str]
    title: ClassVar[str]
    platform: ClassVar[str]
    suffix: ClassVar[str]
    chip: ClassVar[str]
    ssid: ClassVar[str]
    password: ClassVar[str]
    password_note: ClassVar[str]
    wires: ClassVar[frozenset[str]] = frozenset()
    wires_note: ClassVar[str | None] = None
    tried_version: ClassVar[str | None] = None

    @abstractmethod
    def file_system(self, image: Path) -> Geometry:
        """Of the littlefs that the board has with this image."""

    @abstractmethod
    def missing(self, program: str | None = None) -> str | None:
        """What keeps it from running here and what to do about it, None if nothing does.

        program: the path of the emulator, if it is one and the user named it.
        """

    def program(self, program: str | None = None) -> str | None:
        """The emulator's path; None where it is a package. Raises CommandError without it."""
        self.require(program)
        return None

    @abstractmethod
    def machine(self, setup: Setup) -> "Machine":
        """In the process that is to run it."""

    def has_device(self, sensor: Mapping[str, Any]) -> bool:
        """Whether this checked sensor can be wired to it."""
        return sensor["type"] in self.wires

    def files_for_sensors(self) -> dict[str, bytes]:
        """What its flash must hold for sensors to be wired to it, contents by path."""
        return {}

    def check(self, image: Path) -> None:
        """Raises CommandError if it is no whole image for this board."""
        found = images.examine(image)
        if found.chip != self.chip:
            raise BadFile(f"{image.name} is for {found.chip}, not for {self.chip}")

    def require(self, program: str | None = None) -> None:
        """Raises CommandError if something is missing."""
        if os.name == "nt":
            raise MissingTool(
                f"the emulated {self.title} needs pseudo-terminals, which Windows has not"
            )
        if why := self.missing(program):
            raise MissingTool(why)

    def find_image(self, wanted: str | None = None) -> Path:
        """The image to boot: a path, a version such as 1.25.0, or the newest there is.

        Looked for in the cache folder's `images/`. Raises CommandError if there is none.
        """
        if wanted and ("/" in wanted or wanted.endswith(self.suffix)):
            if Path(wanted).is_file():
                return Path(wanted)
            raise BadFile(f"there is no image {wanted}")
        folder = cache_folder() / "images"
        found = {
            tuple(map(int, version[1].split("."))): path
            for path in folder.glob(f"{self.board}-*{self.suffix}")
            if (version := _VERSION_IN_NAME.search(path.name))
        }
        if wanted:
            version = _VERSION.fullmatch(wanted)
            if not version:
                raise Usage(f"{wanted} is neither an image's path nor a version, as 1.25.0 is")
            asked = tuple(map(int, version[1].split(".")))
            found = {key: path for key, path in found.items() if key[: len(asked)] == asked}
        if not found:
            what = f"{self.title} image"
            what += f" of MicroPython {wanted}" if wanted else ""
            raise NoImage(
                f"there is no {what} in {folder}. Download {self.board}-…-vX.Y.Z{self.suffix} "
                f"from https://micropython.org/download/{self.board}/ into that folder, or give "
                "its path with --image."
            )
        return found[max(found)]
