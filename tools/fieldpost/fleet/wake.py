"""Boards of a fleet that say nothing: asleep, or without MicroPython."""

import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from fieldpost.board import find as boards
from fieldpost.board import screen as board_screen
from fieldpost.board.errors import BoardError
from fieldpost.board.find import Board
from fieldpost.board.ports import port_named
from fieldpost.board.wake import ask_at_wake
from fieldpost.errors import Cancelled, CommandError, NotWritten
from fieldpost.flash import esp

ASK_S = 5.0


class Screen(board_screen.OwnScreen, Protocol):
    """Where the state of affairs is shown; `where` is the name of a node, or of the fleet."""


class NodeLog:
    """A `Screen` for one board: everything into the node's log, the steps onto the screen too.

    ended: set when no more is to be waited for.
    """

    def __init__(
        self, node: str, screen: Screen, folder: Path | None, ended: threading.Event
    ) -> None:
        self.path: Path | None = None
        self._node = node
        self._screen = screen
        self._ended = ended
        self._step = ""
        if folder:
            try:
                folder.mkdir(parents=True, exist_ok=True)
                self.path = folder / f"{node}.log"
                self._write(f"--- {time.strftime('%Y-%m-%d %H:%M:%S')}")
            except OSError as error:
                raise NotWritten(f"cannot write to {folder}: {error.strerror}") from None

    def say(self, where: str, text: str) -> None:
        """Into the log alone."""
        self._write(text)

    def progress(self, where: str, what: str, done: int, total: int | None) -> None:
        """Each step once into the log."""
        self._log_step(what)
        self._screen.progress(self._node, what, done, total)

    def count_down(self, where: str, what: str, left_s: float, total_s: float) -> None:
        """As `progress`: how long is left is of no interest in a log. Raises Cancelled."""
        if self._ended.is_set():
            raise Cancelled("it was not waited for any longer")
        self._log_step(what)
        self._screen.count_down(self._node, what, left_s, total_s)

    def _log_step(self, what: str) -> None:
        if what != self._step:
            self._step = what
            self._write(what)

    def _write(self, text: str) -> None:
        if self.path:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(f"{time.strftime('%H:%M:%S')} {text}\n")


def may_sleep(board: Board) -> bool:
    """Whether it says nothing and could not be reset: that would have told its number."""
    return board.state == "silent" and not board.uid


def reset(board: Board, is_named: bool, screen: Screen) -> Board | None:
    """What says nothing and may be an ESP32, after a reset: asleep, it can then be asked; without
    MicroPython, its ROM at least tells its MAC. None: it can't be reset."""
    port = port_named(board.port)
    if board.state not in ("silent", "bootloader") or not (
        is_named or port.kind in ("espressif", "bridge")
    ):
        return None
    screen.progress("fleet", f"asking the chip on {board.port}", 0, None)
    try:
        mac = esp.identify(board.port).mac
    except CommandError:
        return None  # it is no ESP32
    again = boards.ask(port, ASK_S)
    return again if again.uid else replace(again, uid=mac)


def awaited(board: Board, screen: Screen, wait_s: float | None, ended: threading.Event) -> Board:
    """What is on a port that is away or silent, at its next wake; as it was, if none comes."""
    if board.state != "silent" and board.code != "board_port":
        return board
    try:
        return ask_at_wake(board.port, NodeLog(board.port, screen, None, ended), wait_s)
    except BoardError:
        return board
    finally:
        screen.finished(board.port)
