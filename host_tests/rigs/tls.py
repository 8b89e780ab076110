"""Certificates, a real Mosquitto that asks for them, and nodes that dial it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from rigs.mosquitto import need_mosquitto
from rigs.port import micropython

from fieldpost.certs.authority import Authority
from fieldpost.certs.mosquitto import write_configuration
from fieldpost.mqtt.brokers import free_port
from fieldpost.node_process import Interpreter, NodeProcess
from fieldpost.processes.programs import Watchdog

HOST = "localhost"
INTERPRETERS: tuple[Interpreter, ...] = ("micropython", "cpython")


def need(interpreter: Interpreter) -> None:
    """Skip where it is missing."""
    if interpreter == "micropython":
        micropython()


def wait_until(reached: Callable[[], object], limit_s: float = 15.0) -> bool:
    end = time.monotonic() + limit_s
    while not reached():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


class TlsBroker:
    """Mosquitto with the configuration that `fieldpost certs mosquitto` writes."""

    def __init__(self, authority: Authority, folder: Path, **options: Any) -> None:
        mosquitto = need_mosquitto("it is asked for what only its log tells")
        self.port = free_port()
        made = write_configuration(authority, port=self.port, bind="127.0.0.1", **options)
        self.log_path = folder / "mosquitto.log"
        configuration = folder / "mosquitto.conf"
        extra = "log_type all\nlog_dest stderr\n"
        if os.geteuid() == 0:
            extra += "user root\n"  # who alone can read these files
        configuration.write_text(made.read_text() + extra)
        self._command = [mosquitto, "-c", str(configuration)]
        self.process: subprocess.Popen[bytes] | None = None
        self._watchdog: Watchdog | None = None

    def __enter__(self) -> Self:
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        self._watchdog = Watchdog(self.process)
        assert wait_until(self._accepts), self.log()
        return self

    def __exit__(self, *_: object) -> None:
        assert self.process and self._watchdog
        self._watchdog.close()
        self.process.kill()
        self.process.wait()

    def log(self) -> str:
        return self.log_path.read_text(errors="replace")

    def _accepts(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True


class Node:
    """The firmware of this checkout as a process, with its certificates, dialling `port`."""

    def __init__(
        self,
        folder: Path,
        port: int,
        files: Path,
        *,
        name: str = "kitchen",
        interpreter: Interpreter = "micropython",
        tls: dict[str, Any] | None = None,
        **config: Any,
    ) -> None:
        need(interpreter)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "certs").mkdir(exist_ok=True)
        for file in files.iterdir():
            (folder / "certs" / file.name).write_bytes(file.read_bytes())
        self.lines: list[str] = []
        self._process = NodeProcess(folder, self.lines.append, interpreter)
        own = {"ca_file": "certs/ca.der", "cert_file": "certs/cert.der"}
        own["key_file"] = "certs/key.der"
        self._process.write_files(
            {
                "node": name,
                "boot_window_s": 0,
                "mqtt": {"host": HOST, "port": port, "timeout_s": 2, "tls": own | (tls or {})},
                "sample_s": 1,
                # Nobody answers there; the desktop's clock is set already.
                "ntp": {"host": "127.0.0.1"},
                "retry": {"base_s": 1, "cap_s": 1},
                "sensors": [{"type": "simulated"}],
                **config,
            },
            {"wifi": [{"ssid": "any", "password": "eight characters"}]},
        )

    def __enter__(self) -> Self:
        self._process.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()

    def says(self, text: str, limit_s: float = 15.0) -> str:
        """The line of the console that has `text` in it, once it is there."""

        def found() -> str | None:
            return next((line for line in list(self.lines) if text in line), None)

        assert wait_until(found, limit_s), f"never said {text!r}:\n" + "\n".join(self.lines[-20:])
        return found() or ""

    def count(self, text: str) -> int:
        return sum(text in line for line in list(self.lines))

    def sockets(self) -> int:
        """How many it has open."""
        process = self._process._process
        assert process
        found = 0
        for link in Path(f"/proc/{process.pid}/fd").iterdir():
            try:
                found += str(link.readlink()).startswith("socket:")
            except OSError:
                pass  # Closed meanwhile.
        return found


class Peer:
    """A TCP server that does to each connection what `treat(connection)` says."""

    def __init__(self, treat: Callable[[socket.socket], None]) -> None:
        self._treat = treat
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.taken: list[socket.socket] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        for connection in self.taken:
            connection.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.taken.append(connection)
            try:
                self._treat(connection)
            except OSError:
                pass  # The node has gone, as it may.


def readings(payloads: list[bytes]) -> list[int]:
    return [json.loads(one)["seq"] for one in payloads]
