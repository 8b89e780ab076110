"""Verified TLS on a genuine ESP32-C3 image: first the clock, then readings; refusals in words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from rigs.esp32_c3 import NODE, afresh, board_files, configuration, machine, told_apart
from rigs.tls import TlsBroker

from fieldpost.certs.authority import Authority
from fieldpost.emulator.console import Console
from fieldpost.emulator.emulator import GATEWAY

pytestmark = pytest.mark.timeout(240)

PORT = 8883
_OWN = {"ca_file": "certs/ca.der", "cert_file": "certs/cert.der", "key_file": "certs/key.der"}
_LINK_S = 40.0


@dataclass(frozen=True)
class _Place:
    """folder: for a broker. authority: of it. stranger: another, with a node of the same name."""

    folder: Path
    authority: Authority
    stranger: Authority


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> _Place:
    folder = tmp_path_factory.mktemp("tls")
    made = []
    for name in ("ours", "strangers"):
        authority = Authority(folder / name)
        authority.create(name)
        authority.issue_node(NODE)
        made.append(authority)
    made[0].issue_server([GATEWAY])
    return _Place(folder, made[0], made[1])


@pytest.fixture(scope="module")
def broker(place: _Place) -> Iterator[TlsBroker]:
    with TlsBroker(place.authority, place.folder) as running:
        yield running


def _files(authority: Authority, ca: Authority | None = None, **tls: Any) -> dict[str, bytes]:
    config = configuration(
        mqtt={"host": GATEWAY, "port": PORT, "timeout_s": 10, "tls": {**_OWN, **tls}},
        ntp={"host": GATEWAY},
    )
    files = board_files(config)
    own = authority.folder / "nodes" / NODE
    files.update({f"certs/{file.name}": file.read_bytes() for file in own.iterdir()})
    if ca:
        files["certs/ca.der"] = (ca.folder / "nodes" / NODE / "ca.der").read_bytes()
    return files


@afresh
def test_the_clock_is_set_first_then_readings_go_over_verified_tls(
    genuine: Path, place: _Place, broker: TlsBroker
) -> None:
    with (
        machine(genuine, _files(place.authority), ports={PORT: broker.port}) as board,
        told_apart(board),
        Console(board.console) as console,
    ):
        waits = console.wait_for("TLS needs the time: waiting for NTP", _LINK_S)
        is_set = console.wait_for("time: set by", 20, waits)
        is_up = console.wait_for("link: up", _LINK_S, is_set)
        console.wait_for("delivered ", 20, is_up)
        stamps = [float(console.lines[at - 1].split()[0]) for at in (is_set, is_up)]
        print(f"from the time to the session {stamps[1] - stamps[0]:.1f} s")
    assert re.search(rf"Received PUBLISH from {NODE} .*/telemetry", broker.log())


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        ("another authority", "is not signed by the authority in mqtt.tls.ca_file"),
        ("another name", 'is not for "broker.example" (mqtt.tls.server_name)'),
        ("no client certificate", "wants a client certificate"),
        ("a stranger's certificate", "the broker refuses our certificate"),
    ],
)
@afresh
def test_a_refusal_is_told_in_words(
    genuine: Path, place: _Place, broker: TlsBroker, case: str, expected: str
) -> None:
    files = {
        "another authority": lambda: _files(place.authority, place.stranger),
        "another name": lambda: _files(place.authority, server_name="broker.example"),
        "no client certificate": lambda: _files(place.authority, cert_file=None, key_file=None),
        "a stranger's certificate": lambda: _files(place.stranger, place.authority),
    }[case]()
    with (
        machine(genuine, files, ports={PORT: broker.port}) as board,
        told_apart(board),
        Console(board.console) as console,
    ):
        console.wait_for(expected, _LINK_S)
        assert not any("link: up" in line for line in console.lines)


@afresh
def test_a_broker_whose_certificate_has_expired_is_refused(genuine: Path, tmp_path: Path) -> None:
    authority = Authority(tmp_path / "certs")
    authority.create("Test CA")
    authority.issue_server([GATEWAY], days=-2)
    authority.issue_node(NODE)
    with (
        TlsBroker(authority, tmp_path) as broker,
        machine(genuine, _files(authority), ports={PORT: broker.port}) as board,
        told_apart(board),
        Console(board.console) as console,
    ):
        console.wait_for("the broker's certificate has expired", _LINK_S)
