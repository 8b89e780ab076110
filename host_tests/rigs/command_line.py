"""`fieldpost WORDS…` as a user runs it, within this process: its status, and all that it wrote."""

import functools
import io
import os
import re
import shutil
import sys
import threading
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest import mock

from typer.main import get_command

from fieldpost import cli, start

# What a terminal of its own type would be sent; with TERM=dumb nothing of ours is.
ENVIRONMENT = {"TERM": "dumb", "NO_COLOR": "1"}
_APP = cli.app
_BAD = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_MESSAGE = re.compile(r"[A-Za-z]{3}")


class _Stream(io.TextIOWrapper):
    """Keeps what is written; `is_terminal` is what it says of itself. on_write: called then."""

    def __init__(
        self, is_terminal: bool, encoding: str, on_write: Callable[[], object] | None = None
    ) -> None:
        super().__init__(io.BytesIO(), encoding=encoding, newline="\n", write_through=True)
        self._is_terminal = is_terminal
        self._on_write = on_write

    def write(self, text: str) -> int:
        count = super().write(text)
        if self._on_write:
            self._on_write()
        return count

    def isatty(self) -> bool:
        return self._is_terminal

    def written(self) -> str:
        self.flush()
        kept: Any = self.buffer
        return kept.getvalue().decode(self.encoding)


@dataclass(frozen=True)
class Ran:
    """words: the command. status: its exit status. out, err: what it wrote. thrown: exceptions
    that it did not catch, in whichever thread."""

    words: tuple[str, ...]
    status: int
    out: str
    err: str
    thrown: tuple[BaseException, ...] = ()

    def check(self) -> None:
        """It gave a result, or an error in words with a status; and nothing drives a terminal."""
        assert not self.thrown, (self.words, self.thrown)
        said = self.out + self.err
        assert "Traceback" not in self.err, (self.words, said)
        assert not (found := _BAD.search(said)), (self.words, said[max(0, found.start() - 40) :])
        for one in said:
            # Bidirectional marks turn what stands on the screen around.
            assert one.isascii() or unicodedata.category(one) != "Cf", (self.words, hex(ord(one)))
        if self.status:
            assert _MESSAGE.search(said), (self.words, self.status, said)


@functools.cache
def _made_once(columns: int) -> Any:
    """The command line as a start makes it, which takes ten times as long as most commands. It is
    made to the width."""
    return get_command(_APP)


@contextmanager
def _the_made_one() -> Iterator[None]:
    """Unless a test has put another in its place."""
    if cli.app is not _APP:
        yield
        return
    with mock.patch.object(cli, "app", _made_once(shutil.get_terminal_size().columns)):
        yield


@contextmanager
def _no_input() -> Iterator[None]:
    """As an interpreter is that was started so; of this process, which cannot be without for long,
    the descriptor comes back."""
    kept = os.dup(0)
    os.close(0)
    try:
        with mock.patch.object(sys, "stdin", None):
            yield
    finally:
        os.dup2(kept, 0)
        os.close(kept)


def fieldpost(
    *words: str,
    environment: dict[str, str] | None = None,
    is_terminal: bool = True,
    encoding: str = "utf-8",
    on_out: Callable[[], object] | None = None,
    has_input: bool = True,
) -> Ran:
    """Run it with standard input at its end; without `has_input` there is none, as after `<&-`.
    on_out: called when it writes to standard output."""
    out, err = _Stream(is_terminal, encoding, on_out), _Stream(is_terminal, encoding)
    thrown: list[BaseException] = []
    status: object = 0

    def note(what: threading.ExceptHookArgs) -> None:
        if what.exc_value:
            thrown.append(what.exc_value)

    with (
        mock.patch.object(sys, "argv", ["fieldpost", *words]),
        mock.patch.object(sys, "stdin", io.TextIOWrapper(io.BytesIO()))
        if has_input
        else _no_input(),
        mock.patch.object(sys, "stdout", out),
        mock.patch.object(sys, "stderr", err),
        mock.patch.object(threading, "excepthook", note),
        mock.patch.dict("os.environ", {**ENVIRONMENT, **(environment or {})}),
        _the_made_one(),
    ):
        try:
            start.main()
        except SystemExit as ended:
            status = 0 if ended.code is None else ended.code
        except BaseException as error:
            thrown.append(error)
            status = 1
    assert isinstance(status, int), status
    return Ran(words, status, out.written(), err.written(), tuple(thrown))
