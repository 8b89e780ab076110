"""Which releases were made with the keys of a folder: the counter that only rises, releases.json.

A node takes a release only if its counter is above the one that it keeps. So this is kept with the
keys, and never made up anew: a counter that fell would have every node refuse what comes.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fieldpost.certs.private_files import write_private
from fieldpost.errors import BadFile, FileKept, NotWritten

NAME = "releases.json"
# A node keeps it as a small integer, and a release a day lasts for longer than anybody.
COUNTER_MAX = 2**30 - 1


@dataclass(frozen=True)
class Entry:
    """One release. files: the hex SHA-256 of each pack or image, by its name."""

    counter: int
    version: str
    made: str
    files: dict[str, str]


@dataclass(frozen=True)
class History:
    """counter: the newest release's, 0 before the first."""

    path: Path
    counter: int
    releases: tuple[Entry, ...]

    def next_counter(self, version: str, files: dict[str, str], wanted: int | None) -> int:
        """The counter for a release of these. wanted: None takes the next one. One that was given
        away already is right for the same release alone, made again. Raises CommandError."""
        if wanted is None:
            return self.counter + 1
        for one in self.releases:
            if one.counter == wanted:
                if (one.version, one.files) == (version, files):
                    return wanted
                raise FileKept(
                    f"counter {wanted} is that of {one.version} of {one.made}, which had other "
                    f"contents. The next is {self.counter + 1}"
                )
        if wanted <= self.counter:
            raise FileKept(
                f"the counter is at {self.counter} and only rises: nodes would refuse {wanted}"
            )
        if wanted > COUNTER_MAX:
            raise FileKept(f"a counter is {COUNTER_MAX} at most")
        return wanted

    def add(self, entry: Entry) -> None:
        """Write that it was made, unless it stands there."""
        if any(one.counter == entry.counter for one in self.releases):
            return
        _write(self.path, [*self.releases, entry])


def begin(folder: Path) -> None:
    """The history of keys that have signed nothing."""
    _write(folder / NAME, [])


def load(folder: Path) -> History:
    """Raises CommandError if it is missing or spoilt."""
    path = folder / NAME
    try:
        told = json.loads(path.read_bytes())
        releases = tuple(_entry(one) for one in told["releases"])
        counter = int(told["counter"])
    except OSError as error:
        raise BadFile(
            f"cannot read {path} ({error.strerror}). It knows which counter the newest release "
            "has: take it from your backup of the keys"
        ) from None
    except (ValueError, TypeError, KeyError, RecursionError):
        raise BadFile(f"{path} is spoilt: take it from your backup of the keys") from None
    counters = [one.counter for one in releases]
    if counters != sorted(set(counters)) or counter < max(counters, default=0):
        raise BadFile(f"{path} is spoilt: its counters do not rise. Take it from your backup")
    return History(path, counter, releases)


def _entry(told: Any) -> Entry:
    files = {str(name): str(digest) for name, digest in told["files"].items()}
    return Entry(int(told["counter"]), str(told["version"]), str(told["made"]), files)


def _write(path: Path, releases: list[Entry]) -> None:
    releases.sort(key=lambda one: one.counter)
    counter = releases[-1].counter if releases else 0
    told = {"counter": counter, "releases": [vars(one) for one in releases]}
    try:
        write_private(path, json.dumps(told, indent=1).encode() + b"\n")
    except OSError as error:
        raise NotWritten(f"cannot write {path}: {error.strerror}") from None
