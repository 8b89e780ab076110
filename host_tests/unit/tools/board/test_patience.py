"""A port that no board was met at is told soon, with those there are; others are waited for."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from serial.tools.list_ports_common import ListPortInfo
from typer.testing import CliRunner

from fieldpost.board import met, patience
from fieldpost.board.ports import Port, port_named
from fieldpost.cli import app


class Quiet:
    def say(self, where: str, text: str) -> None: ...
    def progress(self, where: str, what: str, done: int, total: int | None) -> None: ...
    def count_down(self, where: str, what: str, left_s: float, total_s: float) -> None: ...


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits are short, and a Pico and a modem are connected."""
    pico = ListPortInfo("/dev/ttyACM0", skip_link_detection=True)
    pico.vid, pico.pid = 0x2E8A, 0x0005
    modem = ListPortInfo("/dev/ttyUSB0", skip_link_detection=True)
    modem.vid, modem.pid, modem.product = 0x1234, 0x5678, "a modem"
    monkeypatch.setattr("serial.tools.list_ports.comports", lambda: [pico, modem])
    monkeypatch.setattr(patience, "_RESTART_S", 0.15)
    monkeypatch.setattr(patience, "WAIT_S", 2.0)


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize(
    "command",
    [
        "flash",
        "flash --no-reset",
        "deploy",
        "deploy --watch",
        "provision",
        "scan",
        "config push .",
        "config pull",
        "reset",
        "shell",
        "pull",
        "erase",
    ],
)
def test_a_mistyped_port_is_no_board_that_sleeps(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.json").write_text('{"node": "n", "mqtt": {"host": "h"}}')
    ran = CliRunner().invoke(app, [*command.split(), "--port", "ttyACM0"])
    said = " ".join(f"{ran.output} {ran.exception or ''}".split())
    assert ran.exit_code
    assert "there is no port ttyACM0." in said and "--wait SECONDS waits" in said
    assert "/dev/ttyACM0 (Raspberry Pi Pico with MicroPython), /dev/ttyUSB0 (a modem)" in said


@pytest.mark.usefixtures("soon")
def test_a_port_that_is_there_was_there_or_comes_back_is_waited_for(tmp_path: Path) -> None:
    there = tmp_path / "tty0"
    there.touch()
    assert patience.wait_s(port_named(str(there)), None, Quiet()) == 2.0
    away = Port(str(tmp_path / "tty1"), "micropython", "")
    met.remember(away)
    assert patience.wait_s(port_named(away.device), None, Quiet()) == 2.0
    restarts = tmp_path / "tty2"
    threading.Timer(0.05, restarts.touch).start()
    assert patience.wait_s(port_named(str(restarts)), None, Quiet()) == 2.0
    for asked_s in 0.0, 30.0:
        assert patience.wait_s(port_named(str(tmp_path / "tty3")), asked_s, Quiet()) == asked_s
