"""A single server of NATS on loopback, as collectors and nodes of a test come to it, or with a
configuration of a test's own."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from fieldpost.errors import MissingTool
from fieldpost.mqtt.brokers import HOST, free_port
from fieldpost.started import Started
from scale.nats import NatsCluster, program

# After so long it hands out again what a collector had that was killed.
_ACK_WAIT_S = 1.5
_START_S = 20.0


class _Here:
    """Both sides of it are on loopback."""

    def client_address(self, index: int) -> str:
        return HOST

    def peer_address(self, index: int) -> str:
        return HOST

    def within(self, index: int, argv: Sequence[str]) -> list[str]:
        return list(argv)


class Nats(Started):
    """url: for `fieldpost collect --from`. port: of MQTT. It keeps both over a stop and a start.

    Skips the test where NATS is missing.
    """

    def __init__(self) -> None:
        try:
            program()
        except MissingTool as missing:
            pytest.skip(str(missing))
        self._cluster = NatsCluster(_Here(), 1, ack_wait_s=_ACK_WAIT_S)
        self.url = self._cluster.source()
        self.port = self._cluster.mqtt(0)[1]
        self._has_run = False

    def start(self) -> None:
        if self._has_run:
            self._cluster.start_node(0)
        else:
            self._has_run = True
            self._cluster.start()

    def stop(self) -> None:
        """SIGTERM, and wait for its end."""
        self._cluster.stop(0)

    def kill(self) -> None:
        """SIGKILL."""
        self._cluster.kill(0)

    def close(self) -> None:
        self._cluster.close()

    def waiting(self) -> int:
        """Messages that no collector has acknowledged."""
        return self._cluster.waiting()


@contextmanager
def configured(folder: Path, more: str) -> Iterator[int]:
    """The port of a server with JetStream, and with more lines. It has no stream of MQTT's."""
    try:
        argv = [program()]
    except MissingTool as missing:
        pytest.skip(str(missing))
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
