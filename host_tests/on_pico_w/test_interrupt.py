"""Ctrl-C while a Pico W starts its radio chip costs neither the node nor the tools the board.

MicroPython's driver of that chip lets the exception through with its lock taken: after that a
join, or a mere sleep, never returns, and a soft reset does not help: `_unbroken` in board/rp2.py.
"""

from __future__ import annotations

import time

import pytest
from rigs.pico_w import Desk, configuration, image
from rigs.pico_w import board_files as node_files

from fieldpost.board import files as board_files
from fieldpost.board.errors import NoAnswer
from fieldpost.board.link import BoardLink, open_link
from fieldpost.emulator.console import Console
from fieldpost.emulator.emulator import Emulator
from fieldpost.emulator.pico_w import SSID
from fieldpost.errors import CommandError

pytestmark = [pytest.mark.board, pytest.mark.timeout(240)]

_FOREIGN = f"""
import network, time
wlan = network.WLAN(0)
wlan.active(True)
wlan.connect("{SSID}", "eight characters")
while not wlan.isconnected():
    time.sleep_ms(50)
print("has joined")
while True:
    time.sleep_ms(50)
"""


# How soon the driver looks for Ctrl-C depends on what else this machine does.
_DELAYS_S = (0.05, 0.1, 0.15, 0.25, 0.4)
_RETURN_S = 0.5


def test_a_node_that_is_interrupted_there_stops_and_joins_when_it_is_started_again() -> None:
    with Desk(node_files(configuration())) as desk:
        at = 0
        for delay_s in _DELAYS_S[:3]:
            at = desk.console.wait_for("ready:", 30, at)
            time.sleep(delay_s)
            desk.console.interrupt()
            at = desk.console.wait_for("stopped by hand", 20, at)
            _soft_reset(desk.console, at)
        desk.console.wait_for("delivered", 60, at)


def test_a_board_that_was_interrupted_there_is_restarted_with_a_hard_reset() -> None:
    files = {"program.py": _FOREIGN.encode()}
    with Emulator(image(), files=files, real_time=True) as board, _spoilt(board) as link:
        board_files.write_file(link, "/main.py", b"import program")
        link.restart()
        said = b""
        for piece in link.console(60):
            said += piece
            if b"has joined" in said:
                break
        link.close(resume=False)
    assert b"has joined" in said


def _spoilt(board: Emulator) -> BoardLink:
    """A link to the board, on which no sleep ends any more."""
    for delay_s in _DELAYS_S * 3:
        with Console(board.console) as console:
            console.send(b"import network; network.WLAN(0).active(True)\r")
            time.sleep(delay_s)
            console.interrupt()
            time.sleep(_RETURN_S)
        link = open_link(board.console)
        try:
            link.exec("import time\ntime.sleep_ms(1)", 1)
        except NoAnswer:
            link.interrupt()
            return link
        link.close()
        board.reset()
    pytest.fail("no interrupt came while the radio chip started: nothing was tested")


def _soft_reset(console: Console, at: int) -> None:
    """Ctrl-D: the emulator loses what is typed just as the prompt appears."""
    console.wait_for("help()", 20, at)
    for _ in range(10):
        console.send(b"\x04")
        try:
            console.wait_for("soft reboot", 1, at)
        except CommandError:
            continue
        return
    pytest.fail("no soft reset: the board does not answer")
