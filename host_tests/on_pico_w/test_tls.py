"""TLS on the genuine Pico W image: its time, its heap, and what happens where it does not fit.

The image runs in the emulator; Mosquitto on loopback asks for a client certificate.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rigs.pico_w import NODE, SCRIPTS, board_files, configuration, image
from rigs.tls import TlsBroker

from fieldpost.board.link import BoardLink, open_link
from fieldpost.certs.authority import Authority
from fieldpost.deploy.compile import compile_module
from fieldpost.emulator.console import Console
from fieldpost.emulator.emulator import GATEWAY, Emulator
from fieldpost.emulator.pico_w import SSID

pytestmark = [pytest.mark.board, pytest.mark.timeout(240)]

PORT = 8883
_MEASURE_S = 150.0
_FILES = {"ca_file": "certs/ca.der", "cert_file": "certs/cert.der", "key_file": "certs/key.der"}
# P-256 on a chip of 125 MHz without help from its hardware, client certificate and all.
_HANDSHAKE_MS_MAX = 6000
_HEAP_MAX = 36_000


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    made = Authority(tmp_path_factory.mktemp("certs"))
    made.create("Test CA")
    made.issue_server([GATEWAY])
    made.issue_node(NODE)
    return made


@pytest.fixture(scope="module")
def broker(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsBroker]:
    with TlsBroker(authority, tmp_path_factory.mktemp("broker")) as running:
        yield running


def files_of(authority: Authority) -> dict[str, bytes]:
    own = authority.folder / "nodes" / NODE
    config = configuration(
        mqtt={"host": GATEWAY, "port": PORT, "timeout_s": 20, "tls": _FILES},
        ntp={"host": GATEWAY},
    )
    files = board_files(config)
    files.update({f"certs/{file.name}": file.read_bytes() for file in own.iterdir()})
    return files


@pytest.fixture(scope="module")
def bench(authority: Authority, broker: TlsBroker) -> Iterator[BoardLink]:
    """A board that runs nothing by itself."""
    genuine = image()
    files = files_of(authority)
    del files["main.py"]
    for name in ("measure", "measure_clients", "tls_client"):
        files[f"{name}.mpy"] = compile_module(SCRIPTS / f"{name}.py", name)
    with (
        Emulator(genuine, files=files, ports={PORT: broker.port}) as board,
        open_link(board.console, 30) as link,
    ):
        yield link


def run(link: BoardLink, call: str) -> dict[str, Any]:
    link.soft_reset()
    now = (*time.gmtime()[:3], 0, *time.gmtime()[3:6], 0)
    link.exec(f"import machine\nmachine.RTC().datetime({now})")
    arguments = f"{SSID!r}, {GATEWAY!r}, {PORT}, {NODE!r}"
    said = link.exec(f"import tls_client\ntls_client.{call}({arguments})", _MEASURE_S).decode()
    found: dict[str, Any] = {}
    for line in said.splitlines():
        value = json.loads(line)
        key = value.pop("stage", None)
        found.update({key: value} if key else value)
    print(call, json.dumps(found))
    return found


def test_the_whole_node_sets_its_clock_first_and_delivers_over_tls(
    authority: Authority, broker: TlsBroker
) -> None:
    genuine = image()
    with (
        Emulator(genuine, files=files_of(authority), ports={PORT: broker.port}) as board,
        Console(board.console) as console,
    ):
        waits = console.wait_for("TLS needs the time: waiting for NTP", 60)
        is_set = console.wait_for("time: set by", 30, waits)
        is_up = console.wait_for("link: up", 90, is_set)
        console.wait_for("delivered ", 60, is_up)
        stamps = [float(console.lines[at - 1].split()[0]) for at in (is_set, is_up)]
        print(json.dumps({"set_to_up_s": stamps[1] - stamps[0]}))
    assert re.search(rf"Received PUBLISH from {NODE} .*/telemetry", broker.log())
    assert f"Denied PUBLISH from {NODE}" not in broker.log()


def test_time_and_heap_of_a_handshake(bench: BoardLink) -> None:
    found = run(bench, "measure_tls")
    assert found["handshake_ms_1"] < _HANDSHAKE_MS_MAX
    assert found["handshake_ms_2"] < _HANDSHAKE_MS_MAX
    assert found["imported"]["free"] - found["connected 2"]["free"] < _HEAP_MAX, found
    # All but the context comes back.
    assert found["closed 2"]["free"] > found["made"]["free"] - 4000, found


def test_where_tls_does_not_fit_the_node_says_so_and_lives_on(bench: BoardLink) -> None:
    found = run(bench, "squeeze")
    said = [found[key] for key in found if key.startswith("free_kb_")]
    refused = [one for one in said if one != "fits"]
    assert len(refused) >= 3 and len(said) > len(refused), found
    assert all(re.fullmatch(r"TLS does not fit: \d+0? kB free", one[0]) for one in refused), found
    assert found["is_open"] is False, found
    assert found["afterwards"] == "fits"


def test_certificates_are_small_enough_to_be_read_whole(authority: Authority) -> None:
    folder: Path = authority.folder / "nodes" / NODE
    assert sum(file.stat().st_size for file in folder.iterdir()) < 1200
