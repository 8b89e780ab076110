"""`fieldpost doctor`: what is missing on this machine, and how to get it here."""

import platform
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any, Literal

State = Literal[
    "ok",
    "missing",  # and something does not work without it
    "optional",  # missing, and everything but what the text says works without it
    "note",  # could not be checked here, or is worth knowing
]


@dataclass(frozen=True)
class Check:
    """What was found of one thing. text: what it is, or what is wrong. fix: what to do."""

    name: str
    state: State
    text: str
    fix: str = ""

    def as_json(self) -> dict[str, Any]:
        """Every field."""
        return asdict(self)


@dataclass(frozen=True)
class Platform:
    """system: as sys.platform. manager: of packages, where it is known which there is."""

    system: str
    manager: str | None = None

    def install(self, packages: dict[str, str], otherwise: str) -> str:
        """How to install something here: `packages` are its names by package manager."""
        if self.manager is None or self.manager not in packages:
            return otherwise
        return f"{_COMMANDS[self.manager]} {packages[self.manager]}"


_COMMANDS = {
    "apt": "sudo apt install",
    "dnf": "sudo dnf install",
    "pacman": "sudo pacman -S",
    "zypper": "sudo zypper install",
    "apk": "sudo apk add",
    "brew": "brew install",
    "winget": "winget install",
}


def this_platform(which: Callable[[str], str | None]) -> Platform:
    """The machine that we are on; `which` is shutil's."""
    # winget and brew first: where they are, they are the system's way.
    by_system = {"win32": ("winget",), "darwin": ("brew",)}
    usual = ("apt", "dnf", "pacman", "zypper", "apk")
    for name in by_system.get(sys.platform, usual):
        if which(name):
            return Platform(sys.platform, name)
    return Platform(sys.platform)


def run(checks: Iterable[Callable[[], "list[Check]"]]) -> list[Check]:
    """All of them at once, in their order. A check that fails by a fault of ours is a note."""

    def one(check: Callable[[], list[Check]]) -> list[Check]:
        try:
            return check()
        except Exception as error:
            name = getattr(check, "__name__", "check").replace("_", " ").strip()
            return [Check(name, "note", f"could not be checked: {error}")]

    with ThreadPoolExecutor(8) as pool:
        return [found for several in pool.map(one, checks) for found in several]


def machine() -> str:
    """In a line, for a report of a fault."""
    return f"{platform.platform()}, Python {platform.python_version()}"
