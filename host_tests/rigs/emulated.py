"""An emulated board on the bench: its files, its console, and a broker that keeps the account."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import pytest
from rigs.mosquitto import need_mosquitto
from rigs.port import micropython

from fieldpost.board.link import BoardLink
from fieldpost.deploy.build import for_emulator
from fieldpost.deploy.compile import compile_module
from fieldpost.emulator.console import Console
from fieldpost.emulator.emulator import GATEWAY, Emulator
from fieldpost.emulator.engine import Engine
from fieldpost.errors import CommandError
from fieldpost.messages.account import Account, Key
from fieldpost.mqtt import url as mqtt_url
from fieldpost.mqtt.brokers import Broker
from fieldpost.mqtt.client import Connection

SCRIPTS = Path(__file__).resolve().parents[1] / "board"
PORT = 1883
_MEASURE_S = 60.0
_SUBSCRIBER = "test-subscriber"


def image(engine: Engine, version: str | None = None) -> Path:
    """The genuine image; skips, with the reason, where a part is missing."""
    try:
        engine.require()
        found = engine.find_image(version)
    except CommandError as missing:
        pytest.skip(str(missing))
    micropython()  # It makes the file system; else this skips.
    return found


def configuration(node: str, **changes: Any) -> dict[str, Any]:
    """A node that samples each second and publishes to the gateway."""
    return {
        "node": node,
        "boot_window_s": 0,
        "mqtt": {"host": GATEWAY, "port": PORT, "timeout_s": 5},
        "sample_s": 1,
        "ntp": {"host": None},
        "retry": {"base_s": 1, "cap_s": 1},
        "sensors": [{"type": "simulated", "period_s": 120}],
        **changes,
    }


def secrets(engine: Engine) -> dict[str, Any]:
    """The network that is there."""
    return {"wifi": [{"ssid": engine.ssid, "password": engine.password}]}


def board_files(engine: Engine, config: dict[str, Any], **scripts: str) -> dict[str, bytes]:
    """The firmware and a configuration. scripts: name on the board -> file of host_tests/board."""
    files = dict(for_emulator(engine.platform).files)
    for name, script in scripts.items():
        if name == "main":
            files["main.py"] = (SCRIPTS / script).read_bytes()
        else:
            files[name + ".mpy"] = compile_module(SCRIPTS / script, script)
    files["config.json"] = json.dumps(config).encode()
    files["secrets.json"] = json.dumps(secrets(engine)).encode()
    return files


def measure(link: BoardLink, call: str, script: str = "measure") -> dict[str, Any]:
    """What a function of a script on the board printed: stage -> {free, block}, and the like."""
    link.soft_reset()
    plain = int(link.exec("import gc\ngc.collect()\nprint(gc.mem_free())"))
    said = link.exec(f"import {script}\n{script}.{call}", _MEASURE_S).decode()
    found: dict[str, Any] = {"plain": {"free": plain}}
    for line in said.splitlines():
        value = json.loads(line)
        key = value.pop("stage", None) or value.pop("module", None)
        found.update({key: value} if key else value)
    print(call, json.dumps(found))
    return found


class Bench:
    """A board that runs its main.py, and a subscriber whose session outlasts the broker."""

    def __init__(self, board: Emulator, node: str) -> None:
        need_mosquitto("amqtt keeps no session when it is killed")
        self.account = Account()
        self.status: list[str] = []
        self.health: dict[str, Any] = {}
        self.updates: list[str] = []  # states of what it tells of updates
        self._base = f"fieldpost/{node}"
        self.broker = Broker("mosquitto", subscriber=(_SUBSCRIBER, f"{self._base}/#"))
        self.board = board
        self._subscriber: Connection | None = None
        self._console: Console | None = None

    def __enter__(self) -> Self:
        self.broker.__enter__()
        self._subscriber = Connection(
            mqtt_url.parse(self.broker.url),
            client_id=_SUBSCRIBER,
            clean=False,
            retry_s=0.2,
            on_message=lambda message: self._arrived(message.topic, bytes(message.payload)),
        )
        self._subscriber.open()
        self._subscriber.subscribe(f"{self._base}/#", 1)
        self.board.__enter__()
        self.board.set_network(ports={PORT: self.broker.port})
        self._console = Console(self.board.console)
        self._console.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        if self._console:
            self._console.__exit__(None, None, None)
        self.board.close()
        if self._subscriber:
            self._subscriber.close()
        self.broker.close()

    @property
    def console(self) -> Console:
        assert self._console
        return self._console

    def taken(self) -> list[Key]:
        """(boot, seq) of every reading that the node said it had stored, in order."""
        found, boot = [], 0
        for line in list(self.console.lines):
            if ", boot " in line:
                boot = int(line.rpartition(" ")[2])
            elif " sample " in line and " stored" in line:
                found.append((boot, int(line.partition(" sample ")[2].split()[0])))
        return found

    def wait(self, reached: Callable[[], bool], limit_s: float, what: str) -> None:
        """Until it is so, or the test fails with the console's last lines."""
        end = time.monotonic() + limit_s
        while not reached():
            if time.monotonic() > end:
                last = "\n".join(self.console.lines[-25:])
                pytest.fail(f"not within {limit_s:g} s: {what}. Console:\n{last}")
            time.sleep(0.05)

    def _arrived(self, topic: str, payload: bytes) -> None:
        if topic == f"{self._base}/telemetry":
            self.account.deliver(json.loads(payload))
        elif topic == f"{self._base}/status":
            self.status.append(json.loads(payload)["state"])
        elif topic == f"{self._base}/health":
            self.health = json.loads(payload)
        elif topic == f"{self._base}/update":
            self.updates.append(json.loads(payload)["state"])
