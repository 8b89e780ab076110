"""A store goes into another one whole, once, and whoever writes there meanwhile goes on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from rigs.command_line import fieldpost
from rigs.port_node import wait_until
from rigs.stores import NOW_S, event, new_store, rows, telemetry

from fieldpost.collect.message import Message, Reader
from fieldpost.paths import ROOT
from fieldpost.query.gaps import gaps
from fieldpost.store.address import parse
from fieldpost.store.errors import StoreAway
from fieldpost.store.opened import Store, open_store, open_to_read
from fieldpost.store.removal import remove_older
from fieldpost.stores.copying import readings as by_key
from fieldpost.stores.copying import retention
from fieldpost.stores.copying.check import check
from fieldpost.stores.copying.ends import Origin, Target
from fieldpost.stores.copying.run import Account, copy

_TABLES = {
    "readings": "node, boot, seq, ts, age_s, received, fields, payload",
    "conflicts": "node, boot, seq, received, digest, payload",
    "rejected": "received, topic, why, size, digest, payload",
    "events": "node, kind, received, body",
    "fields": "name, kind, first_received",
    "removed": "node, boot, readings, first_seq, last_seq",
}
_ORDERED = ("events", "fields")
PAIRS = [
    "sqlite-sqlite",
    pytest.param("sqlite-postgresql", marks=pytest.mark.slow),
    pytest.param("postgresql-sqlite", marks=pytest.mark.slow),
    pytest.param("postgresql-postgresql", marks=pytest.mark.slow),
]


@pytest.fixture(params=PAIRS)
def two(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Store, Store]]:
    """The one that is read, and the one that is written to, both empty."""
    opened = []
    for number, kind in enumerate(request.param.split("-")):
        folder = tmp_path / str(number)
        folder.mkdir()
        opened.append(open_store(parse(new_store(kind, folder))))
    yield opened[0], opened[1]
    for one in opened:
        one.close()


def copied(origin: Store, target: Store) -> Account:
    return copy(origin.address, target.address, lambda *_: None)


def held(store: Store) -> dict[str, list[Any]]:
    """All that counts, in one form: events and names in their order."""
    found: dict[str, list[Any]] = {}
    for table, names in _TABLES.items():
        order = " ORDER BY id" if table in _ORDERED else ""
        told = [
            tuple(_plain(name, one) for name, one in zip(names.split(", "), row, strict=True))
            for row in rows(store, f"SELECT {names} FROM {table}{order}")
        ]
        found[table] = told if order else sorted(told, key=repr)
    return found


def _plain(name: str, value: Any) -> Any:
    if name in ("fields", "body") and isinstance(value, str):
        return json.loads(value)
    return bytes(value) if name == "payload" else value


def fill(store: Store) -> None:
    """Something of everything."""
    store.write([telemetry(1, seq, zeta=seq, alpha=seq / 8) for seq in range(50)])
    store.write(
        [telemetry(2, seq, of="m", age_s=9, text="ä\0b", **{"x y": None}) for seq in (0, 2)]
    )
    store.write([telemetry(1, 3, zeta=-1.0)])
    read = Reader("fieldpost").read
    store.write([read(Message("fieldpost/n/telemetry", b"\xff not JSON", NOW_S))])
    store.write(
        [
            event("status", {"state": "online"}),
            event("health", {"outbox": 4, "dropped": 1}),
            event("status", {"state": "asleep"}, received=NOW_S + 1),
            event("status", {"state": "online"}, received=NOW_S + 2),
            event("status", None, node="m"),
            event("cmd/result", {"id": "a", "ok": True}),
        ]
    )
    store.write([telemetry(1, seq, of="old", received=NOW_S - 9000, zeta=1) for seq in range(7)])
    remove_older(store.engine, NOW_S - 5000)


def test_all_is_there_and_a_second_copy_brings_nothing(two: tuple[Store, Store]) -> None:
    origin, target = two
    fill(origin)
    account = copied(origin, target)
    assert (account.readings.stored, account.readings.repeated) == (52, 0)
    assert (account.events.stored, account.conflicts.stored, account.rejected.stored) == (6, 1, 1)
    assert account.checked.found == account.checked.readings == 52
    assert (account.checked.nodes, account.checked.boots, account.checked.missing) == (2, 2, 0)
    there = held(target)
    assert there == held(origin)
    again = copied(origin, target)
    assert held(target) == there
    assert (again.readings.stored, again.readings.repeated) == (0, 52)
    assert again.events.known == 6 and not again.events.stored
    assert again.conflicts.known == again.rejected.known == 1
    with origin.engine.connect() as one, target.engine.connect() as other:
        assert [node.as_json() for node in gaps(one)] == [node.as_json() for node in gaps(other)]


def test_the_view_has_its_columns_in_the_order_of_before(two: tuple[Store, Store]) -> None:
    origin, target = two
    origin.write([telemetry(1, 1, later=2.5)])
    origin.write([telemetry(1, 0, first=1)])
    copied(origin, target)
    assert rows(target, "SELECT seq, later, first FROM wide ORDER BY seq") == [
        (0, None, 1),
        (1, 2.5, None),
    ]
    assert rows(target, "SELECT name FROM fields ORDER BY id") == [("later",), ("first",)]


def test_what_a_collector_has_stored_there_stays_and_is_no_conflict(
    two: tuple[Store, Store],
) -> None:
    origin, target = two
    origin.write([telemetry(1, seq, ts=NOW_S, x=seq) for seq in range(4)])
    target.write([telemetry(1, seq, received=NOW_S + 9, x=seq) for seq in (2, 3, 4)])
    account = copied(origin, target)
    assert (account.readings.stored, account.readings.repeated) == (2, 2)
    assert account.readings.filled == 2
    assert rows(target, "SELECT seq, ts, received - 1795800000 FROM readings ORDER BY seq") == [
        *((seq, NOW_S, 0) for seq in (0, 1)),
        *((seq, NOW_S, 9) for seq in (2, 3)),
        (4, None, 9),
    ]
    assert rows(target, "SELECT count(*) FROM conflicts") == [(0,)]


def test_two_under_one_key_are_both_kept_whichever_came_first(two: tuple[Store, Store]) -> None:
    origin, target = two
    for value in (1.5, 2.5):
        origin.write([telemetry(1, 0, x=value)])
    target.write([telemetry(1, 0, x=2.5)])
    for _ in range(2):
        copied(origin, target)
        assert [
            json.loads(str(one)) for (one,) in rows(target, "SELECT fields FROM readings")
        ] == [{"x": 2.5}]
        assert [json.loads(one) for (one,) in rows(target, "SELECT payload FROM conflicts")] == [
            {"boot": 1, "seq": 0, "x": 1.5}
        ]


def states(store: Store) -> list[Any]:
    told = rows(store, "SELECT body FROM events WHERE kind = 'status' ORDER BY id")
    return [json.loads(str(body))["state"] for (body,) in told]


def test_the_last_event_is_still_the_state(two: tuple[Store, Store]) -> None:
    """Those that are copied come before those that came here, also of a store that has gone on."""
    origin, target = two
    target.write([event("status", {"state": "here"})])
    for number in range(3):
        origin.write([event("status", {"state": f"a{number}"})])
    copied(origin, target)
    assert states(target) == ["a0", "a1", "a2", "here"]
    target.write([event("status", {"state": "here too"})])
    origin.write([event("status", {"state": "a3"})])
    assert copied(origin, target).events.stored == 1
    assert states(target) == ["a0", "a1", "a2", "a3", "here", "here too"]


def test_a_collector_tells_its_own_events_from_those_that_were_copied(
    two: tuple[Store, Store],
) -> None:
    origin, target = two
    for state in ("online", "asleep"):
        origin.write([event("status", {"state": state})])
    copied(origin, target)
    for _ in range(2):  # It is retained, and comes at each start.
        opened = open_store(target.address)
        opened.write([event("status", {"state": "online"})])
        opened.close()
    assert states(target) == ["online", "asleep", "online"]
    assert rows(target, "SELECT id FROM events ORDER BY id DESC LIMIT 1")[0][0] >= 1


def test_two_stores_go_into_one(two: tuple[Store, Store], tmp_path: Path) -> None:
    origin, target = two
    other = open_store(parse(f"sqlite:///{tmp_path}/other.db"))
    other.write([telemetry(1, 0, of="o", x=1), event("status", {"state": "o"}, node="o")])
    origin.write([telemetry(1, 0, x=1), event("status", {"state": "n"})])
    for store in (other, origin, other, origin):
        copied(store, target)
    other.close()
    assert rows(target, "SELECT node FROM readings ORDER BY node") == [("n",), ("o",)]
    assert sorted(states(target)) == ["n", "o"]


def test_what_was_removed_there_does_not_come_back(two: tuple[Store, Store]) -> None:
    """It would be removed again, and counted twice: a gap could hide behind that."""
    origin, target = two
    origin.write([telemetry(1, seq, received=NOW_S + seq, x=1) for seq in range(20)])
    copied(origin, target)
    remove_older(target.engine, NOW_S + 10)
    for _ in range(2):
        account = copied(origin, target)
        assert account.left_out == account.checked.removed == 10
        assert account.checked.missing == 0 and account.readings.repeated == 10
    assert rows(target, "SELECT readings, first_seq, last_seq FROM removed") == [(10, 0, 9)]
    assert rows(target, "SELECT min(seq) FROM readings") == [(10,)]


def test_counts_of_what_was_removed_are_taken_once(two: tuple[Store, Store]) -> None:
    origin, target = two
    for number in range(4):
        told = {"state": str(number)}
        origin.write([event("status", told, received=NOW_S + number)])
    remove_older(origin.engine, NOW_S + 2)
    for _ in range(2):
        copied(origin, target)
    asked = "SELECT value FROM meta WHERE name = 'removed_events'"
    assert rows(target, asked) == [("2",)]
    origin.write([telemetry(1, 0)])
    remove_older(origin.engine, NOW_S + 3)
    copied(origin, target)
    assert rows(target, asked) == [("3",)]


@pytest.mark.parametrize(
    ("there", "given", "held_between", "becomes"),
    [
        (None, (5, 0, 4), 0, (5, 0, 4)),
        ((5, 0, 4), (5, 0, 4), 0, None),
        ((9, 0, 9), (3, 2, 4), 0, None),
        ((2, 3, 4), (5, 0, 4), 0, (5, 0, 4)),  # the same readings in both
        ((2, 8, 9), (5, 0, 4), 0, (7, 0, 9)),
        ((2, 8, 9), (5, 0, 4), 3, (7, 0, 9)),
        ((2, 8, 9), (9, 0, 9), 3, (7, 0, 9)),  # some have come since
    ],
)
def test_counts_of_one_boot_in_two_stores_are_never_too_many(
    there: Any, given: Any, held_between: int, becomes: Any
) -> None:
    assert retention.merged(there, given, held_between) == becomes


# -- interrupted -------------------------------------------------------------------------------


def test_it_goes_on_where_it_was_interrupted(two: tuple[Store, Store]) -> None:
    origin, target = two
    origin.write([telemetry(1, seq, x=seq) for seq in range(30)])
    written = 0
    write = Store.write

    def failing(store: Store, given: Any) -> Any:
        nonlocal written
        written += 1
        if written > 2:
            raise StoreAway("away")
        return write(store, given)

    with (
        mock.patch.object(by_key, "ROWS_MAX", 10),
        mock.patch("fieldpost.stores.copying.note._EVERY_S", 0.0),
        mock.patch("fieldpost.stores.copying.ends._PAUSES_S", ()),
    ):
        with mock.patch.object(Store, "write", failing), pytest.raises(StoreAway):
            copied(origin, target)
        assert rows(target, "SELECT count(*) FROM readings") == [(20,)]
        account = copied(origin, target)
    assert account.resumed and account.readings.stored == 10 and not account.readings.repeated
    assert account.checked.readings == account.checked.found == 30
    assert not copied(origin, target).resumed


def test_a_store_that_takes_nothing_for_a_moment_is_waited_for(two: tuple[Store, Store]) -> None:
    _, target = two
    tries = 0
    pauses: list[float] = []

    def work(_connection: Any) -> int:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise StoreAway("away")
        return tries

    assert Target(target, pauses.append).change(work) == 3 and len(pauses) == 2


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_killed_at_any_moment_while_a_collector_writes(kind: str, tmp_path: Path) -> None:
    """SIGKILL again and again; at last it runs to its end."""
    origin = open_store(parse(f"sqlite:///{tmp_path}/old.db"))
    for boot in range(1, 21):
        origin.write([telemetry(boot, seq, x=seq / 8) for seq in range(1000)])
    origin.write([event("status", {"state": str(number)}) for number in range(500)])
    target = open_store(parse(new_store(kind, tmp_path)))
    end = threading.Event()
    collected = 0
    asked = "SELECT count(*) FROM readings WHERE boot < 20"

    def collect() -> None:
        nonlocal collected
        while not end.is_set():
            # Some that the old store has, too: the broker sends them again.
            target.write([telemetry(20, 900 + seq, x=(900 + seq) / 8) for seq in range(100)])
            target.write([telemetry(21, collected + seq, x=1) for seq in range(50)])
            target.write([event("status", {"state": f"new {collected}"})])
            collected += 50

    thread = threading.Thread(target=collect)
    thread.start()
    try:
        for share in (0.1, 0.3, 0.5, 0.7):
            process = start(str(origin.address), str(target.address.url))
            wait_until(lambda share=share: rows(target, asked)[0][0] > share * 19_000)
            assert process.poll() is None
            process.kill()
            process.communicate()
        out, _ = start(str(origin.address), str(target.address.url)).communicate(timeout=90)
    finally:
        end.set()
        thread.join()
    told = json.loads(out)
    assert told["ok"] and told["checked"]["found"] == told["checked"]["readings"] == 20_000
    asked = "SELECT count(*), count(DISTINCT boot) FROM readings"
    assert rows(target, asked) == [(20_000 + collected, 21)]
    assert rows(target, "SELECT count(*) FROM conflicts") == [(0,)]
    assert rows(target, "SELECT count(*) FROM events WHERE id < 1") == [(500,)]
    assert states(target)[:500] == list(map(str, range(500)))
    assert states(target)[500].startswith("new")
    origin.close()
    target.close()


def start(*words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "fieldpost", "stores", "copy", *words, "--json"],
        env={**os.environ, "PYTHONPATH": str(ROOT / "tools")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
def test_its_memory_is_bounded(tmp_path: Path) -> None:
    """128 MB of the longest readings that there can be."""
    origin = open_store(parse(f"sqlite:///{tmp_path}/old.db"))
    for start_seq in range(0, 2000, 100):
        some = range(start_seq, start_seq + 100)
        origin.write([telemetry(1, seq, text="x" * 64_000) for seq in some])
    target = parse(f"sqlite:///{tmp_path}/new.db")
    tracemalloc.start()
    copy(origin.address, target, lambda *_: None)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    origin.close()
    assert peak_bytes < 60_000_000, peak_bytes


# -- checked -----------------------------------------------------------------------------------


def test_what_is_not_there_is_told(two: tuple[Store, Store]) -> None:
    origin, target = two
    origin.write([telemetry(boot, seq, x=1) for boot in (1, 2) for seq in range(10)])
    origin.write([telemetry(1, 0, of="m", x=1)])
    copied(origin, target)
    with target.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM readings WHERE boot = 2 AND seq IN (3, 5)")
        # As many as there were: the count alone would tell nothing.
    target.write([telemetry(2, seq, x=1) for seq in (77, 78)])
    found = check(
        Origin(origin.address, open_to_read(origin.address)), Target(target), lambda _: None
    )
    assert (found.readings, found.found, found.missing) == (21, 19, 2)
    assert [(one.node, one.boot, one.readings, one.first, one.last) for one in found.listed] == [
        ("n", 2, 2, 3, 5)
    ]


def test_the_command_tells_what_it_did_and_fails_where_readings_are_missing(
    tmp_path: Path,
) -> None:
    origin = open_store(parse(f"sqlite:///{tmp_path}/old.db"))
    fill(origin)
    origin.close()
    words = ["stores", "copy", f"sqlite:///{tmp_path}/old.db", f"sqlite:///{tmp_path}/new.db"]
    ran = fieldpost(*words)
    assert ran.status == 0 and "52 readings were copied, 0 were there already" in ran.out
    assert "2 nodes, 2 boots, 52 readings: 52 are there, 0 are missing" in ran.out
    told = json.loads(fieldpost(*words, "--json").out)
    assert told["ok"] and told["readings"]["repeated"] == 52 and told["events"]["known"] == 6

    def loses(_origin: Origin, target: Target, _note: object) -> None:
        target.change(lambda one: one.exec_driver_sql("DELETE FROM readings WHERE seq = 7"))

    with mock.patch("fieldpost.stores.copying.retention.copy", loses):
        ran = fieldpost(*words, "--json")
        told = json.loads(ran.out)
        assert ran.status == 1 and told["error"]["code"] == "readings_missing"
        ran = fieldpost(*words)
        assert ran.status == 1 and "missing: n boot 1: 1 readings from seq 7 to 7" in ran.out


@pytest.mark.parametrize(
    ("given", "taking", "code", "said"),
    [
        ("sqlite:///{dir}/none.db", "sqlite:///{dir}/b.db", "store_away", "there is no store"),
        ("sqlite:///{dir}/a.db", "sqlite:///{dir}/../{name}/a.db", "usage", "both the store"),
        ("sqlite:///{dir}/a.db", "sqlite:///{dir}/no/b.db", "store_away", "there is no folder"),
        ("sqlite:///{dir}/a.db", "mysql://h/b", "usage", "looks like"),
        ("a.db", "sqlite:///{dir}/b.db", "usage", "looks like"),
        ("sqlite:///{dir}/text", "sqlite:///{dir}/b.db", "store_unfit", "no database"),
        ("sqlite:///{dir}/a.db", "postgresql://u:secret@127.0.0.1:1/d", "store_away", "refused"),
    ],
)
def test_bad_input_says_what_is_wrong(
    tmp_path: Path, given: str, taking: str, code: str, said: str
) -> None:
    open_store(parse(f"sqlite:///{tmp_path}/a.db")).close()
    (tmp_path / "text").write_text("this is a text and no database" * 9)
    words = [one.format(dir=tmp_path, name=tmp_path.name) for one in (given, taking)]
    ran = fieldpost("stores", "copy", *words, "--json")
    told = json.loads(ran.out)
    assert ran.status and told["error"]["code"] == code and said in told["error"]["message"]
    assert "secret" not in ran.out + ran.err
