"""A collector that is killed at any moment loses no reading and has none twice, in both stores."""

from __future__ import annotations

import secrets
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from rigs.collecting import (
    LOSES_NOTHING,
    Collecting,
    PostgreSql,
    Stream,
    killed_often,
    postgresql,
    settled,
)
from rigs.mosquitto import need_mosquitto

from fieldpost.mqtt.brokers import Broker

_KILLS = 20


@pytest.fixture
def broker() -> Iterator[Broker]:
    need_mosquitto("amqtt loses what it has kept for a subscriber that goes away")
    with Broker("mosquitto", persistence=True, more=LOSES_NOTHING) as one:
        yield one


@pytest.fixture(scope="module")
def cluster() -> Iterator[PostgreSql | None]:
    with postgresql() as one:
        yield one


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path, cluster: PostgreSql | None) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/readings.db"
    if cluster is None:
        pytest.skip("PostgreSQL is not installed")
    return cluster.new_database()


def test_killed_while_readings_come_it_has_each_once(broker: Broker, tmp_path: Path) -> None:
    found = killed_often(broker, f"sqlite:///{tmp_path}/readings.db", seed=1, kills=1)
    assert found.is_exact and found.published > 100, found


@pytest.mark.slow
@pytest.mark.timeout(200)
def test_killed_at_moments_of_chance_it_has_each_once(broker: Broker, store: str) -> None:
    seed = secrets.randbelow(2**31)
    print(f"seed {seed}")
    found = killed_often(broker, store, seed=seed, kills=_KILLS)
    assert found.is_exact and found.published > 1000, (seed, found)


@pytest.mark.slow
@pytest.mark.timeout(200)
def test_one_that_acknowledges_before_its_commit_is_found_out(
    broker: Broker, tmp_path: Path
) -> None:
    store = f"sqlite:///{tmp_path}/readings.db"
    found = killed_often(broker, store, seed=1, kills=8, sabotaged=True)
    assert found.lost > 0, found


@pytest.mark.slow
@pytest.mark.timeout(200)
def test_a_broker_that_restarts_costs_nothing(broker: Broker, store: str) -> None:
    with Collecting(broker, store) as one:
        one.says("storing into")
        stream = Stream(broker)
        for _ in range(3):
            time.sleep(0.5)
            broker.stop()
            broker.start()
        time.sleep(0.5)
        stream.end()
        found = settled(store, stream)
    assert found.is_exact, (found, one.lines)


@pytest.mark.slow
@pytest.mark.timeout(200)
def test_two_collectors_on_one_store_have_each_once(broker: Broker, store: str) -> None:
    with (
        Collecting(broker, store, "--client-id", "one") as one,
        Collecting(broker, store, "--client-id", "two") as two,
    ):
        one.says("storing into")
        two.says("storing into")
        stream = Stream(broker, rate=1000)
        time.sleep(2)
        two.kill()
        time.sleep(1)
        stream.end()
        found = settled(store, stream)
    assert found.is_exact, (found, one.lines, two.lines)


@pytest.mark.slow
@pytest.mark.timeout(200)
def test_a_store_that_is_away_for_a_while_costs_nothing(
    broker: Broker, store: str, cluster: PostgreSql | None, tmp_path: Path
) -> None:
    with Collecting(broker, store) as one:
        one.says("storing into")
        stream = Stream(broker)
        time.sleep(0.5)
        with _away(store, cluster, tmp_path):
            one.says("the store takes nothing")
            time.sleep(3)
        one.says("the store takes readings again")
        stream.end()
        found = settled(store, stream)
    assert found.is_exact and found.published > 1000, (found, one.lines)


@pytest.mark.slow
@pytest.mark.timeout(200)
def test_ended_in_order_while_the_store_is_away_it_has_acknowledged_nothing_of_the_rest(
    broker: Broker, tmp_path: Path
) -> None:
    store = f"sqlite:///{tmp_path}/readings.db"
    with Collecting(broker, store) as one:
        one.says("storing into")
        stream = Stream(broker)
        with _away(store, None, tmp_path):
            one.says("the store takes nothing")
            assert one.terminate() == 0
    with Collecting(broker, store) as other:
        other.says("storing into")
        stream.end()
        found = settled(store, stream)
    assert found.is_exact, (found, one.lines, other.lines)


@pytest.mark.slow
@pytest.mark.timeout(200)
@pytest.mark.skipif(
    sys.platform != "linux", reason="limits another process's files: on Linux only"
)
def test_a_disk_that_is_full_for_a_while_costs_nothing(broker: Broker, tmp_path: Path) -> None:
    """The limit on the size of files stands for the disk; SQLite gets EFBIG in the place of
    ENOSPC."""
    store = f"sqlite:///{tmp_path}/readings.db"
    with Collecting(broker, store) as one:
        one.says("storing into")
        one.limit_files(300_000)
        stream = Stream(broker, rate=1000)
        one.says("the store takes nothing")
        time.sleep(2)
        one.limit_files(None)
        one.says("the store takes readings again")
        stream.end()
        found = settled(store, stream)
    assert found.is_exact and found.published > 2000, (found, one.lines)


@pytest.mark.slow
@pytest.mark.timeout(200)
def test_a_disk_of_postgresql_that_is_full_costs_nothing(
    broker: Broker, cluster: PostgreSql | None
) -> None:
    """A trigger raises the error that PostgreSQL has for it."""
    if cluster is None:
        pytest.skip("PostgreSQL is not installed")
    store = cluster.new_database()
    with Collecting(broker, store) as one:
        one.says("storing into")
        _do(
            store,
            "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100'; END $$",
            "CREATE TRIGGER full_disk BEFORE INSERT ON readings "
            "FOR EACH ROW EXECUTE FUNCTION full_disk()",
        )
        stream = Stream(broker)
        one.says("could not extend file")
        time.sleep(1)
        _do(store, "DROP TRIGGER full_disk ON readings")
        one.says("the store takes readings again")
        stream.end()
        found = settled(store, stream)
    assert found.is_exact, (found, one.lines)


def _do(store: str, *statements: str) -> None:
    import psycopg

    with psycopg.connect(store, autocommit=True) as one:
        for statement in statements:
            one.execute(statement)


@contextmanager
def _away(store: str, cluster: PostgreSql | None, folder: Path) -> Iterator[None]:
    """PostgreSQL is stopped; SQLite's file is held by somebody with a change begun."""
    if store.startswith("sqlite"):
        holder = sqlite3.connect(folder / "readings.db", isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            holder.execute("ROLLBACK")
            holder.close()
        return
    assert cluster
    cluster.stop()
    try:
        yield
    finally:
        cluster.start()
