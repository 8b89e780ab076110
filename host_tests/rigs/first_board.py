"""The README's first board, on one that is emulated: from nothing to its sensor's reading."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from fieldpost.emulator.addresses import GATEWAY
from fieldpost.emulator.engine import Engine
from fieldpost.mqtt.brokers import Broker
from fieldpost.mqtt.client import Connection
from fieldpost.mqtt.url import parse
from fieldpost.paths import ROOT

COMMAND = (sys.executable, "-m", "fieldpost")
PORT = 1883
_NODE = "my-node"


def environment(folder: Path) -> dict[str, str]:
    """For the commands: with the boards of this test alone."""
    return {
        **os.environ,
        "PYTHONPATH": str(ROOT / "tools"),
        "PYTHONUNBUFFERED": "1",
        "XDG_RUNTIME_DIR": str(folder / "running"),
    }


def walk(engine: Engine, broker: Broker, environment: dict[str, str], folder: Path) -> None:
    """With such a board that runs, announced in `environment`, and has a BME280 that measures
    19.5: every step of the README but `flash`, typed in `folder`. Fails at one that does."""

    def fieldpost(*words: str) -> str:
        done = subprocess.run(
            [*COMMAND, *words],
            env=environment,
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=150,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    (board,) = json.loads(fieldpost("boards", "--json"))["boards"]
    assert board["usb"] == f"emulated {engine.title}"
    (folder / "answers.toml").write_text(
        f'ssid = "{engine.ssid}"\npassword = "{engine.password}"\nnode = "{_NODE}"\n'
        f'broker = "mqtt://{GATEWAY}:{PORT}"\n'
    )
    readings: list[dict[str, object]] = []
    subscriber = Connection(
        parse(broker.url), on_message=lambda message: readings.append(json.loads(message.payload))
    )
    subscriber.open()
    subscriber.subscribe(f"fieldpost/{_NODE}/telemetry", 1)
    fieldpost("provision", "--from", "answers.toml")
    assert f"The node is ready: {_NODE}" in fieldpost("deploy")
    _wait_for(readings)  # A busy machine takes its time with the start of the radio.
    fieldpost("config", "pull", _NODE)
    assert "0x76  BME280" in fieldpost("scan", "--save", f"{_NODE}/config.json")
    said = fieldpost("config", "push", _NODE)
    subscriber.close()
    assert "first reading: temperature 19.5" in said and "was delivered" in said
    assert readings[-1]["temperature"] == 19.5


def _wait_for(readings: list[dict[str, object]]) -> None:
    end = time.monotonic() + 60
    while not readings:
        assert time.monotonic() < end, "no reading of the node as it was deployed"
        time.sleep(0.1)
