"""What Prometheus is told of a collector."""

from __future__ import annotations

import urllib.request

import pytest

from fieldpost.errors import CommandError
from fieldpost.store.rows import Written

pytest.importorskip("prometheus_client")

from fieldpost.collect.metrics import Metrics


class State:
    def waiting(self) -> int:
        return 3

    def is_connected(self) -> bool:
        return True

    def takes(self) -> bool:
        return False


def test_it_answers_on_loopback_with_the_counts() -> None:
    metrics = Metrics("0")
    metrics.on_commit(Written(stored=5, repeated=2, conflicts=1), 0.02)
    end = metrics.start(State())
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{metrics.port}/metrics", timeout=5) as one:
            text = one.read().decode()
        with pytest.raises(CommandError) as raised:
            Metrics(str(metrics.port)).start(State())
        assert raised.value.code == "port_taken"
    finally:
        end()
    for line in (
        "fieldpost_collect_readings_stored_total 5.0",
        "fieldpost_collect_readings_repeated_total 2.0",
        "fieldpost_collect_conflicts_total 1.0",
        "fieldpost_collect_waiting 3.0",
        "fieldpost_collect_connected 1.0",
        "fieldpost_collect_store_takes 0.0",
        "fieldpost_collect_commit_seconds_count 1.0",
    ):
        assert line in text.splitlines()


@pytest.mark.parametrize("where", ["", "x", "70000", "host:", "-1"])
def test_a_place_that_is_none_is_refused(where: str) -> None:
    with pytest.raises(CommandError) as raised:
        Metrics(where)
    assert raised.value.code == "usage"
