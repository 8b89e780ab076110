"""The MicroPython images that are known by name: board, version, address, size, hash."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fieldpost.errors import CommandError

FILE = Path(__file__).with_name("catalogue.toml")
_UNKNOWN = "unknown"


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

    @property
    def file_name(self) -> str:
        return self.url.rsplit("/", 1)[1]


def load(file: Path = FILE) -> list[Entry]:
    """Every image, in the order of the file."""
    rows = tomllib.loads(file.read_text(encoding="utf-8"))["image"]
    return [Entry(**{key: _known(value) for key, value in row.items()}) for row in rows]


def choose(
    *,
    chip: str,
    board: str | None = None,
    version: str | None = None,
    entries: list[Entry] | None = None,
) -> Entry:
    """The newest image for the chip, or the one of that board and version ("1.29.0", "v1.29.0").

    A board that the catalogue does not have is given the image of its chip, as a maker's own
    board usually runs that too. Raises CommandError, naming what there is.
    """
    known = load() if entries is None else entries
    fitting = [entry for entry in known if entry.chip == chip]
    if not fitting:
        chips = ", ".join(dict.fromkeys(entry.chip for entry in known))
        raise CommandError(
            f"there is no image for {chip} in the catalogue, which has {chips}. Download the "
            "right file from micropython.org and give it with --image FILE."
        )
    named = [entry for entry in fitting if entry.board == board]
    if board and not named and any(entry.board == board for entry in known):
        raise CommandError(f"{board} has another chip than the board here, which is {chip}")
    candidates = named or fitting
    if version:
        wanted = version.removeprefix("v")
        of_version = [entry for entry in candidates if entry.version == wanted]
        if not of_version:
            have = ", ".join(sorted({entry.version for entry in candidates}))
            raise CommandError(
                f"the catalogue has no MicroPython {wanted} for {candidates[0].board}, only "
                f"{have}. Give a file with --image FILE."
            )
        candidates = of_version
    return max(candidates, key=lambda entry: _number(entry.version))


def _known(value: Any) -> Any:
    return None if value == _UNKNOWN else value


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
