"""How flashing looks: a bar for each board in a terminal, plain lines elsewhere."""

import math
import sys
import threading
from types import TracebackType
from typing import Self

from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    Task,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Column
from rich.text import Text

from fieldpost.terminal.console import Console
from fieldpost.terminal.wrapping import fit


class _Share(TaskProgressColumn):
    """How much of a step is done; of a wait that would say nothing."""

    def render(self, task: Task) -> Text:
        return Text() if "left" in task.fields else super().render(task)


class _Clock(TimeElapsedColumn):
    """The time that a step has taken, or that is left of one that counts down."""

    def render(self, task: Task) -> Text:
        left = task.fields.get("left")
        return Text(left, style="progress.remaining") if left else super().render(task)


def _clock(duration_s: float) -> str:
    minutes, seconds = divmod(math.ceil(duration_s), 60)
    return f"{minutes}:{seconds:02d}"


class FlashScreen:
    """Writes to stderr, for stdout may be a script's. Safe to use from several threads.

    steps: whether each is told elsewhere than in a terminal, too: for work that takes a while.
    """

    def __init__(self, steps: bool = True) -> None:
        self._tells_steps = steps
        self._console = Console(file=sys.stderr, highlight=False)
        self._lock = threading.Lock()
        self._tasks: dict[str, TaskID] = {}
        self._steps: dict[str, str] = {}
        self._bars = Progress(
            SpinnerColumn(),
            TextColumn("{task.fields[where]}", markup=False),
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            _Share(),
            _Clock(table_column=Column(no_wrap=True, min_width=9)),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._bars.stop()

    def say(self, where: str, text: str) -> None:
        """A sentence about the board at `where`."""
        # As Text, for a port or what a board says is no mark-up.
        self._console.print(Text(fit(f"{where}: {text}", sys.stderr)), soft_wrap=True)

    def progress(self, where: str, what: str, done: int, total: int | None) -> None:
        """How far a step is; total None: not known."""
        with self._lock:
            if self._steps.get(where) != what:
                self._steps[where] = what
                if where in self._tasks:
                    self._bars.remove_task(self._tasks[where])
                self._tasks[where] = self._bars.add_task(what, total=total, where=where)
                if not self._console.is_terminal and self._tells_steps:
                    self.say(where, what)
            self._bars.update(self._tasks[where], completed=done, total=total)

    def count_down(self, where: str, what: str, left_s: float, total_s: float) -> None:
        """A wait that ends at the latest in `left_s`, of `total_s`. Elsewhere than in a terminal
        it is told once."""
        left = _clock(left_s) + " left"
        with self._lock:
            if self._steps.get(where) != what:
                self._steps[where] = what
                if where in self._tasks:
                    self._bars.remove_task(self._tasks[where])
                self._tasks[where] = self._bars.add_task(
                    what, total=total_s, where=where, left=left
                )
                if not self._console.is_terminal:
                    self.say(where, f"{what}, {_clock(total_s)} at most")
            self._bars.update(self._tasks[where], completed=total_s - left_s, left=left)

    def finished(self, where: str) -> None:
        """No more to come from `where`."""
        with self._lock:
            if where in self._tasks:
                self._bars.remove_task(self._tasks.pop(where))
            self._steps.pop(where, None)
