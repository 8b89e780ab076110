"""The README's first board on an emulated Pico W: from nothing to its sensor's reading."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from rigs import first_board
from rigs.pico_w import image

from fieldpost.emulator.pico_w import PICO_W
from fieldpost.mqtt.brokers import Broker

pytestmark = [pytest.mark.board, pytest.mark.slow, pytest.mark.timeout(240)]


@contextmanager
def _emulated(broker: Broker, environment: dict[str, str]) -> Iterator[list[str]]:
    """What the command says that runs a bare board with a BME280."""
    words = ("emulate", "--bare", "--device", "bme280", "--set", "temperature=19.5")
    process = subprocess.Popen(
        [*first_board.COMMAND, *words, "--image", str(image()), "--broker", broker.url],
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
    try:
        yield said
    finally:
        process.terminate()
        process.communicate(timeout=20)
    assert process.returncode == 0


def test_the_first_board_of_the_readme_measures_what_its_bme280_was_told(tmp_path: Path) -> None:
    environment = first_board.environment(tmp_path)
    with Broker("mosquitto") as broker, _emulated(broker, environment) as said:
        assert "Wired to it: bme280 at 0x76, SCL 5, SDA 4\n" in said
        first_board.walk(PICO_W, broker, environment, tmp_path)
