"""A single server of NATS on loopback, as collectors and nodes of a test come to it, or with a
configuration of a test's own."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from rigs.one_server import Here, OneServer

from fieldpost.errors import MissingTool
from fieldpost.mqtt.brokers import HOST, free_port
from scale.nats import NatsCluster, program

# After so long it hands out again what a collector had that was killed.
_ACK_WAIT_S = 1.5
_START_S = 20.0


def need_nats() -> str:
    """Path of its server; skips where it is not installed."""
    try:
        return program()
    except MissingTool as missing:
        pytest.skip(str(missing))


class Nats(OneServer):
    """One server. Skips the test where NATS is missing."""

    def __init__(self) -> None:
        need_nats()
        self._nats = NatsCluster(Here(), 1, ack_wait_s=_ACK_WAIT_S)
        super().__init__(self._nats)

    def ask(self, subject: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """What JetStream's interface says to the one who may do everything."""
        return self._nats.ask(subject, body)


@contextmanager
def configured(folder: Path, more: str) -> Iterator[int]:
    """The port of a server with JetStream, and with more lines. It has no stream of MQTT's."""
    argv = [need_nats()]
    port = free_port()
    config = folder / "nats.conf"
    config.write_text(
        f'listen: "{HOST}:{port}"\njetstream {{ store_dir: "{folder}/jetstream" }}\n{more}\n'
    )
    log = folder / "log"
    with log.open("wb") as to:
        process = subprocess.Popen([*argv, "-c", str(config)], stdout=to, stderr=to)
    try:
        end = time.monotonic() + _START_S
        while b"Server is ready" not in log.read_bytes():
            assert process.poll() is None and time.monotonic() < end, log.read_text()
            time.sleep(0.02)
        yield port
    finally:
        process.kill()
        process.wait()
