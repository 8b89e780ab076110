"""The README's first board, on one that is emulated: from nothing to its sensor's reading."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from rigs.pico_w import image

from fieldpost.emulator.addresses import GATEWAY
from fieldpost.emulator.pico_w import SSID
from fieldpost.mqtt.brokers import Broker
from fieldpost.mqtt.client import Connection
from fieldpost.mqtt.url import parse
from fieldpost.paths import ROOT

pytestmark = [pytest.mark.board, pytest.mark.slow]

_COMMAND = (sys.executable, "-m", "fieldpost")


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """With the boards of this test alone."""
    return {
        **os.environ,
        "PYTHONPATH": str(ROOT / "tools"),
        "PYTHONUNBUFFERED": "1",
        "XDG_RUNTIME_DIR": str(tmp_path / "running"),
    }


@pytest.fixture
def broker() -> Iterator[Broker]:
    with Broker("mosquitto") as one:
        yield one


@pytest.fixture
def emulated(environment: dict[str, str], broker: Broker) -> Iterator[list[str]]:
    """What the command says that runs a bare board with a BME280."""
    words = ("emulate", "--bare", "--device", "bme280", "--set", "temperature=19.5")
    process = subprocess.Popen(
        [*_COMMAND, *words, "--image", str(image()), "--broker", broker.url],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    said: list[str] = []
    limit = threading.Timer(60, process.kill)
    limit.start()
    for line in process.stdout:
        said.append(line)
        if line.startswith("Its broker"):
            break
    limit.cancel()
    yield said
    process.terminate()
    process.communicate(timeout=20)
    assert process.returncode == 0


@pytest.mark.timeout(240)
def test_the_first_board_of_the_readme_measures_what_its_bme280_was_told(
    emulated: list[str], environment: dict[str, str], broker: Broker, tmp_path: Path
) -> None:
    def fieldpost(*words: str) -> str:
        done = subprocess.run(
            [*_COMMAND, *words],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=100,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    assert "Wired to it: bme280 at 0x76, SCL 5, SDA 4\n" in emulated
    (board,) = json.loads(fieldpost("boards", "--json"))["boards"]
    assert board["chip"] == "RP2040" and board["usb"] == "emulated Pico W"
    (tmp_path / "answers.toml").write_text(
        f'ssid = "{SSID}"\npassword = "eight characters"\nnode = "my-node"\n'
        f'broker = "mqtt://{GATEWAY}:1883"\n'
    )
    readings: list[dict[str, object]] = []
    subscriber = Connection(
        parse(broker.url), on_message=lambda message: readings.append(json.loads(message.payload))
    )
    subscriber.open()
    subscriber.subscribe("fieldpost/my-node/telemetry", 1)
    fieldpost("provision", "--from", "answers.toml")
    assert "The node is ready: my-node" in fieldpost("deploy")
    _wait_for(readings)  # A busy machine takes its time with the start of the radio.
    fieldpost("config", "pull", "my-node")
    assert "0x76  BME280" in fieldpost("scan", "--save", "my-node/config.json")
    said = fieldpost("config", "push", "my-node")
    subscriber.close()
    assert "first reading: temperature 19.5" in said and "was delivered" in said
    assert readings[-1]["temperature"] == 19.5


def _wait_for(readings: list[dict[str, object]]) -> None:
    end = time.monotonic() + 60
    while not readings:
        assert time.monotonic() < end, "no reading of the node as it was deployed"
        time.sleep(0.1)
