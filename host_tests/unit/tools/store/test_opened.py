"""A store holds each reading once, and all that came beside: the same in SQLite and PostgreSQL."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from rigs.stores import NOW_S, event, new_store, rows, stores, telemetry

from fieldpost.errors import CommandError
from fieldpost.store import schema, sqlite
from fieldpost.store.address import parse
from fieldpost.store.opened import Store, open_store
from fieldpost.store.rows import Reading, Rejected


@pytest.fixture(params=stores())
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return new_store(request.param, tmp_path)


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    one = open_store(parse(url))
    yield one
    one.close()


def test_a_reading_that_comes_again_is_there_once(store: Store) -> None:
    first = [telemetry(1, seq, ts=100 + seq, temperature=seq / 2) for seq in range(5)]
    assert store.write(first).stored == 5
    written = store.write([*first[3:], telemetry(1, 5, temperature=9)])
    assert (written.stored, written.repeated, written.conflicts) == (1, 2, 0)
    assert rows(store, "SELECT count(*) FROM readings") == [(6,)]


def test_what_comes_twice_in_one_batch_is_there_once(store: Store) -> None:
    written = store.write([telemetry(1, 0, x=1)] * 3)
    assert (written.stored, written.repeated) == (1, 2)


def test_another_reading_under_a_key_is_kept_beside_it_once_and_told(store: Store) -> None:
    store.write([telemetry(3, 7, temperature=20)])
    written = store.write([telemetry(3, 7, temperature=21), telemetry(3, 8)])
    assert (written.stored, written.conflicts) == (1, 1)
    assert "n boot 3 seq 7" in written.told[0]
    again = store.write([telemetry(3, 7, temperature=21, age_s=5)])
    assert (again.conflicts, again.repeated, again.told) == (0, 1, [])
    assert rows(store, "SELECT temperature FROM wide WHERE seq = 7") == [(20,)]
    assert [json.loads(one) for (one,) in _bytes(store, "conflicts")] == [
        {"boot": 3, "seq": 7, "temperature": 21}
    ]


def test_what_measured_the_same_at_another_time_is_another_reading(store: Store) -> None:
    """A node whose boot count began anew, as each `fieldpost run` does."""
    store.write([telemetry(1, 1, ts=1_000, x=20)])
    written = store.write([telemetry(1, 1, ts=90_000, x=20)])
    assert (written.stored, written.repeated, written.conflicts) == (0, 0, 1)
    third = [telemetry(1, 1, ts=180_000, x=20), telemetry(1, 1, ts=90_000, x=20)]
    written = store.write(third)
    assert (written.repeated, written.conflicts) == (1, 1)
    assert rows(store, "SELECT ts FROM readings") == [(1_000,)]
    assert [json.loads(one)["ts"] for (one,) in _bytes(store, "conflicts")] == [90_000, 180_000]


def test_two_of_one_batch_that_measured_the_same_are_told_apart_by_their_times(
    store: Store,
) -> None:
    written = store.write([telemetry(1, 1, ts=ts, x=20) for ts in (1_000, 90_000)])
    assert (written.stored, written.repeated, written.conflicts) == (1, 0, 1)


def test_a_time_that_was_reckoned_anew_is_the_same_readings(store: Store) -> None:
    store.write([telemetry(1, 1, ts=1_000, x=20)])
    for ts in (998, 1_002):
        written = store.write([telemetry(1, 1, ts=ts, x=20)])
        assert (written.repeated, written.conflicts) == (1, 0)
    assert store.write([telemetry(1, 1, ts=1_003, x=20)]).conflicts == 1


def test_a_conflict_within_one_batch_is_found(store: Store) -> None:
    store.write([telemetry(1, 1, x=1)])
    written = store.write([telemetry(1, 1, x=2), telemetry(1, 1, x=1)])
    assert (written.stored, written.repeated, written.conflicts) == (0, 1, 1)


def test_a_time_that_becomes_known_later_is_filled_in(store: Store) -> None:
    store.write([telemetry(1, 0, age_s=40, x=1), telemetry(1, 1, age_s=30, x=2)])
    assert rows(store, "SELECT seq, ts, time FROM wide ORDER BY seq") == [
        (0, None, NOW_S - 40),
        (1, None, NOW_S - 30),
    ]
    written = store.write([telemetry(1, 0, ts=500, x=1), telemetry(1, 1, age_s=99, x=2)])
    assert (written.filled, written.repeated, written.conflicts) == (1, 2, 0)
    store.write([telemetry(1, 0, ts=501, x=1)])
    assert rows(store, "SELECT seq, ts FROM wide ORDER BY seq") == [(0, 500), (1, None)]


def test_a_time_that_comes_in_the_same_batch_is_taken(store: Store) -> None:
    store.write([telemetry(1, 0, age_s=40, x=1), telemetry(1, 0, ts=500, x=1)])
    assert rows(store, "SELECT ts FROM readings") == [(500,)]


def test_each_name_that_is_measured_becomes_a_column_of_the_view(store: Store) -> None:
    store.write([telemetry(1, 0, temperature=21.5)])
    store.write([telemetry(1, 1, temperature=22, state="open", **{"indoor.humidity": 40})])
    store.write(
        [telemetry(1, 2, temperature="hot", failed=["bme"], Temperature=1, time=9, node=3)]
    )
    answer = 'SELECT seq, temperature, state, "indoor.humidity", failed FROM wide ORDER BY seq'
    found = rows(store, answer)
    assert found[:2] == [(0, 21.5, None, None, None), (1, 22, "open", 40, None)]
    assert found[2][4] == '["bme"]'
    assert rows(store, "SELECT node, boot FROM wide WHERE seq = 2") == [("n", 1)]


def test_a_name_that_no_column_can_have_is_in_the_json_alone(store: Store) -> None:
    odd = {'a"; DROP TABLE readings; --': 1, "": 2, "x" * 300: 3, "ü": 4, "a'b": 5, "%(x)s": 6}
    store.write([telemetry(1, 0, **odd, good=7)])
    assert rows(store, "SELECT good FROM wide") == [(7,)]
    (told,) = rows(store, "SELECT fields FROM readings")
    fields = told[0] if isinstance(told[0], dict) else json.loads(told[0])
    assert fields == {**odd, "good": 7}


def test_a_state_that_is_told_again_is_one_event_and_a_change_is_another(store: Store) -> None:
    online, offline = {"state": "online"}, {"state": "offline"}
    told = [event("status", one) for one in (online, online, offline, online, None, None)]
    written = store.write(told)
    assert (written.events, written.known_events) == (4, 2)
    assert store.write([event("status", None, received=NOW_S + 9)]).events == 0
    assert store.write([event("status", online), event("status", online, node="m")]).events == 2


def test_an_answer_that_comes_twice_is_one_event(store: Store) -> None:
    first, second = {"id": "7", "ok": True}, {"id": "8", "ok": True}
    written = store.write([event("cmd/result", one) for one in (first, second, first)])
    assert (written.events, written.known_events) == (2, 1)


def test_two_who_store_the_same_events_store_them_once(url: str) -> None:
    one, other = open_store(parse(url)), open_store(parse(url))
    states = ["online", "offline", "online", "asleep"]
    told = [event("status", {"state": state}) for state in states]
    other.write([event("status", {"state": "x"}, node="else")])
    one.write([told[0]])
    one.write(told[1:])
    for each in told:
        assert other.write([each]).known_events == 1
    later = event("status", {"state": "online"})
    assert other.write([later]).events == 1 and one.write([later]).events == 0
    one.close()
    other.close()


def test_a_known_state_is_known_after_a_restart(url: str) -> None:
    for expected in 1, 0:
        store = open_store(parse(url))
        assert store.write([event("status", {"state": "online"})]).events == expected
        store.close()


def test_what_can_not_be_read_is_kept_once_with_its_reason(store: Store) -> None:
    bad = Rejected("fieldpost/n/telemetry", NOW_S, b"\xff\x00{", 3, "not UTF-8")
    assert store.write([bad, bad]).rejected == 1
    assert store.write([bad]).rejected == 0
    assert rows(store, "SELECT topic, why, size FROM rejected") == [
        ("fieldpost/n/telemetry", "not UTF-8", 3)
    ]


def test_a_row_that_the_store_can_not_hold_holds_up_no_others(store: Store) -> None:
    bad = Reading("n", 2**70, 0, None, None, NOW_S, b"{}", "{}")
    written = store.write([telemetry(1, 0), bad, telemetry(1, 1)])
    assert (written.stored, written.rejected) == (2, 1)


def test_of_a_batch_that_fails_nothing_is_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "_BUSY_MS", 50)
    store = open_store(parse(f"sqlite:///{tmp_path}/readings.db"))
    holder = sqlite3.connect(tmp_path / "readings.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(CommandError) as raised:
        store.write([telemetry(1, 0)])
    assert raised.value.code == "store_away" and "locked" in str(raised.value)
    holder.execute("ROLLBACK")
    assert store.write([telemetry(1, 0)]).stored == 1
    store.close()
    holder.close()


def test_a_schema_of_a_newer_version_is_left_as_it_is(url: str) -> None:
    store = open_store(parse(url))
    with store.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE meta SET value = '99' WHERE name = 'version'")
    store.close()
    with pytest.raises(CommandError, match="newer Fieldpost") as raised:
        open_store(parse(url))
    assert raised.value.code == "store_unfit"


def test_a_step_that_fails_leaves_the_schema_before_it(url: str) -> None:
    store = open_store(parse(url))

    def good(connection):
        connection.exec_driver_sql("CREATE TABLE more (id integer)")

    def bad(connection):
        connection.exec_driver_sql("CREATE TABLE even_more (id integer)")
        raise ValueError("no")

    with pytest.raises(ValueError):
        schema.bring_up_to_date(store.engine, "it", (*schema.STEPS, good, bad))
    with store.engine.connect() as connection:
        assert schema.version_of(connection) == 1
    assert schema.bring_up_to_date(store.engine, "it", (*schema.STEPS, good)) == 1
    with store.engine.connect() as connection:
        assert schema.version_of(connection) == 2
    store.close()


def test_tables_of_another_program_are_left_alone(url: str, tmp_path: Path) -> None:
    if url.startswith("sqlite"):
        sqlite3.connect(tmp_path / "readings.db").execute("CREATE TABLE events (x)")
    else:
        import psycopg

        with psycopg.connect(url, autocommit=True) as one:
            one.execute("CREATE TABLE events (x integer)")
    with pytest.raises(CommandError) as raised:
        open_store(parse(url))
    assert raised.value.code == "store_unfit"


def test_what_is_no_store_is_told(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("these are no readings, whatever the name says" * 99)
    (tmp_path / "folder").mkdir()
    for name, code in ("text", "store_unfit"), ("folder", "store_unfit"), ("no/x", "store_away"):
        with pytest.raises(CommandError) as raised:
            open_store(parse(f"sqlite:///{tmp_path}/{name}"))
        assert raised.value.code == code, name


@pytest.mark.slow
def test_a_database_that_is_not_there_is_told_without_the_password(tmp_path: Path) -> None:
    with pytest.raises(CommandError) as raised:
        open_store(parse("postgresql://ann:secret@127.0.0.1:1/readings"))
    assert raised.value.code == "store_away" and "does PostgreSQL run" in str(raised.value)
    assert "secret" not in str(raised.value)


def _bytes(store: Store, table: str) -> list[tuple[bytes]]:
    return [(bytes(one),) for (one,) in rows(store, f"SELECT payload FROM {table}")]
