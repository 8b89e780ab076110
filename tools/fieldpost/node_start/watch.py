"""What a node says as it starts, read off its console: ready, its first reading, or why not."""

import re
from dataclasses import dataclass, field
from typing import Any

from fieldpost.board.errors import LinkLost, NoAnswer
from fieldpost.board.lines import Lines
from fieldpost.board.link import BoardLink
from fieldpost.board.screen import Screen
from fieldpost.messages import payload

READY = "ready: "
# What a node says, over and over, when it can't start.
_REFUSED = "nothing started; Ctrl-C"
# A node without settings has opened its own access point, and says how to get there.
_SET_UP = "set-up: join"
_READING = "first reading: "
# A node whose first connection came before its first reading has said so of none, until 0.1.0.
_DELIVERED = re.compile(r"delivered [1-9]\d* readings")
# Why it has no broker, each time that it tries.
_HELD_UP = re.compile(r" link: (?!up, )(.+?)(?:; next try in [\d.]+ s)?$")
_LINES_MAX = 20
# As long as a reading may be.
_LINE_MAX = 4096
# For the slowest sensor: particle counters run their fan for half a minute first.
READING_S = 60.0
# A node whose broker does not answer is not waited for longer: its reading is told.
_DELIVERY_S = 15.0


@dataclass
class Start:
    """ready: the node's own line, None until it came. reading: its first, None until it came.

    set_up: how to get to the page of a node without settings. is_refused: it has no settings that
    it can work with. held_up: why it has not come to a broker, as it last said it. lines: the last
    that it said.
    """

    ready: str | None = None
    reading: dict[str, Any] | None = None
    set_up: str | None = None
    is_delivered: bool = False
    is_refused: bool = False
    held_up: str | None = None
    lines: list[str] = field(default_factory=list)

    @property
    def why(self) -> str:
        """Of a node that did not become ready."""
        return "refuses its configuration" if self.is_refused else "did not say that it is ready"

    @property
    def is_over(self) -> bool:
        """It has said that no more is to come."""
        return self.is_refused or self.set_up is not None

    def has(self, stage: str) -> bool:
        """Whether it has come to "ready", "reading" or "is_delivered"."""
        return getattr(self, stage) not in (None, False)

    def hear(self, line: str) -> None:
        """The next line that the board has said since its restart. A whole one: a part of one has
        half a number in it."""
        line = line.strip()
        if READY in line and not self.ready:
            self.ready = line
            self.set_up, self.is_refused = None, False
        if self.reading is None and _READING in line:
            try:
                self.reading = payload.read(line.partition(_READING)[2])
            except payload.Unreadable:
                self.reading = {}
        self.is_delivered = self.is_delivered or bool(_DELIVERED.search(line))
        if found := _HELD_UP.search(line):
            self.held_up = found[1]
        if not self.ready:
            if line.startswith(_SET_UP) and self.set_up is None:
                self.set_up = line.removeprefix("set-up:")
            self.is_refused = self.is_refused or _REFUSED in line
        # A board may print on and on.
        self.lines = [*self.lines, *([line] if line else [])][-_LINES_MAX:]


def restart(link: BoardLink, screen: Screen, ready_s: float) -> Start:
    """Restart the board, and see its node to its first reading and delivery. Closes the link."""
    link.restart()
    screen.progress(link.port, "waiting for the first reading", 0, None)
    node = watch(link, ready_s, reading_s=READING_S, delivery_s=_DELIVERY_S)
    link.close(resume=False)
    return node


def watch(
    link: BoardLink, ready_s: float, *, reading_s: float = 0.0, delivery_s: float = 0.0
) -> Start:
    """Read the console of a board that has just been restarted, until its node is ready; then for
    its first reading and its first delivery, if there is a limit for them."""
    node = Start()
    cut = Lines(_LINE_MAX)
    stages = (("ready", ready_s), ("reading", reading_s), ("is_delivered", delivery_s))
    try:
        for wanted, limit_s in stages:
            for piece in link.console(0 if node.has(wanted) else limit_s):
                for line in cut.feed(piece):
                    node.hear(line)
                if node.has(wanted) or node.is_over:
                    break
            if not node.has(wanted):
                break
    except (LinkLost, NoAnswer):
        pass  # What it said so far says why.
    node.lines += cut.flush()
    return node
