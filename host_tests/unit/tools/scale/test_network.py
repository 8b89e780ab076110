"""A partition cuts exactly what brokers say to each other."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from scale import network
from scale.network import Network

_LISTEN = (
    "import socket, sys\n"
    "server = socket.create_server(('0.0.0.0', 7000))\n"
    "print('listens', flush=True)\n"
    "while True: server.accept()[0].close()\n"
)
_DIAL = "import socket, sys; socket.create_connection((sys.argv[1], 7000), 1).close()"


@pytest.fixture
def two() -> Iterator[Network]:
    """Two nodes, on each of which somebody listens."""
    why = network.why_not()
    if why:
        pytest.skip(why)
    with Network(2) as made:
        listeners = [
            subprocess.Popen(
                made.within(index, [sys.executable, "-c", _LISTEN]), stdout=subprocess.PIPE
            )
            for index in range(2)
        ]
        try:
            for one in listeners:
                assert one.stdout and one.stdout.readline() == b"listens\n"
            yield made
        finally:
            for one in listeners:
                one.kill()
                one.communicate()


def reaches(command: Sequence[str]) -> bool:
    return subprocess.run(command, capture_output=True, timeout=20).returncode == 0


def dial(address: str) -> list[str]:
    return [sys.executable, "-c", _DIAL, address]


def test_a_partition_parts_peers_and_leaves_clients_alone(two: Network) -> None:
    def peers_reach() -> bool:
        return reaches(two.within(0, dial(two.peer_address(1))))

    assert peers_reach()
    two.cut(1)
    assert not peers_reach()
    assert not reaches(two.within(1, dial(two.peer_address(0))))
    assert all(reaches(two.in_hub(dial(two.client_address(index)))) for index in range(2))
    two.heal(1)
    assert peers_reach()


def test_clients_do_not_reach_the_network_of_the_cluster(two: Network) -> None:
    assert not reaches(two.in_hub(dial(two.peer_address(0))))


def test_a_thread_enters_the_hub_and_comes_back(two: Network) -> None:
    before = Path("/proc/thread-self/ns/net").readlink()
    with two.entered():
        assert reaches(dial(two.client_address(0)))
    assert Path("/proc/thread-self/ns/net").readlink() == before


def test_nothing_is_left_also_of_one_that_was_killed() -> None:
    why = network.why_not()
    if why:
        pytest.skip(why)
    killed = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import os, signal; from scale.network import Network\n"
            "Network(1).start(); os.kill(os.getpid(), signal.SIGKILL)",
        ],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert killed.wait(60) == -9
    with Network(1):
        assert namespaces_of(os.getpid()) and not namespaces_of(killed.pid)
    assert not namespaces_of(os.getpid())


def namespaces_of(pid: int) -> list[str]:
    told = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, timeout=20)
    names = [line.split()[0] for line in told.stdout.splitlines() if line.strip()]
    return [name for name in names if name.startswith(f"fieldpost-{pid}-")]


def test_where_there_is_no_root_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert network.why_not() == "network namespaces need root on Linux"
