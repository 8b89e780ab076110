"""What is old goes, a little at a time; its count stays, and so does the state of each node."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from rigs.stores import NOW_S, event, open_on, rows, stores, telemetry

from fieldpost.store import removal
from fieldpost.store.opened import Store
from fieldpost.store.rows import Rejected


@pytest.fixture(params=stores())
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    yield from open_on(request.param, tmp_path)


def test_what_came_before_goes_in_pieces_and_is_counted(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(removal, "_AT_ONCE", 4)
    store.write([telemetry(1, seq, received=NOW_S + seq) for seq in range(20) if seq != 5])
    store.write([telemetry(2, seq, of="m", received=NOW_S + 3) for seq in range(3, 6)])
    told: list[int] = []
    done = removal.remove_older(store.engine, NOW_S + 10, told.append)
    assert done.readings == 12 and len(told) > 2 and told[-1] == 12
    assert rows(store, "SELECT count(*), min(seq) FROM readings") == [(10, 10)]
    assert sorted(
        rows(store, "SELECT node, boot, readings, first_seq, last_seq FROM removed")
    ) == [
        ("m", 2, 3, 3, 5),
        ("n", 1, 9, 0, 9),
    ]
    assert removal.remove_older(store.engine, NOW_S + 10).readings == 0
    removal.remove_older(store.engine, NOW_S + 100)
    assert ("n", 1, 19, 0, 19) in rows(store, "SELECT * FROM removed")


def test_the_last_event_of_each_kind_stays_and_the_rest_is_counted(store: Store) -> None:
    states = ["online", "offline", "online"]
    store.write([event("status", {"state": state}) for state in states])
    store.write([event("health", {"dropped": 1}), Rejected("t", NOW_S, b"x", 1, "no")])
    assert removal.remove_others(store.engine, NOW_S + 1) == 3
    kinds = [kind for (kind,) in rows(store, "SELECT kind FROM events ORDER BY kind")]
    assert kinds == ["health", "status"]
    counts = dict(rows(store, "SELECT name, value FROM meta WHERE name <> 'version'"))
    assert counts == {"removed_events": "2", "removed_rejected": "1"}
