"""What is said of a node now: it is the same whether it was read or followed."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from rigs.serving import Parts
from rigs.stores import NOW_S, event, telemetry

from fieldpost.query.gaps import gaps
from fieldpost.serve.overview import Overview
from fieldpost.store.rows import Row


@pytest.fixture
def parts(tmp_path: Path) -> Parts:
    return Parts(tmp_path)


def readings(count: int, every_s: float, *, boot: int = 1, **more: Any) -> list[Row]:
    """The last of them now."""
    times = [NOW_S - (count - 1 - one) * every_s for one in range(count)]
    return [
        telemetry(boot, seq, ts=int(t), received=t, temperature=20.0, **more)
        for seq, t in enumerate(times)
    ]


def row(parts: Parts, name: str = "n") -> dict[str, Any]:
    found = parts.overview.row(name)
    assert found
    return found


def test_a_node_is_due_one_interval_after_its_last_reading_and_then_late(parts: Parts) -> None:
    parts.write([*readings(10, 60), event("status", {"state": "online"})])
    assert row(parts)["interval_s"] == 60 and row(parts)["due"] == NOW_S + 60
    assert not row(parts)["is_late"]
    parts.now = NOW_S + 89
    assert not row(parts)["is_late"]
    parts.now = NOW_S + 91
    assert row(parts)["is_late"]


def test_that_a_node_has_become_late_is_told_by_itself_once(parts: Parts) -> None:
    parts.write([*readings(10, 60), event("status", {"state": "online"})])
    assert parts.overview.changed() == ["n"]
    assert parts.overview.changed() == []
    parts.now = NOW_S + 91
    assert parts.overview.changed() == ["n"]
    assert parts.overview.changed() == []


@pytest.mark.parametrize("told", [{"until": NOW_S + 900}, {"for_s": 900}])
def test_a_sleeper_is_due_when_it_said(parts: Parts, told: dict[str, Any]) -> None:
    parts.write([*readings(3, 300), event("status", {"state": "asleep", **told})])
    assert row(parts)["due"] == NOW_S + 900
    parts.now = NOW_S + 959
    assert not row(parts)["is_late"]
    parts.now = NOW_S + 961
    assert row(parts)["is_late"]


def test_a_node_that_is_offline_is_due_at_no_time(parts: Parts) -> None:
    parts.write([*readings(3, 60), event("status", {"state": "offline"})])
    assert row(parts)["state"] == "offline" and row(parts)["due"] is None


def test_what_health_tells_is_shown(parts: Parts) -> None:
    told = {
        "firmware": "1.2.3",
        "board": "pico w",
        "rssi": -67,
        "outbox": 4,
        "dropped": 2,
        "uptime_s": 9,
    }
    parts.write([*readings(3, 60, supply_mv=3912), event("health", told)])
    found = row(parts)
    assert (found["firmware"], found["rssi"], found["backlog"], found["dropped"]) == (
        "1.2.3",
        -67,
        4,
        2,
    )
    assert found["supply_mv"] == 3912
    assert [one["name"] for one in found["fields"]] == ["supply_mv", "temperature"]


def test_a_stranger_may_say_anything_in_a_nodes_name(parts: Parts) -> None:
    nonsense: list[Any] = [None, True, -5, 2**62, 1e308, "x" * 5000, [], {}, [[]], {"a": {"b": 1}}]
    for value in nonsense:
        parts.write(
            [
                event("status", {"state": value, "until": value, "for_s": value}),
                event(
                    "health",
                    dict.fromkeys(
                        (
                            "firmware",
                            "rssi",
                            "outbox",
                            "dropped",
                            "deliver_every",
                            "sample_s",
                            "uptime_s",
                        ),
                        value,
                    ),
                ),
                event("update", {"state": value}),
            ]
        )
        found = row(parts)
        assert len(str(found)) < 1000
    parts.write([event("status", None), event("health", None)])
    assert row(parts)["state"] == "unknown"


def test_missing_is_what_fieldpost_gaps_counts_whatever_comes_in_which_order(parts: Parts) -> None:
    rng = random.Random(15)
    keys = [(boot, seq) for boot in (3, 4, 7) for seq in range(40)]
    rng.shuffle(keys)
    del keys[90:]
    keys += rng.sample(keys, 30)  # These come again.
    for start in range(0, len(keys), 7):
        parts.write(
            [telemetry(boot, seq, ts=1000 * boot + seq) for boot, seq in keys[start : start + 7]]
        )
        with parts.engine.connect() as connection:
            (counted,) = gaps(connection)
        fresh = Overview(parts.engine)
        fresh.load()
        read = fresh.row("n")
        assert read and (read["missing"], read["readings"]) == (counted.missing, counted.readings)
    # A recount is not made at each reading: it may be a moment behind.
    node = parts.overview._nodes["n"]
    node.recount_at = 0
    followed = row(parts)
    with parts.engine.connect() as connection:
        (counted,) = gaps(connection)
    assert (followed["missing"], followed["readings"]) == (counted.missing, counted.readings)


def test_followed_and_read_anew_are_the_same(parts: Parts) -> None:
    parts.write(readings(30, 10))
    parts.write(
        [event("status", {"state": "online"}), event("health", {"outbox": 0, "rssi": -50})]
    )
    parts.write([telemetry(1, 30, ts=int(NOW_S) + 10, received=NOW_S + 10, temperature=21.0)])
    fresh = Overview(parts.engine, lambda: parts.now)
    fresh.load()
    assert fresh.is_loaded and fresh.rows() == parts.overview.rows()


def test_readings_whose_time_is_not_known_count_from_when_they_came(parts: Parts) -> None:
    parts.write([telemetry(1, 0, age_s=40, temperature=1.0), telemetry(1, 1, temperature=1.0)])
    assert row(parts)["last"]["t"] == NOW_S


def test_names_are_found_without_looking_at_each_reading(parts: Parts) -> None:
    for name in ("b", "a", "ü", "Z"):
        parts.write([telemetry(1, seq, of=name, ts=seq) for seq in range(5)])
    parts.write([event("status", {"state": "online"}, node="silent")])
    fresh = Overview(parts.engine)
    fresh.load()
    assert [one["name"] for one in fresh.rows()] == ["Z", "a", "b", "silent", "ü"]


def test_what_was_measured_has_its_unit_where_that_is_known(parts: Parts) -> None:
    parts.write(readings(2, 60, constructor=1, MARK=2.0))
    assert row(parts)["last"]["units"] == {"temperature": "°C"}
