"""What other MicroPython clients do with an account that may publish only, beside a node."""

import json
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.parts import STAND_INS
from brokers import tap as tap_module
from brokers.accounts import NODE_NAMES, WRITER
from brokers.process import RunningBroker
from brokers.tap import Tap
from brokers.witness import Witness
from fieldpost import umqtt
from fieldpost.node_process import find_micropython
from fieldpost.processes import programs

READINGS = 600
_LIMIT_S = 20
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


def write_only(broker: RunningBroker, clients: list[Client]) -> dict[str, dict[str, Any]]:
    """What each comes to, by its title. They come at once: each waits most of the time."""
    with ThreadPoolExecutor(len(clients)) as pool:
        found = pool.map(lambda one: _write_only(broker, one), clients)
        return {one.title: did for one, did in zip(clients, found, strict=True)}


def _write_only(broker: RunningBroker, client: Client) -> dict[str, Any]:
    """It has 600 readings to bring and subscribes first, as its examples do."""
    name = client.script.partition("_writer")[0]
    base = f"fieldpost/{NODE_NAMES[WRITER.user]}/{name}"
    with Witness(broker.port, base=base) as witness, Tap(broker.port) as tap:
        asked = {
            "host": "127.0.0.1",
            "port": tap.port,
            "user": WRITER.user,
            "password": WRITER.password,
            "client_id": name,
            "base": base,
            "readings": READINGS,
            "limit_s": _LIMIT_S,
        }
        said = _run(broker, client, asked)
        sent = tap_module.readings(tap.passed())
        witness.wait(lambda: sent.acknowledged <= witness.arrived(), 3)
        return {
            "delivered": len(witness.arrived()),
            "taken": READINGS,
            "most_sent": max(sent.times.values(), default=0),
            "connections": tap.connections(),
            "errors": said.get("errors", {}),
        }


def _run(broker: RunningBroker, client: Client, asked: dict[str, Any]) -> dict[str, Any]:
    """What its script says at its end."""
    micropython = find_micropython()
    assert micropython
    process = subprocess.Popen(
        [micropython, "-X", "heapsize=4M", str(_SCRIPTS / client.script), json.dumps(asked)],
        env={**os.environ, "MICROPYPATH": os.pathsep.join([*map(str, client.folders), ".frozen"])},
        cwd=broker.folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    watchdog = programs.Watchdog(process)
    try:
        lines = process.communicate(timeout=_LIMIT_S * 2)[0].strip().splitlines() or ["{}"]
        return json.loads(lines[-1]) if lines[-1].startswith("{") else {}
    except subprocess.TimeoutExpired:
        return {"errors": {"hangs": 1}}
    finally:
        watchdog.close()
        process.kill()
        process.wait()
