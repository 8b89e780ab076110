"""The MicroPython images that are known by name: board, version, address, size, hash."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fieldpost.board import names
from fieldpost.errors import UnfitBoard, Usage

FILE = Path(__file__).with_name("catalogue.toml")
_UNKNOWN = "unknown"
# Of an ESP32 that was not asked.
_USUAL_FLASH_MB = 4


@dataclass(frozen=True)
class Entry:
    """One image. size in bytes and sha256 as hex; None where they are not known."""

    board: str
    chip: str
    version: str
    url: str
    size: int | None
    sha256: str | None
    hash_by: str | None = None
    flash_mb: int = 0
    cores: int = 1
    by_name: bool = False

    @property
    def file_name(self) -> str:
        return self.url.rsplit("/", 1)[1]

    def runs_on(self, flash_mb: float, cores: int) -> bool:
        """Whether that much flash and so many processor cores are enough."""
        return self.flash_mb <= flash_mb and self.cores <= cores


def load(file: Path = FILE) -> list[Entry]:
    """Every image, in the order of the file."""
    rows = tomllib.loads(file.read_text(encoding="utf-8"))["image"]
    return [Entry(**{key: _known(value) for key, value in row.items()}) for row in rows]


def choose(
    *,
    chip: str,
    board: str | None = None,
    runs: str | None = None,
    version: str | None = None,
    flash_mb: float | None = None,
    cores: int | None = None,
    entries: list[Entry] | None = None,
) -> Entry:
    """The newest image for the chip, or the one of that board and version ("1.29.0", "v1.29.0").

    board: as the user names it. runs: what the board says that it is, which a wrong image may
    have told it; a board that the catalogue does not have is given the image of its chip, as a
    maker's own board usually runs that too. flash_mb, cores: what the chip has, None: not known.
    Raises CommandError, naming what there is.
    """
    known = load() if entries is None else entries
    of_chip = [entry for entry in known if entry.chip == chip]
    # Whatever the spelling; a name that is in no catalogue stays as it is.
    board = board and (names.same(board, [entry.board for entry in known]) or board)
    if not of_chip:
        chips = ", ".join(dict.fromkeys(entry.chip for entry in known))
        raise UnfitBoard(
            f"there is no image for {chip} in the catalogue, which has {chips}. Download the "
            "right file from micropython.org and give it with --image FILE."
        )
    room, cores_there = flash_mb or _USUAL_FLASH_MB, cores or 2
    fitting = [entry for entry in of_chip if entry.runs_on(room, cores_there)]
    if not fitting:
        least = min(entry.flash_mb for entry in of_chip)
        raise UnfitBoard(
            f"no image of the catalogue runs on this {chip}, which has {room:g} MB of flash and "
            f"{_counted(cores_there)}: {least} MB are the least. Give a file that was built for "
            "it with --image FILE."
        )
    named = [entry for entry in of_chip if entry.board == board]
    if board and not named and any(entry.board == board for entry in known):
        raise UnfitBoard(f"{board} has another chip than the board here, which is {chip}")
    if named and not any(entry in fitting for entry in named):
        raise UnfitBoard(
            f"{board} needs {named[0].flash_mb} MB of flash and {_counted(named[0].cores)}; the "
            f"{chip} here has {room:g} MB and {_counted(cores_there)}. Leave out --board to get "
            f"{max(fitting, key=_fullest).board}."
        )
    named = [entry for entry in fitting if entry.board == (board or runs)]
    candidates = named or [entry for entry in fitting if not entry.by_name]
    best = max(candidates, key=_fullest)
    candidates = [entry for entry in candidates if entry.board == best.board]
    if version:
        wanted = version.removeprefix("v")
        of_version = [entry for entry in candidates if entry.version == wanted]
        if not of_version:
            have = ", ".join(sorted({entry.version for entry in candidates}))
            raise Usage(
                f"the catalogue has no MicroPython {wanted} for {candidates[0].board}, only "
                f"{have}. Give a file with --image FILE."
            )
        candidates = of_version
    return max(candidates, key=lambda entry: _number(entry.version))


def _fullest(entry: Entry) -> tuple[int, int]:
    """Of images that run, the one that uses most of the chip: both cores, all flash."""
    return entry.cores, entry.flash_mb


def _counted(cores: int) -> str:
    return "one core" if cores == 1 else f"{cores} cores"


def _known(value: Any) -> Any:
    return None if value == _UNKNOWN else value


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
