"""What the firmware takes of a genuine Pico W image's heap, what it leaves, and what it sends.

Each measurement is a JSON line; `pytest -s` shows them all.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from rigs.emulated import measure
from rigs.mosquitto import need_mosquitto
from rigs.pico_w import PORT, board_files, configuration, image

from fieldpost.board.files import read_file, remove_file, write_file
from fieldpost.board.link import BoardLink, open_link
from fieldpost.config.checked import with_checked
from fieldpost.emulator.emulator import GATEWAY, Emulator
from fieldpost.emulator.pico_w import SSID
from fieldpost.mqtt.brokers import Broker

pytestmark = [pytest.mark.board, pytest.mark.slow, pytest.mark.timeout(90)]

_MEASURE_S = 60.0
_KB = 1000
_NODE_FREE_MIN = 120 * _KB
# MicroPython's table of names takes 4 kB more when it doubles, which it does at some 620 names. A
# node that is always on, and need not check its configuration, has 618.
_CHECKED_FREE_MIN = 127 * _KB
# The aim is half of what mqtt_as takes (20 kB); this is where it stands.
_CLIENT_MAX = 26 * _KB
# Of what is free, this much in one piece: TLS, a file or a long message must find room.
_NODE_BLOCK_MIN = 60 * _KB
# The page for set-up takes the node's place, and may take so much more than it.
_SET_UP_MORE_MAX = 12 * _KB
_READINGS = 50
_SENSORS = [{"type": "internal"}, {"type": "simulated"}]


def _files() -> dict[str, bytes]:
    names = ("measure", "measure_clients", "measure_portal")
    scripts = {name: f"{name}.py" for name in names}
    files = board_files(configuration(sensors=_SENSORS), **scripts)
    del files["main.py"]
    return files


@contextmanager
def _board(files: dict[str, bytes]) -> Iterator[tuple[Emulator, BoardLink]]:
    need_mosquitto("a board's session has to last")
    genuine = image()
    with (
        Broker("mosquitto") as broker,
        Emulator(genuine, files=files, ports={PORT: broker.port}) as board,
        open_link(board.console, 30) as link,
    ):
        yield board, link


@pytest.fixture(scope="module")
def bench() -> Iterator[tuple[Emulator, BoardLink]]:
    """A board that runs nothing by itself, the firmware on it, and a broker."""
    with _board(_files()) as both:
        yield both


@pytest.fixture(scope="module")
def wake(bench: tuple[Emulator, BoardLink]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The whole node delivers fifty readings at once: what it measured, and its connection."""
    board, link = bench
    board.stats(forget=True)
    found = measure(link, f"measure_node({_READINGS})")
    (connection,) = [one for one in board.stats()["connections"] if one["sent"]["bytes"]]
    return found, connection


def _left(found: dict[str, Any]) -> int:
    """Bytes free with the node, without the 4 kB of the script that measures."""
    return found["plain"]["free"] - (found["start"]["free"] - found["steady"]["free"])


def test_a_node_whose_configuration_is_checked_has_a_small_table_of_names() -> None:
    with _board(with_checked(_files())) as (_, link):
        found = measure(link, f"measure_node({_READINGS})")
    assert _left(found) >= _CHECKED_FREE_MIN, found


def test_the_whole_node_leaves_120_kb_free_and_in_large_pieces(
    wake: tuple[dict[str, Any], dict[str, Any]],
) -> None:
    found, _ = wake
    assert _left(found) >= _NODE_FREE_MIN, found
    assert found["steady"]["block"] >= _NODE_BLOCK_MIN, found


def test_fifty_readings_in_one_wake_need_few_segments_on_the_air(
    wake: tuple[dict[str, Any], dict[str, Any]],
) -> None:
    found, connection = wake
    delivery = found["delivery"]
    assert delivery["readings"] == _READINGS
    assert delivery["round_trips"] <= 2
    assert connection["sent"]["repeated"] == 0
    # umqtt.simple sends 4 for CONNECT and 5 for each reading. Besides the readings, there are
    # the health message, and the farewell.
    assert connection["sent"]["data_segments"] <= _READINGS / 3, connection


def test_set_up_without_a_computer_takes_no_more_than_the_node(
    bench: tuple[Emulator, BoardLink], wake: tuple[dict[str, Any], dict[str, Any]]
) -> None:
    link = bench[1]
    names = ("/config.json", "/secrets.json")
    before = {name: read_file(link, name) for name in names}
    try:
        found = measure(link, "measure()", "measure_portal")
        after = {name: json.loads(read_file(link, name)) for name in names}
    finally:
        for name, data in before.items():
            write_file(link, name, data)
        remove_file(link, "/setup.json")
    assert found["saved"] and [one[9:] for one in found["answers"]] == ["200", "422", "200"]
    assert after["/config.json"]["sensors"] == _SENSORS
    assert after["/secrets.json"]["wifi"][0] == {"ssid": "Home", "password": "correct horse"}
    # At its worst moment, with the page, the form and the schema loaded.
    least = min(found[stage]["free"] for stage in ("open", "page", "check"))
    assert least >= wake[0]["steady"]["free"] - _SET_UP_MORE_MAX, found


def test_reading_the_configuration_gives_its_heap_back(bench: tuple[Emulator, BoardLink]) -> None:
    found = measure(bench[1], "measure_configuration()")
    lost = found["app imported"]["free"] - found["configuration read"]["free"]
    assert lost <= 5 * _KB, found


def test_the_client_takes_less_than_its_budget(bench: tuple[Emulator, BoardLink]) -> None:
    call = f"measure_client({SSID!r}, {GATEWAY!r}, {PORT})"
    found = measure(bench[1], call, "measure_clients")
    taken = found["start"]["free"] - found["connected"]["free"]
    assert taken <= _CLIENT_MAX, found


def test_what_is_out_of_bounds_is_refused_at_once(bench: tuple[Emulator, BoardLink]) -> None:
    board, link = bench
    link.soft_reset()
    board.stats(forget=True)
    said = link.exec(
        f"import measure_clients, socket\nmeasure_clients.join({SSID!r})\n"
        "for address in (('192.0.2.7', 80), ('10.0.0.1', 22)):\n"
        " s = socket.socket(); s.settimeout(5)\n"
        " try:\n  s.connect(address)\n  print('connected')\n"
        " except OSError as e: print(e.errno)\n s.close()\n"
        "try: print(socket.getaddrinfo('example.org', 80))\n"
        "except OSError as e: print(e.errno)\n",
        _MEASURE_S,
    )
    stats = board.stats()
    assert said.split() == [b"104", b"104", b"-2"] and stats["refused"] == 2
    assert stats["dropped_datagrams"] > 0


def test_mpremote_writes_and_reads_files(bench: tuple[Emulator, BoardLink]) -> None:
    link = bench[1]
    data = bytes(range(256)) * 8
    write_file(link, "/note.bin", data)
    assert read_file(link, "/note.bin") == data
    assert bench[0].read_files()["/note.bin"] == data
