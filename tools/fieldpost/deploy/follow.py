"""`fieldpost deploy --watch`: a board that follows the files, its console in front of the user."""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from fieldpost.board.errors import BoardError, LinkLost
from fieldpost.board.lines import Lines
from fieldpost.board.link import BoardLink, attach
from fieldpost.board.ports import port_named, present_name
from fieldpost.deploy.deployment import Outcome, Wish, deploy
from fieldpost.file_names import FIRMWARE, STARTED
from fieldpost.file_watch import FileWatch

_LOOK_S = 0.3
# What stands without a line's end for so long is a prompt.
_PROMPT_S = 0.5
# What was not sent because the board did not answer is sent when it does.
_NOT_THERE = ("board_port", "board_busy", "board_silent", "board_lost")
_AGAIN_S = 5.0
_SOON_S = 2.0


class Follower:
    """Deploys to the board at `port`, and again when a file of the wish changes.

    tell: given each line of the console, and each sentence of ours. `end` may be set by another
    thread.
    """

    def __init__(self, port: str, wish: Wish, tell: Callable[[str], None]) -> None:
        self._wish = replace(wish, follow=self._follow)
        self._port = port_named(port)
        self._tell = tell
        self._changed: list[str] = []
        self._again_at: float | None = None
        self._is_shown = False
        self.end = threading.Event()
        places = [wish.root / name for name in (*STARTED, *FIRMWARE)]
        self._watch = FileWatch([*places, *([wish.drivers] if wish.drivers else [])], (".py",))

    def run(self) -> bool:
        """Until Ctrl-C or `end`; whether the last deployment succeeded."""
        is_good = False
        told = ""
        while not self.end.is_set():
            device = present_name(self._port) or self._port.device
            self._changed, self._again_at, self._is_shown = [], None, False
            outcome = deploy(device, self._wish, _Sentences(self._tell))
            is_good = outcome.ok
            failure = "" if is_good else f"{device}: failed: {outcome.text}"
            if outcome.code in _NOT_THERE:
                self._again_at = time.monotonic() + _AGAIN_S
                failure += "\nIt is tried again until it works."
            if is_good and not self._is_shown:
                self._tell_of(outcome)  # It has no settings, say.
            if failure and failure != told:
                self._tell(failure)
            told = failure
            # What ended it was a change, or else the board runs on with what it has.
            self._watch_console()
        return is_good

    def _follow(self, link: BoardLink, outcome: Outcome) -> None:
        """Called when the board has been restarted with the files."""
        self._tell_of(outcome)
        with suppress(LinkLost):
            self._show(link)

    def _tell_of(self, outcome: Outcome) -> None:
        self._is_shown = True
        self._tell(f"{outcome.port}: {outcome.text}")
        for warning in outcome.warnings:
            self._tell(f"{outcome.port}: note: {warning}")

    def _watch_console(self) -> None:
        """Until a file changes or another try is due, whether or not the board is there."""
        is_told = False
        while not self._is_over():
            device = present_name(self._port)
            try:
                if device is None:
                    raise LinkLost(f"{self._port.device} is not there")
                link = attach(device)
            except BoardError as error:
                if not is_told:
                    self._tell(f"{error}. Waiting for it, or for a file to change.")
                    is_told = True
                time.sleep(_LOOK_S)
                continue
            is_told = False
            try:
                self._show(link)
            except LinkLost:
                time.sleep(_LOOK_S)
            finally:
                link.close(resume=False)

    def _show(self, link: BoardLink) -> None:
        """The console, until a file changes."""
        lines = Lines()
        heard_at = time.monotonic()
        while not self._is_over():
            for piece in link.console(_LOOK_S):
                if piece:
                    heard_at = time.monotonic()
                self._say(lines.feed(piece))
            if time.monotonic() - heard_at > _PROMPT_S:
                self._say(lines.flush())

    def _say(self, lines: list[str]) -> None:
        for line in lines:
            self._tell(line)

    def _is_over(self) -> bool:
        """Whether there is something to deploy, or nobody who wants it."""
        if not self._changed:
            self._changed = [path.name for path in self._watch.changed()]
            if self._changed:
                more = " …" if len(self._changed) > 3 else ""
                self._tell(f"changed: {', '.join(self._changed[:3])}{more}")
        is_due = self._again_at is not None and time.monotonic() >= self._again_at
        return bool(self._changed) or is_due or self.end.is_set()


class _Sentences:
    """A screen that shows no bars: the console follows. A step is told if it is not soon over."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._begin = time.monotonic()
        self._step = ""

    def say(self, where: str, text: str) -> None:
        """A sentence about the board."""
        self._tell(f"{where}: {text}")

    def progress(self, where: str, what: str, done: int, total: int | None) -> None:
        """One file or two are sent in no time; a whole firmware is not."""
        if what != self._step and time.monotonic() - self._begin > _SOON_S:
            self._step = what
            self._tell(f"{where}: {what}")

    def count_down(self, where: str, what: str, left_s: float, total_s: float) -> None:
        """What is waited for was said."""
