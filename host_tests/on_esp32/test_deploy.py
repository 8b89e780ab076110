"""From a bare ESP32-C3 with a genuine image to readings in Mosquitto, by a user's own commands."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from rigs.esp32_c3 import NODE, PORT, afresh, configuration, machine, told_apart

from fieldpost.board import files as board_files
from fieldpost.board.link import open_link
from fieldpost.emulator.console import Console
from fieldpost.emulator.emulator import GATEWAY
from fieldpost.emulator.esp32_c3 import ESP32_C3
from fieldpost.mqtt.brokers import Broker
from fieldpost.mqtt.client import Connection
from fieldpost.mqtt.url import parse
from fieldpost.paths import ROOT
from fieldpost.wired import devices
from fieldpost.wired.plan import plan

pytestmark = pytest.mark.timeout(400)

_COMMAND_S = 150


def _fieldpost(*words: str) -> dict[str, object]:
    """The object that a command prints; the test fails with what it said unless it worked."""
    done = subprocess.run(
        [sys.executable, "-m", "fieldpost", *words, "--json"],
        env={**os.environ, "PYTHONPATH": str(ROOT / "tools")},
        capture_output=True,
        text=True,
        timeout=_COMMAND_S,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


@afresh
def test_provision_and_deploy_bring_readings_to_mosquitto(genuine: Path, tmp_path: Path) -> None:
    answers = tmp_path / "answers.toml"
    answers.write_text(
        f'ssid = "{ESP32_C3.ssid}"\npassword = ""\nnode = "{NODE}"\n'
        f'broker = "mqtt://{GATEWAY}:{PORT}"\n'
    )
    readings: list[bytes] = []
    sensors = plan(devices.parse(["bme280"]), 1)
    with (
        Broker("mosquitto") as broker,
        machine(genuine, ports={PORT: broker.port}, wired=sensors) as board,
    ):
        client = Connection(parse(broker.url), on_message=lambda m: readings.append(m.payload))
        client.open()
        client.subscribe(f"fieldpost/{NODE}/telemetry", 1)
        try:
            with told_apart(board):
                with open_link(board.console, 20) as link:
                    # What is no answer to a question is kept: what makes a node quick to test.
                    quick = {k: v for k, v in configuration().items() if k not in ("node", "mqtt")}
                    board_files.write_file(link, "/config.json", json.dumps(quick).encode())
                _fieldpost("provision", "--from", str(answers), "--port", board.console)
                start = time.monotonic()
                _fieldpost("deploy", "--port", board.console)
                print(f"deploy {time.monotonic() - start:.1f} s")
                end = time.monotonic() + 60
                while not readings:
                    assert time.monotonic() < end, "no reading came to the broker"
                    time.sleep(0.1)
                start = time.monotonic()
                (told,) = _fieldpost("deploy", "--port", board.console)["boards"]  # type: ignore[misc]
                print(f"nothing to deploy {time.monotonic() - start:.1f} s")
                assert not told["sent"] and not told["removed"], told
                assert "/machine.mpy" in board.read_files(), "it is the emulator's, and stays"
        finally:
            client.close()
    assert json.loads(readings[0])["boot"] >= 1


@afresh
def test_mpremote_works_on_its_console(genuine: Path, tmp_path: Path) -> None:
    data = bytes(range(256)) * 40
    (tmp_path / "note.bin").write_bytes(data)
    with machine(genuine, {}) as board, told_apart(board):
        # A Ctrl-C before the image has begun ends in a panic of 1.27, and mpremote has no limit.
        with Console(board.console) as console:
            console.wait_for("MicroPython", 20)
        mpremote = [sys.executable, "-m", "mpremote", "connect", board.console]
        copy = [*mpremote, "fs", "cp", str(tmp_path / "note.bin"), ":note.bin"]
        subprocess.run(copy, check=True, capture_output=True, timeout=60)
        said = subprocess.run(
            [*mpremote, "exec", "import sys, gc; print(sys.platform, gc.mem_free())"],
            check=True,
            capture_output=True,
            text=True,
            timeout=30,
        ).stdout
        assert said.split()[0] == "esp32" and int(said.split()[1]) > 100_000
        assert board.read_files()["/note.bin"] == data
