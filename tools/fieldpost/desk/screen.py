"""What a node on the desk shows: its console as a board's, and what the broker got of it."""

import json
import queue
import sys
from dataclasses import dataclass, field
from typing import Any

from rich.text import Text

from fieldpost.terminal.console import Console
from fieldpost.terminal.safe_text import to_json


@dataclass(frozen=True)
class Line:
    """Of the node's console."""

    text: str


@dataclass(frozen=True)
class Published:
    """What came through the broker."""

    topic: str
    payload: bytes

    @property
    def is_reading(self) -> bool:
        """Whether it is one of the node's readings."""
        return self.topic.endswith("/telemetry")


@dataclass
class Screen:
    """One line for each event, in the order in which they came. as_json: readings alone go to
    standard output, one object each; all else goes to standard error."""

    as_json: bool
    events: "queue.SimpleQueue[Line | Published]" = field(default_factory=queue.SimpleQueue)

    def __post_init__(self) -> None:
        out = sys.stderr if self.as_json else sys.stdout
        self._console = Console(file=out, highlight=False, markup=False, emoji=False)

    def say(self, text: str, style: str = "") -> None:
        """A sentence of our own."""
        self._console.print(Text(text, style=style), soft_wrap=not self._console.is_terminal)

    def show(self, event: Line | Published) -> None:
        """One event."""
        if isinstance(event, Line):
            self._console.print(Text(event.text), soft_wrap=True)
        elif not self.as_json:
            text = event.payload.decode(errors="replace")
            line = Text.assemble((event.topic, "cyan"), " ", (text, "bold"))
            self._console.print(line, soft_wrap=True)
        elif event.is_reading:
            print(to_json(_as_json(event)), flush=True)


def _as_json(event: Published) -> dict[str, Any]:
    try:
        payload = json.loads(event.payload)
    except ValueError:
        payload = event.payload.decode(errors="replace")
    return {"topic": event.topic, "payload": payload}
