"""What the work on a board shows of itself; terminal/progress.py has the one for a terminal."""

from typing import Protocol


class Screen(Protocol):
    """`where` is a port, or whatever else the work is on."""

    def say(self, where: str, text: str) -> None: ...
    def progress(self, where: str, what: str, done: int, total: int | None) -> None: ...
    def count_down(self, where: str, what: str, left_s: float, total_s: float) -> None: ...


class OwnScreen(Screen, Protocol):
    """One that several kinds of work use in turn."""

    def finished(self, where: str) -> None: ...
