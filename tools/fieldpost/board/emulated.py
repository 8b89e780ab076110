"""Emulated boards that wait on this machine for a node, so that they are found as others are."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from fieldpost.paths import running_folder


@dataclass(frozen=True)
class Emulated:
    """console: its pseudo-terminal. title: what it is."""

    console: str
    title: str


@contextmanager
def announced(console: str, title: str) -> Iterator[None]:
    """Let every command find the board while this lasts. Where that cannot be written down, the
    board is there all the same, for whoever names its port."""
    file = running_folder() / f"{os.getpid()}.json"
    try:
        with suppress(OSError):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(asdict(Emulated(console, title))), encoding="utf-8")
        yield
    finally:
        with suppress(OSError):
            file.unlink(missing_ok=True)


def running() -> list[Emulated]:
    """Those of programs that run still, in the order of their consoles."""
    if os.name == "nt":
        return []  # There is no emulator, and to ask for a process would end it.
    found = []
    for file in running_folder().glob("*.json"):
        if _lives(file.stem):
            found.append(_read(file))
        else:
            # It was killed; its number and its console may soon be another's.
            with suppress(OSError):
                file.unlink(missing_ok=True)
    return sorted((one for one in found if one), key=lambda one: one.console)


def _read(file: Path) -> Emulated | None:
    try:
        one = Emulated(**json.loads(file.read_text(encoding="utf-8")))
        return one if Path(one.console).is_char_device() else None
    except (OSError, ValueError, TypeError):
        return None  # It has just gone.


def _lives(number: str) -> bool:
    try:
        os.kill(int(number), 0)
    except PermissionError:
        return True
    except (OSError, ValueError, OverflowError):
        return False
    return True
