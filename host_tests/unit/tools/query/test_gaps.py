"""A gap is told where it can be proved, and nowhere else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from rigs.command_line import fieldpost
from rigs.stores import event, open_on, stores, telemetry

from fieldpost.query.gaps import Gap, Node, gaps
from fieldpost.store.opened import Store
from fieldpost.store.tables import removed


@pytest.fixture(params=stores())
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    yield from open_on(request.param, tmp_path)


def asked(store: Store, *nodes: str) -> list[Node]:
    with store.engine.connect() as connection:
        return gaps(connection, nodes)


def test_what_came_whole_has_none(store: Store) -> None:
    store.write([telemetry(boot, seq) for boot in (1, 2) for seq in range(9)])
    (node,) = asked(store)
    assert (node.readings, node.missing, len(node.boots)) == (18, 0, 2)


def test_a_missing_number_is_named_with_the_times_around_it(store: Store) -> None:
    store.write([telemetry(1, seq, ts=1000 + seq) for seq in (0, 1, 4, 5, 7)])
    (node,) = asked(store)
    assert node.missing == 3
    assert node.boots[0].gaps == [Gap(2, 3, 1001, 1004), Gap(6, 6, 1005, 1007)]


def test_the_first_boot_may_be_joined_in_the_middle_and_a_later_one_begins_at_0(
    store: Store,
) -> None:
    store.write([telemetry(4, 90), telemetry(4, 91), telemetry(5, 2), telemetry(5, 3)])
    (node,) = asked(store)
    assert [boot.missing for boot in node.boots] == [0, 2]
    assert node.boots[1].gaps == [Gap(0, 1, None, None)]


def test_what_was_removed_for_its_age_is_no_gap(store: Store) -> None:
    store.write([telemetry(1, seq) for seq in (*range(50, 60), *range(62, 70))])
    with store.engine.begin() as connection:
        values = {"node": "n", "boot": 1, "readings": 48, "first_seq": 2, "last_seq": 49}
        connection.execute(removed.insert().values(values))
    (node,) = asked(store)
    (boot,) = node.boots
    assert (boot.readings, boot.removed, boot.missing) == (66, 48, 2)
    assert [(gap.first, gap.last) for gap in boot.gaps] == [(60, 61)]


def test_a_node_of_which_all_was_removed_is_still_counted(store: Store) -> None:
    with store.engine.begin() as connection:
        values = {"node": "n", "boot": 1, "readings": 7, "first_seq": 0, "last_seq": 9}
        connection.execute(removed.insert().values(values))
    (node,) = asked(store)
    assert (node.readings, node.missing) == (7, 3)


def test_the_nodes_own_count_stands_beside_it(store: Store) -> None:
    store.write([telemetry(1, 0), telemetry(1, 4), telemetry(1, 0, of="m")])
    store.write([event("health", {"dropped": 1, "outbox": 9})])
    store.write([event("health", {"dropped": 3, "outbox": 2, "corrupt": "x"})])
    n, m = asked(store, "n")[0], asked(store, "m")[0]
    assert (n.missing, n.dropped, n.waiting, n.corrupt) == (3, 3, 2, None)
    assert (m.missing, m.dropped) == (0, None)


def test_the_command_has_a_status_for_a_script(tmp_path: Path) -> None:
    for store in open_on("sqlite", tmp_path):
        store.write([telemetry(1, 0), telemetry(1, 2)])
        ran = fieldpost("gaps", "--store", str(store.address), "--json")
        told = json.loads(ran.out)
        assert ran.status == 1 and told["error"]["code"] == "readings_missing"
        assert (told["readings"], told["missing"]) == (2, 1)
        store.write([telemetry(1, 1)])
        ran = fieldpost("gaps", "--store", str(store.address))
        assert ran.status == 0 and "no reading is missing of 3" in ran.out
