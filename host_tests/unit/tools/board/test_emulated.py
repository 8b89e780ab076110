"""An emulated board that waits for a node is found as one on a cable is."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from serial.tools import list_ports

from fieldpost.board import emulated, ports
from fieldpost.board.choose import the_port
from fieldpost.errors import CommandError
from fieldpost.flash import flashing


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setattr(list_ports, "comports", list)
    return tmp_path / "fieldpost"


@pytest.fixture
def console() -> Iterator[str]:
    ours, theirs = pty.openpty()
    yield os.ttyname(theirs)
    os.close(ours)
    os.close(theirs)


def test_it_is_the_board_that_is_meant_while_it_runs_and_no_longer(console: str) -> None:
    with emulated.announced(console, "Pico W"):
        assert the_port(None) == console
        assert ports.port_named(console).description == "emulated Pico W"
    with pytest.raises(CommandError, match="no board was found"):
        the_port(None)


def test_it_is_not_given_another_image_unasked(console: str) -> None:
    with emulated.announced(console, "Pico W"):
        assert flashing.targets((), every=True) == []


def test_what_a_program_left_behind_that_was_killed_is_no_board(
    console: str, folder: Path
) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    folder.mkdir()
    good = f'{{"console": "{console}", "title": "Pico W"}}'
    (folder / f"{gone.pid}.json").write_text(good)
    (folder / "notes.json").write_text(good)
    assert emulated.running() == []
    (folder / f"{os.getpid()}.json").write_text("{half of it")
    assert emulated.running() == []
    (folder / f"{os.getpid()}.json").write_text(good.replace(console, "/dev/pts/none"))
    assert emulated.running() == []
    (folder / f"{os.getpid()}.json").write_text(good)
    assert [one.console for one in emulated.running()] == [console]


def test_where_nothing_can_be_written_the_board_is_there_all_the_same(
    console: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/dev/null")
    with emulated.announced(console, "Pico W"):
        assert emulated.running() == []
