"""What other MicroPython clients do with an account that may publish only, beside a node."""

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.parts import STAND_INS
from brokers import tap as tap_module
from brokers.accounts import WRITER
from brokers.process import RunningBroker
from brokers.tap import Tap
from brokers.witness import Witness
from fieldpost import umqtt
from fieldpost.node_process import find_micropython

READINGS = 600
_LIMIT_S = 30
_SCRIPTS = Path(__file__).with_name("clients")


@dataclass(frozen=True)
class Client:
    """A script, and the folders in which it finds what it imports."""

    title: str
    script: str
    folders: tuple[Path, ...]


def clients(mqtt_as: Path | None) -> list[Client]:
    """Those that there are. mqtt_as: a checkout of it, or the folder with its module."""
    found = [Client("umqtt.simple", "umqtt_writer.py", (umqtt.TARGET.parents[1],))]
    if mqtt_as:
        folder = mqtt_as.parent if (mqtt_as / "__init__.py").exists() else mqtt_as
        found.append(Client("mqtt_as", "mqtt_as_writer.py", (STAND_INS, folder)))
    return found


def write_only(broker: RunningBroker, client: Client) -> dict[str, Any]:
    """It has 600 readings to bring and subscribes first, as its examples do."""
    micropython = find_micropython()
    assert micropython
    with Witness(broker.port) as witness, Tap(broker.port) as tap:
        asked = {
            "host": "127.0.0.1",
            "port": tap.port,
            "user": WRITER.user,
            "password": WRITER.password,
            "readings": READINGS,
            "limit_s": _LIMIT_S,
        }
        script = str(_SCRIPTS / client.script)
        path = os.pathsep.join([*map(str, client.folders), ".frozen"])
        try:
            done = subprocess.run(
                [micropython, "-X", "heapsize=4M", script, json.dumps(asked)],
                env={**os.environ, "MICROPYPATH": path},
                cwd=broker.folder,
                capture_output=True,
                text=True,
                timeout=_LIMIT_S * 2,
            )
            lines = done.stdout.strip().splitlines() or ["{}"]
            said = json.loads(lines[-1]) if lines[-1].startswith("{") else {}
        except subprocess.TimeoutExpired:
            said = {"errors": {"hangs": 1}}
        sent = tap_module.readings(tap.passed())
        witness.wait(lambda: sent.acknowledged <= witness.arrived(), 3)
        return {
            "delivered": len(witness.arrived()),
            "taken": READINGS,
            "most_sent": max(sent.times.values(), default=0),
            "connections": tap.connections(),
            "errors": said.get("errors", {}),
        }
