"""What a board that runs is to the process that runs it."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

from fieldpost.emulator.network import Network


class Machine(ABC):
    """One board that runs, in a process of its own (process.py). console: its pseudo-terminal's
    path, once it has started. resets: that it did by itself, as far as that is known."""

    console: str
    network: Network
    resets = 0

    @abstractmethod
    async def start(self) -> None:
        """Switch it on; returns when it runs."""

    @abstractmethod
    async def ended(self) -> str | None:
        """Returns when it has stopped by itself, with the reason if it is known."""

    @abstractmethod
    async def reset(self) -> None:
        """The reset button."""

    @abstractmethod
    async def stop(self) -> None:
        """Switch it off, however far it came."""

    @abstractmethod
    def dump(self, target: Path) -> None:
        """Write the image of its file system, as it is in flash now, to a file."""

    async def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """What only this kind of machine can be asked."""
        raise ValueError(f"no such request: {request.get('do')}")
