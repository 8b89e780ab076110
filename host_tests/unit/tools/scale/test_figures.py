"""The account of a run: what is missing, what is there twice, and how long it took."""

from __future__ import annotations

from collections import Counter

from scale import figures
from scale.fleet import Key, Lived
from scale.proxy import Traffic
from scale.stored import Stored
from scale.watch import Sample

BEGAN = 1000.0
TIMES = figures.Times(began=BEGAN, over=BEGAN + 15, back=BEGAN + 20, ended=BEGAN + 40)


def key(seq: int) -> Key:
    return "steady-0", 1, seq


def lived(accepted: dict[int, float], acknowledged: dict[int, float]) -> Lived:
    return Lived(
        {key(seq): moment for seq, moment in accepted.items()},
        {key(seq): moment for seq, moment in acknowledged.items()},
        Counter({1001: 7, 1002: 30, 900: 99}),
        Counter(waiting=0, dropped=0, reconnects=3, repeats=1),
        Counter({"connection reset": 3}),
        [],
    )


def stored(committed: dict[int, float], rows: int | None = None) -> Stored:
    found = {key(seq): moment for seq, moment in committed.items()}
    return Stored(found, len(found) if rows is None else rows, 0, 0)


def test_what_was_acknowledged_and_is_not_stored_is_lost() -> None:
    told = figures.account(lived({0: 1.0, 1: 2.0, 2: 3.0}, {0: 1.1, 1: 2.1}), stored({0: 1.2}))
    assert (told["lost"], told["foreign"], told["twice"]) == (1, 0, 0)
    assert (
        not figures.is_kept(told)
        and "1 lost" in figures.broken([{"cluster": "c", "fault": "f", **told}])[0]
    )


def test_what_waits_at_a_node_is_not_lost() -> None:
    told = figures.account(lived({0: 1.0, 1: 2.0}, {0: 1.1}), stored({0: 1.2}))
    assert told["lost"] == 0 and figures.is_kept(told)


def test_a_second_row_and_a_reading_of_nobody_are_seen() -> None:
    told = figures.account(lived({0: 1.0}, {0: 1.1}), stored({0: 1.2, 7: 1.3}, rows=3))
    assert (told["foreign"], told["twice"]) == (1, 1) and not figures.is_kept(told)


def test_the_last_reading_that_was_held_up_says_when_all_was_delivered() -> None:
    accepted = {0: BEGAN + 1, 1: BEGAN + 2, 2: BEGAN + 30}
    told = figures.took(
        lived(accepted, accepted),
        stored({0: BEGAN + 1.1, 1: BEGAN + 22, 2: BEGAN + 30.2}),
        [],
        TIMES,
    )
    assert told["late"] == 1 and told["delivered_s"] == 22.0
    assert told["pause_s"] == 20.9 and told["way_max_s"] == 20.0


def test_connections_are_counted_from_the_fault_on() -> None:
    samples = [
        Sample(BEGAN - 5, Traffic(100, 100, (50, 50)), 100),
        Sample(BEGAN + 1, Traffic(110, 0, (50, 50)), 100),
        Sample(BEGAN + 1.5, Traffic(130, 90, (60, 55)), 115),
        Sample(BEGAN + 2.1, Traffic(130, 90, (61, 55)), 116),
    ]
    accepted = {0: BEGAN + 1}
    told = figures.took(lived(accepted, accepted), stored(accepted), samples, TIMES)
    assert (told["dials"], told["dials_per_s"], told["reached_per_s"]) == (37, 30, 15)


def test_an_extra_that_nodes_gave_up_is_counted_by_nodes() -> None:
    accepted = {0: BEGAN + 1}
    run = lived(accepted, accepted)
    closed = {f"broker closes on fieldpost/n-{n}/cmd": 3 for n in range(4)}
    run.causes.update({**closed, "broker closes on fieldpost/n-9/cmd": 1})
    told = figures.took(run, stored(accepted), [], TIMES)
    assert told["left_out"] == {"…/cmd": 4}
    assert told["causes"] == {"broker closes on …/cmd": 13, "connection reset": 3}


def test_a_series_says_where_readings_wait() -> None:
    accepted = {0: BEGAN - 9.5, 1: BEGAN + 0.5, 2: BEGAN + 1.5}
    acknowledged = {0: BEGAN - 9.4, 1: BEGAN + 3.5, 2: BEGAN + 3.6}
    told = figures.series(
        lived(accepted, acknowledged),
        # The second one's commit was done before its node heard that the broker has it.
        stored({0: BEGAN - 9.3, 1: BEGAN + 3.4, 2: BEGAN + 5.5}),
        [],
        TIMES,
    )
    at = {second: place for place, second in enumerate(told["second"])}
    assert told["second"][0] == -10 and told["second"][-1] == 40
    assert [told["at_nodes"][at[n]] for n in (0, 1, 2, 3, 4)] == [0, 1, 2, 2, 0]
    assert [told["in_brokers"][at[n]] for n in (0, 3, 4, 5, 6)] == [0, 0, 1, 1, 0]
    assert [told["stored"][at[n]] for n in (3, 4, 5)] == [1, 0, 1]
