"""How a monitor looks. Lines that scroll, never a full screen: so they can be searched and copied.

In a terminal from `WIDE` columns on, console and MQTT stand side by side, each event on lines of
its own, in order. In a narrower one they are interleaved, MQTT with a mark. Without a terminal:
the same lines without colour.
"""

import re
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import TextIO

from rich.text import Text

from fieldpost.errors import NotWritten
from fieldpost.monitor.events import Event
from fieldpost.monitor.messages import Short, shorten
from fieldpost.terminal.console import Console
from fieldpost.terminal.safe_text import neutral, to_json

WIDE = 120
# Console lines are the longer ones: tracebacks and paths.
_CONSOLE_SHARE = 0.5
_TIME = "%H:%M:%S "
_MARK = "◀ "
_PLAIN_MARK = "mqtt: "
_TRACEBACK = "Traceback (most recent call last):"
_FRAME = re.compile(r'^(\s+File ")(.+?)(", line )(\d+)(.*)$')
_LOGGED = re.compile(r"^ *\d+\.\d ")


class Painter:
    """Colours console lines; it knows from one line to the next whether a traceback goes on."""

    def __init__(self) -> None:
        self._in_traceback = False

    def paint(self, line: str) -> Text:
        """The line with its colours, neutralised."""
        line = neutral(line)
        if line.endswith(_TRACEBACK):
            self._in_traceback = True
            return Text(line, "bold red")
        if self._in_traceback:
            if found := _FRAME.match(line):
                styles = ("red", "bold", "red", "bold", "red")
                return Text.assemble(*zip(found.groups(), styles, strict=True))
            # The first line that is not indented is the exception, and the last.
            self._in_traceback = line.startswith(" ") and not _LOGGED.match(line)
            return Text(line, "red" if self._in_traceback else "bold red")
        text = Text(line)
        if found := _LOGGED.match(line):
            text.stylize("dim", 0, found.end())
            said = line[found.end() :]
            if said.startswith("ready: "):
                text.stylize("bold green", found.end())
            elif said.startswith(("configuration:", "safe mode")):
                text.stylize("bold red", found.end())
        return text


class Screen:
    """Shows events on `file`, as `width` allows (None: as the terminal's, and it may change)."""

    def __init__(
        self, base: str, node: str | None, file: TextIO | None = None, width: int | None = None
    ) -> None:
        self._console = Console(file=file or sys.stdout, highlight=False, width=width)
        self._base = base
        self._node = node
        self._painter = Painter()

    def show(self, event: Event) -> None:
        """Print it."""
        if not self._console.is_terminal:
            mark = {"console": "", "mqtt": _PLAIN_MARK, "notice": "-- "}[event.source]
            for line in self._lines(event):
                self._console.print(Text(mark) + Text(line.plain), soft_wrap=True)
        elif self._console.width >= WIDE:
            self._show_wide(event)
        else:
            mark = {"console": "", "mqtt": _MARK, "notice": "── "}[event.source]
            style = {"mqtt": "magenta", "notice": "dim"}.get(event.source, "")
            for line in self._lines(event):
                self._print_cell(Text(), Text(mark, style), line, self._console.width)

    def _show_wide(self, event: Event) -> None:
        clock = Text(time.strftime(_TIME, time.localtime(event.at)), "dim")
        left = int((self._console.width - len(clock)) * _CONSOLE_SHARE)
        gap = Text()
        width = left - 1
        if event.source == "mqtt":
            gap = Text(" " * left)
            width = self._console.width - len(clock) - left
        elif event.source == "notice":
            width = self._console.width - len(clock)
        mark = {"console": "", "mqtt": _MARK, "notice": "── "}[event.source]
        style = {"mqtt": "magenta", "notice": "dim"}.get(event.source, "")
        for line in self._lines(event):
            self._print_cell(clock + gap, Text(mark, style), line, width)
            clock = Text(" " * len(clock))

    def _print_cell(self, before: Text, mark: Text, text: Text, width: int) -> None:
        """`text` in so many columns, what is too long for them indented below it."""
        for part in text.wrap(self._console, max(width - len(mark), 10)) or [Text()]:
            part.rstrip()
            self._console.print(before + mark + part, soft_wrap=True)
            before = Text(" " * len(before))
            mark = Text(" " * len(mark))

    def _lines(self, event: Event) -> list[Text]:
        if event.source == "console":
            return [self._painter.paint(event.text)]
        if event.source == "notice":
            return [Text(neutral(event.text), "yellow")]
        short = shorten(event, self._base)
        return [self._headline(short, event.retained)] + [
            Text("  " + neutral(line), "red") for line in short.below
        ]

    def _headline(self, short: Short, retained: bool) -> Text:
        text = Text(f"{neutral(short.kind)} ", "bold")
        if short.node != self._node:
            text.append(f"{neutral(short.node)} ", "not bold cyan")
        if retained:
            # It may be old: the broker kept it.
            text.append("(kept) ", "not bold dim")
        text.append(neutral(short.text), f"not bold {short.style}".strip())
        return text


class JsonLines:
    """One object a line: at (Unix seconds), source, text, and of MQTT topic and retained."""

    def show(self, event: Event) -> None:
        """Print it."""
        told = asdict(event)
        if event.source != "mqtt":
            del told["topic"], told["retained"]
        sys.stdout.write(to_json(told) + "\n")
        sys.stdout.flush()


class LogFile:
    """Appends each event, whole, with the local time to the millisecond."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file = path.open("a", encoding="utf-8", buffering=1)
        except OSError as error:
            raise NotWritten(f"cannot write the log {path}: {error.strerror}") from None

    def write(self, event: Event) -> None:
        """Raises OSError, as on a full disk."""
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(event.at))
        what = event.topic + (" (retained)" if event.retained else "") if event.topic else ""
        words = [f"{stamp}.{int(event.at % 1 * 1000):03}", f"{event.source:7}", what, event.text]
        self._file.write(neutral(" ".join(word for word in words if word)) + "\n")

    def close(self) -> None:
        """What was written stays."""
        try:
            self._file.close()
        except OSError:
            pass  # The disk is full: it was said when it happened.
