"""A bare Pico W, emulated with its genuine image, becomes a fleet's node, and is watched."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from rigs.deploy import Quiet
from rigs.pico_w import SECRETS, configuration, image

from fieldpost.emulator.emulator import Emulator
from fieldpost.fleet.file import Firmware, Node
from fieldpost.fleet.fleet import Fleet
from fieldpost.mqtt.brokers import Broker
from fieldpost.paths import ROOT

WATCH = "import typer, fieldpost.monitor.command as m; typer.run(m.monitor)"


@pytest.mark.board
@pytest.mark.slow
def test_a_bare_pico_w_becomes_a_node_by_its_id_and_is_watched_without_being_stopped(
    tmp_path: Path,
) -> None:
    with Broker("mosquitto") as broker, Emulator(image(), ports={1883: broker.port}) as board:
        nobody = Node("0", "nobody", Firmware(), {}, {})
        (bare,) = Fleet([nobody], Quiet(), ports=[board.console]).plan().others
        assert bare.uid and bare.micropython and not bare.fieldpost
        node = Node(bare.uid, "pico", Firmware(), configuration(), SECRETS)
        report = Fleet([node], Quiet(), ports=[board.console]).apply()
        (result,) = report.nodes
        assert result.state == "done" and "ready: pico, boot 1" in result.text, report
        process = subprocess.Popen(
            [
                *(sys.executable, "-u", "-c", WATCH, "--port", board.console),
                *("--broker", broker.url, "--timeout", "60"),
            ],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT / "tools")},
        )
        seen = {"stored": 0, "mqtt: telemetry pico": 0, "mqtt: status pico": 0}
        assert process.stdout
        end = time.monotonic() + 60
        said = []
        for line in process.stdout:
            said.append(line)
            for wanted in seen:
                seen[wanted] += wanted in line
            if all(seen.values()) or time.monotonic() > end:
                break
        process.kill()
        process.communicate()
        assert all(seen.values()), said
