"""On the genuine image: a configuration from a file is in force, and the node says its reading."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from rigs.deploy import Quiet
from rigs.pico_w import NODE, SECRETS, Desk, board_files, configuration, image

from fieldpost.deploy.deployment import Wish, deploy
from fieldpost.emulator.emulator import Emulator
from fieldpost.mqtt.brokers import Broker
from fieldpost.paths import ROOT


def _fieldpost(*words: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "fieldpost", *words],
        env={**os.environ, "PYTHONPATH": str(ROOT / "tools")},
        capture_output=True,
        text=True,
        timeout=150,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.board
@pytest.mark.slow
def test_what_was_pulled_changed_and_pushed_is_measured_and_delivered(tmp_path: Path) -> None:
    with Broker("mosquitto") as broker, Emulator(image(), ports={1883: broker.port}) as board:
        assert deploy(board.console, Wish(start=False), Quiet()).ok
        node = tmp_path / "node"
        node.mkdir()
        (node / "config.json").write_text(json.dumps(configuration()))
        (node / "secrets.json").write_text(json.dumps(SECRETS))
        status, said = _fieldpost("config", "push", str(node), "--port", board.console)
        assert status == 0, said
        assert "first reading: " in said and "it was delivered to the broker" in said
        pulled = tmp_path / "pulled"
        status, said = _fieldpost("config", "pull", str(pulled), "--port", board.console)
        assert status == 0, said
        config = json.loads((pulled / "config.json").read_text())
        assert config == configuration()
        config["sensors"] = [{"type": "internal"}]
        (pulled / "config.json").write_text(json.dumps(config))
        words = ("config", "push", str(pulled), "--port", board.console, "--json")
        status, said = _fieldpost(*words)
        told = json.loads(said[said.index("{") : said.rindex("}") + 1])
        assert status == 0 and told["delivered"], said
        assert list(told["reading"]) == ["die_temperature"]
        assert "secrets.json" not in told["written"], "the board keeps its own"


@pytest.mark.board
@pytest.mark.slow
def test_what_is_longer_than_a_command_is_pulled_and_pushed_over_mqtt(tmp_path: Path) -> None:
    # As deep as a configuration goes: the check needs much of the board's stack.
    more = {
        "prefix": True,
        "alarms": [{"field": "temperature", "above": 30.5}],
        "calibration": [{"field": "temperature", "offset": -0.25}],
    }
    sensors = [{"type": "simulated", "name": f"place_{n}", **more} for n in range(12)]
    pulled = tmp_path / "pulled"
    with Desk(board_files(configuration(watchdog_s=8))) as desk:
        desk.console.wait_for("delivered 1 readings", 60)
        over = ("--node", NODE, "--broker", desk.broker.url)
        status, said = _fieldpost("config", "pull", str(pulled), *over)
        assert status == 0, said
        config = json.loads((pulled / "config.json").read_text())
        assert config == configuration(watchdog_s=8)
        wanted = {**config, "sensors": sensors, "board": "pico-w"}
        (pulled / "config.json").write_text(json.dumps(wanted))
        status, said = _fieldpost("config", "push", str(pulled), *over, "--json")
        told = json.loads(said[said.index("{") : said.rindex("}") + 1])
        assert status == 0 and told["verdict"] == "kept", said
        assert {f"place_{n}_temperature" for n in range(12)} <= told["reading"].keys()
        (pulled / "config.json").write_text(json.dumps({**wanted, "board": "esp32-c3"}))
        status, said = _fieldpost("config", "push", str(pulled), *over)
        assert status == 1 and "this one has RP2040" in said, said
        console = "\n".join(desk.console.lines)
        assert "MemoryError" not in console and "Traceback" not in console, console[-2000:]
        assert desk.board.stats()["resets"] == 1, "for the new configuration"
