"""A peer that sends anything does no more to a node in MicroPython than end its connection."""

from __future__ import annotations

import json
import random
import socket
import struct
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from rigs.mutated_packets import mutated
from rigs.port import run_port
from rigs.port_node import library_of
from rigs.session import VERSIONS

CONNECTIONS = 800
CONNACK = b"\x20\x02\x00\x00"

# The scripts count their descriptors in /proc.
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="there is no /proc here")


class Hostile:
    """Answers each connection with one seeded stream, then ends it, or stays silent."""

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(seed)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._kept: list[socket.socket] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._listener.close()
        for one in self._kept:
            one.close()

    def _serve(self) -> None:
        rng = self._rng
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            try:
                peer.recv(1000)
                stream = mutated(rng)
                peer.sendall(stream if rng.random() < 0.3 else CONNACK + stream)
            except OSError:
                pass
            end = rng.random()
            if end < 0.02:
                self._kept.append(peer)  # silence
                continue
            if end < 0.3:
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            peer.close()


@pytest.fixture
def hostile() -> Iterator[Hostile]:
    server = Hostile(7)
    yield server
    server.close()


@pytest.mark.parametrize("version", VERSIONS)
def test_every_end_is_an_oserror_in_time_and_leaves_nothing_open_or_allocated(
    hostile: Hostile, tmp_path: Path, version: str
) -> None:
    """Complaints 5 and 6, in MicroPython: every second connection is refused."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and does not listen
        output = run_port(
            "hostile.py",
            str(hostile.port),
            str(CONNECTIONS),
            str(nobody.getsockname()[1]),
            first=library_of(version, tmp_path),
            heap="384K",
        )
    report = json.loads(output)
    ends = report["ends"]
    assert sum(ends.values()) == CONNECTIONS
    assert ends["111"] == CONNECTIONS // 2
    assert {"71", "104"} <= set(ends), ends
    assert "left open" not in ends
    assert report["descriptors"] == 0
    assert report["kept_bytes"] < 2000
    assert report["longest_wait_ms"] <= 400 + 250
