"""Killed at any moment, with store, broker or disk away: each reading is there, once."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from rigs import collect_faults, collect_stepped
from rigs.collecting import LOSES_NOTHING
from rigs.mosquitto import need_mosquitto
from rigs.postgresql import PostgreSql, postgresql

from fieldpost.mqtt.brokers import Broker
from fieldpost.store.address import parse
from fieldpost.store.opened import open_store

_KILLS = 15
pytestmark = pytest.mark.timeout(200)


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
    store = f"sqlite:///{tmp_path}/readings.db"
    found = collect_faults.killed_often(broker, store, seed=1, kills=1)
    assert found.is_exact and found.published > 100, found


@pytest.mark.slow
def test_killed_at_moments_of_chance_it_has_each_once(broker: Broker, store: str) -> None:
    seed = secrets.randbelow(2**31)
    print(f"seed {seed}")
    found = collect_faults.killed_often(broker, store, seed=seed, kills=_KILLS)
    assert found.is_exact and found.published > 1000, (seed, found)


@pytest.mark.slow
def test_one_that_acknowledges_before_its_commit_is_found_out(
    broker: Broker, tmp_path: Path
) -> None:
    store = f"sqlite:///{tmp_path}/readings.db"
    found = collect_faults.killed_often(broker, store, seed=1, kills=10, sabotaged=True)
    assert found.lost > 0, found


@pytest.mark.slow
def test_a_broker_that_restarts_costs_nothing(broker: Broker, store: str) -> None:
    found = collect_faults.broker_restarted(broker, store)
    assert found.is_exact and found.published > 300, found


@pytest.mark.slow
def test_two_collectors_on_one_store_have_each_once(broker: Broker, store: str) -> None:
    found = collect_faults.two_collectors(broker, store)
    assert found.is_exact and found.published > 1000, found


@pytest.mark.slow
def test_a_store_that_is_away_for_a_while_costs_nothing(
    broker: Broker, store: str, cluster: PostgreSql | None
) -> None:
    found = collect_faults.store_away(broker, store, cluster, away_s=3)
    assert found.is_exact and found.published > 1000, found


@pytest.mark.slow
def test_a_clock_that_is_set_by_years_costs_nothing(broker: Broker, store: str) -> None:
    found = collect_faults.clock_stepped(broker, store, for_s=3)
    assert found.is_exact and found.published > 800, found
    # It was: what came in the same seconds has years between it.
    opened = open_store(parse(store))
    with opened.engine.connect() as connection:
        first, last = connection.exec_driver_sql(
            "SELECT min(received), max(received) FROM readings"
        ).one()
    opened.close()
    assert last - first > 5000 * collect_stepped.DAY_S


@pytest.mark.slow
def test_ended_in_order_while_the_store_is_away_it_has_acknowledged_nothing_of_the_rest(
    broker: Broker, tmp_path: Path
) -> None:
    store = f"sqlite:///{tmp_path}/readings.db"
    found = collect_faults.ended_while_the_store_is_away(broker, store)
    assert found.is_exact, found


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="another process's files: on Linux only")
def test_a_disk_that_is_full_for_a_while_costs_nothing(broker: Broker, tmp_path: Path) -> None:
    found = collect_faults.disk_full(broker, f"sqlite:///{tmp_path}/readings.db")
    assert found.is_exact and found.published > 2000, found


@pytest.mark.slow
def test_a_disk_of_postgresql_that_is_full_costs_nothing(
    broker: Broker, cluster: PostgreSql | None
) -> None:
    if cluster is None:
        pytest.skip("PostgreSQL is not installed")
    found = collect_faults.disk_of_postgresql_full(broker, cluster.new_database())
    assert found.is_exact, found
