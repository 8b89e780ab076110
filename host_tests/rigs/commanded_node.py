"""A node in MicroPython that is told things: started again when it asks to, and heard."""

from __future__ import annotations

import json
import queue
import subprocess
import threading
from pathlib import Path
from typing import Any

from paho.mqtt.client import MQTTMessage
from rigs.port import micropython, port_environment

from fieldpost.messages.cmd import send
from fieldpost.mqtt import brokers
from fieldpost.mqtt import url as mqtt_url
from fieldpost.mqtt.client import Connection
from fieldpost.node_process import send_ctrl_c

SECRETS = {"wifi": [{"ssid": "home", "password": "correct horse"}], "mqtt": {}}
RESTART = 3  # exit status with which the unix board asks to be started again
# A trial of two seconds instead of five minutes; nothing else differs.
RUN = """
from firmware.config import change
change.Trial.LIMIT_MS = 2000
from firmware.app import run
run()
"""


class Node:
    """A node in MicroPython, started again as a board would be when it asks to restart.

    `blinks`: how often its LED has come on. `lines`: what its console has said.
    """

    def __init__(self, folder: Path, name: str, broker: brokers.Broker, **keys: Any) -> None:
        self.folder, self.name, self.url = folder, name, broker.url
        found: dict[str, Any] = {
            "node": name,
            "commands": "all",
            "boot_window_s": 0,
            "mqtt": {"host": "127.0.0.1", "port": broker.port},
            "ntp": {"host": None},
            "retry": {"base_s": 1, "cap_s": 1},
            "sample_s": 1,
            "sensors": [{"type": "simulated"}],
            **keys,
        }
        (folder / "config.json").write_text(json.dumps(found))
        (folder / "secrets.json").write_text(json.dumps(SECRETS))
        self._process: subprocess.Popen[str] | None = None
        self._up = threading.Event()
        self.blinks = 0
        self.lines: list[str] = []

    def config(self) -> dict[str, Any]:
        return json.loads((self.folder / "config.json").read_text())

    def start(self, connects: bool = True) -> None:
        """Start, and wait for its session: what it subscribes to went ahead of that."""
        self._up.clear()
        self._process = subprocess.Popen(
            [micropython(), "-X", "heapsize=384K", "-c", RUN],
            cwd=self.folder,
            env={**port_environment(), "FIELDPOST_UNIX_LED": "1"},
            stdout=subprocess.PIPE,
            text=True,
        )
        threading.Thread(target=self._read, args=(self._process,), daemon=True).start()
        assert not connects or self._up.wait(20)

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout
        for line in process.stdout:
            self.lines.append(line.rstrip("\n"))
            if "link: up" in line or "delivered" in line:
                self._up.set()
            self.blinks += line == "LED on\n"

    def wait_for_restart(self, timeout_s: float = 20, connects: bool = True) -> None:
        assert self._process
        assert self._process.wait(timeout_s) == RESTART
        self.start(connects)

    def tell(self, do: str, **arguments: Any) -> dict[str, Any]:
        return send(self.name, do, arguments, broker=self.url, timeout_s=15)

    def interrupt(self) -> None:
        """Ctrl-C at its console: it says goodbye."""
        assert self._process
        send_ctrl_c(self._process)
        self._process.wait(10)

    def close(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()


class Results:
    """Answers as they come, from the moment of entering `with`, and nothing else: amqtt also hands
    a new client what is retained for the subscriptions of others."""

    def __init__(self, name: str, broker: brokers.Broker) -> None:
        self._topic = f"fieldpost/{name}/cmd/result"
        self._arrived: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._connection = Connection(mqtt_url.parse(broker.url), on_message=self._message)

    def _message(self, message: MQTTMessage) -> None:
        if message.topic == self._topic:
            self._arrived.put(message.payload)

    def __enter__(self) -> Results:
        self._connection.open()
        self._connection.subscribe(self._topic, 1)
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def next(self) -> dict[str, Any]:
        return json.loads(self._arrived.get(timeout=15))
