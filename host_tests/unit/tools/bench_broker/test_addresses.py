"""Which address a board is told, and who is named as having a port."""

import socket
from collections import namedtuple
from typing import Any

import psutil
import pytest

from fieldpost.bench_broker import addresses
from fieldpost.mqtt.brokers import EVERYWHERE, HOST

Entry = namedtuple("Entry", "family address")
State = namedtuple("State", "isup")


def machine(
    monkeypatch: pytest.MonkeyPatch, interfaces: dict[str, str], way_out: str | None, *down: str
) -> None:
    entries = {name: [Entry(socket.AF_INET, one)] for name, one in interfaces.items()}
    states = {name: State(name not in down) for name in interfaces}
    monkeypatch.setattr(psutil, "net_if_addrs", lambda: entries)
    monkeypatch.setattr(psutil, "net_if_stats", lambda: states)
    monkeypatch.setattr(addresses, "_way_out", lambda: way_out)


def test_the_address_on_the_way_out_comes_first_and_those_of_containers_last(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    interfaces = {
        "lo": "127.0.0.1",
        "docker0": "172.17.0.1",
        "eth0": "10.0.0.7",
        "wlan0": "192.168.1.7",
        "eth1": "10.9.9.9",
        "usb0": "169.254.3.4",
    }
    machine(monkeypatch, interfaces, "192.168.1.7", "eth1")
    assert addresses.addresses() == ["192.168.1.7", "10.0.0.7", "172.17.0.1"]


def test_without_a_network_there_is_no_address(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, {"lo": "127.0.0.1"}, None)
    assert addresses.addresses() == []


@pytest.mark.parametrize(
    "name, names",
    [
        ("bench", ["bench", "bench.local"]),
        ("Bench.Example.org", ["bench.example.org"]),
        ("localhost", []),
        ("my_machine", []),
    ],
)
def test_only_names_that_a_certificate_may_carry_are_this_machines(
    monkeypatch: pytest.MonkeyPatch, name: str, names: list[str]
) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: name)
    assert addresses.host_names() == names


def test_a_port_is_taken_while_somebody_listens_there_and_free_as_soon_as_it_ends() -> None:
    with socket.socket() as listener:
        # As brokers do. Otherwise the port is theirs for a minute after their end.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, 0))
        port = listener.getsockname()[1]
        listener.listen()
        assert not addresses.is_free(HOST, port)
        # Debian's service has loopback alone: the whole of the machine is not free then.
        assert not addresses.is_free(EVERYWHERE, port)
        client = socket.create_connection((HOST, port))
        accepted, _ = listener.accept()
        accepted.close()  # first, so that this end of the connection lingers
        client.close()
    assert addresses.is_free(HOST, port)


def test_who_has_a_port_is_named_with_its_process() -> None:
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        listener.listen()
        name = psutil.Process().name()
        who = addresses.holder(listener.getsockname()[1])
        assert who == f"{name} (process {psutil.Process().pid})"


class OthersProcess:
    """Mosquitto as Debian starts it, seen by another user."""

    pid = 812

    def __init__(self, pid: int = 812) -> None:
        self.info = {"name": "mosquitto"}

    def name(self) -> str:
        return "mosquitto"

    def cmdline(self) -> list[str]:
        return ["/usr/sbin/mosquitto", "-c", "/etc/mosquitto/mosquitto.conf"]


def test_the_systems_service_is_recognised_where_the_system_tells_nothing_of_the_port(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def denied(_kind: str) -> Any:
        raise psutil.AccessDenied

    monkeypatch.setattr(psutil, "net_connections", denied)
    monkeypatch.setattr(psutil, "Process", OthersProcess)
    monkeypatch.setattr(psutil, "process_iter", lambda _names: [OthersProcess()])
    who = addresses.holder(1883)
    assert who and who.startswith("probably mosquitto (process 812), the system's service")
    assert "systemctl stop mosquitto" in who
    assert addresses.holder(8080) is None
