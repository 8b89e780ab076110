"""NATS with JetStream and its MQTT port, as one process on loopback."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fieldpost.mqtt.brokers import HOST, free_port
from fieldpost.processes import programs

_START_S = 30.0


@contextlib.contextmanager
def nats_mqtt(folder: Path) -> Iterator[str]:
    """Its address for MQTT. Skips where NATS is not installed."""
    beside = Path(sys.executable).with_name("nats-server")
    program = str(beside) if beside.exists() else programs.find("nats-server")
    if program is None:
        pytest.skip("NATS is not installed")
    port = free_port()
    (folder / "nats.conf").write_text(
        "server_name: alone\n"
        f"listen: {HOST}:{free_port()}\n"
        f'jetstream {{ store_dir: "{folder / "jetstream"}" }}\n'
        f"mqtt {{ listen: {HOST}:{port} }}\n"
    )
    process = subprocess.Popen(
        [program, "-c", str(folder / "nats.conf")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    watchdog = programs.Watchdog(process)
    try:
        end = time.monotonic() + _START_S
        while not _listens(port):
            assert process.poll() is None and time.monotonic() < end
            time.sleep(0.05)
        yield f"mqtt://{HOST}:{port}"
    finally:
        watchdog.close()
        process.kill()
        process.wait()


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError):
        socket.create_connection((HOST, port), timeout=1).close()
        return True
    return False
