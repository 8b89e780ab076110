"""A whole node under MicroPython as a process, its console, and a witness at the broker."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion
from rigs.port import SCRIPTS, micropython, port_environment
from rigs.session import umqtt_file

from fieldpost.messages.account import Account, Key
from fieldpost.node_process import send_ctrl_c
from fieldpost.paths import ROOT

LIMIT_S = 20.0
HEAP = "384K"  # a 64-bit word for each 32-bit word of a Pico W's heap
SECRETS = {"wifi": [{"ssid": "desk", "password": "no-password"}]}


def wait_until(reached: Callable[[], object], what: Callable[[], object] = lambda: "") -> None:
    """Fails with what `what()` says if it takes more than LIMIT_S."""
    end = time.monotonic() + LIMIT_S
    while not reached():
        assert time.monotonic() < end, what()
        time.sleep(0.01)


def library_of(version: str, folder: Path) -> tuple[Path, ...]:
    """Folders for MICROPYPATH from which `umqtt.simple` of that version is imported."""
    source = umqtt_file(version)
    if version == "lib":
        return ()
    target = folder / f"lib-{version}"
    (target / "umqtt").mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target / "umqtt" / "simple.py")
    return (target,)


def configuration(port: int, **keys: Any) -> dict[str, Any]:
    """A node that takes a reading each second and asks nobody for the time."""
    return {
        "node": "port",
        "boot_window_s": 0,
        "mqtt": {"host": "127.0.0.1", "port": port},
        "sample_s": 1,
        "ntp": {"host": None},
        "retry": {"base_s": 1, "cap_s": 1},
        "sensors": [{"type": "simulated"}],
        **keys,
    }


class PortNode:
    """`folder` is its file system. script: main.py, or one of host_tests/port.

    `lines`: what its console has said.
    """

    def __init__(
        self,
        folder: Path,
        config: Mapping[str, Any] | None,
        version: str = "lib",
        script: str = "main.py",
        **environment: str,
    ) -> None:
        self.folder = folder
        self.lines: list[str] = []
        self._script = ROOT / script if script == "main.py" else SCRIPTS / script
        self._environment = {
            **port_environment(*library_of(version, folder.parent)),
            **environment,
        }
        folder.mkdir(exist_ok=True)
        if config is not None:
            (folder / "config.json").write_text(json.dumps(config))
            (folder / "secrets.json").write_text(json.dumps(SECRETS))
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.cut_power()
        if error is not None:
            print("\n".join(self.lines[-40:]))

    def start(self) -> None:
        self._process = subprocess.Popen(
            [micropython(), "-X", f"heapsize={HEAP}", str(self._script)],
            cwd=self.folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        self._reader = threading.Thread(target=self._read, args=(self._process,), daemon=True)
        self._reader.start()

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout
        for line in process.stdout:
            self.lines.append(line.rstrip("\n"))

    def says(self, text: str, times: int = 1) -> str:
        """The line in which it says `text` for the nth time; waits for it."""

        def found() -> list[str]:
            return [line for line in self.lines if text in line]

        wait_until(
            lambda: len(found()) >= times,
            lambda: f"it never said {text!r}:\n" + "\n".join(self.lines[-30:]),
        )
        return found()[times - 1]

    def status(self) -> int:
        """The exit status, for which it waits."""
        assert self._process and self._reader
        status = self._process.wait(LIMIT_S)
        self._reader.join(LIMIT_S)
        return status

    def interrupt(self) -> int:
        """Ctrl-C at its console, and its exit status."""
        assert self._process
        send_ctrl_c(self._process)
        return self.status()

    def cut_power(self) -> None:
        """SIGKILL: not a word more, not a byte."""
        if self._process and self._process.poll() is None:
            self._process.kill()
            self.status()

    def taken(self) -> list[Key]:
        """(boot, seq) of the readings that it says it has stored, in order."""
        return taken(self.lines)


def taken(lines: Sequence[str]) -> list[Key]:
    """(boot, seq) of the readings that a node has stored, by what its console says, in order."""
    boot, keys = 0, []
    for line in lines:
        words = line.split()
        if "ready:" in words:
            boot = int(words[-1])
        elif "sample" in words and ("stored" in words or "stored," in words):
            keys.append((boot, int(words[words.index("sample") + 1])))
    return keys


class Witness:
    """Subscribes to everything, through restarts of the broker; keeps the readings' account."""

    def __init__(self, port: int, name: str = "witness") -> None:
        self.account = Account()
        self.others: list[tuple[str, bytes, bool]] = []
        self._ready = threading.Event()
        self._client = paho.Client(
            CallbackAPIVersion.VERSION2, client_id=name, clean_session=False
        )
        self._client.on_message = self._message
        self._client.on_connect = self._subscribe
        self._client.on_subscribe = lambda *_: self._ready.set()
        self._client.reconnect_delay_set(0.05, 0.05)  # pyright: ignore[reportArgumentType]
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    @staticmethod
    def _subscribe(client: paho.Client, *_: Any) -> None:
        client.subscribe("#", 1)

    def __enter__(self) -> Self:
        assert self._ready.wait(LIMIT_S)
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _message(self, _client: object, _data: object, message: paho.MQTTMessage) -> None:
        if message.topic.endswith("/telemetry"):
            self.account.deliver(json.loads(message.payload))
        else:
            self.others.append((message.topic, message.payload, bool(message.retain)))

    def keys(self) -> list[Key]:
        """The readings in the order in which they came first."""
        return list(self.account.delivered)

    def said(self, topic: str) -> list[Any]:
        """Payloads of one topic, decoded."""
        return [json.loads(payload) for name, payload, _ in self.others if name == topic]
