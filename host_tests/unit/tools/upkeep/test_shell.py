"""`fieldpost shell` finds a board whose port is away while it sleeps."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rigs.port import micropython

from fakes.raw_repl import RawReplBoard
from fieldpost.board.errors import PortUnavailable
from fieldpost.board.link import open_link
from fieldpost.upkeep import command

_NODE = """
import time
with open("/starts", "a") as f:
    f.write("x")
while True:
    time.sleep_ms(10)
"""


@pytest.fixture
def board(tmp_path: Path) -> Iterator[RawReplBoard]:
    folder = tmp_path / "board"
    folder.mkdir()
    (folder / "main.py").write_text(_NODE)
    made = RawReplBoard(folder, tmp_path / "tty", micropython(), deaf_s=1.0)
    yield made
    made.unplug()


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What is started in mpremote's place."""
    found: list[list[str]] = []

    def run(words: list[str], **_: Any) -> subprocess.CompletedProcess[bytes]:
        found.append(words)
        return subprocess.CompletedProcess(words, 0)

    monkeypatch.setattr(command.subprocess, "run", run)
    return found


def shell(port: str, wait_s: float) -> None:
    with pytest.raises(command.typer.Exit) as ended:
        command.shell(port, wait_s)
    assert ended.value.exit_code == 0


@pytest.mark.slow
def test_a_board_that_wakes_is_stopped_and_its_repl_opened(
    board: RawReplBoard, opened: list[list[str]]
) -> None:
    threading.Timer(1.0, board.plug_in).start()
    shell(board.port, 30)
    assert opened[0][-3:] == ["connect", board.port, "repl"]
    time.sleep(0.5)
    assert (board.folder / "starts").read_text() == "x", "it must not run on, and sleep again"
    with open_link(board.port) as link:
        assert link.eval("6 * 7") == 42 and not link.was_running


@pytest.mark.slow
def test_a_board_that_is_there_is_opened_as_it_is(
    board: RawReplBoard, opened: list[list[str]]
) -> None:
    board.plug_in()
    shell(board.port, 30)
    assert len(opened) == 1
    with open_link(board.port) as link:
        assert link.was_running, "nobody has stopped it"


def test_without_a_wait_a_port_that_is_away_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(PortUnavailable, match="there is no port"):
        command.shell(str(tmp_path / "tty9"), 0)
