"""The storm that is simulated: the firmware's own code, a rate that is bounded, and its page."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from firmware.net import link, recovery
from scale import storm, storm_page
from scale.storm import Broker, Storm

NODES = 1000
_DAY_MS = 86_400_000


@pytest.fixture(autouse=True)
def host_keeps_its_collector() -> Iterator[None]:
    kept = link.gc, recovery.gc
    storm.prepare()
    yield
    link.gc, recovery.gc = kept


def _restart(law: str, **broker: float) -> Storm:
    return storm.always_on(law, NODES, _DAY_MS, Broker(50, backlog=20, away_s=5, **broker))


def test_a_fleet_whose_broker_restarts_dials_at_a_bounded_rate() -> None:
    found, before = _restart("Fieldpost"), _restart("full jitter")
    assert max(found.arrivals) < 2 * NODES / 30
    assert max(before.arrivals) > NODES, "what the rate was without a bound"
    assert len(found.delivered_s) == NODES
    assert found.delivered_s[-1] < 90
    assert found.dials < 2 * NODES


def test_after_a_short_session_all_are_back_within_seconds() -> None:
    found = storm.always_on("Fieldpost", 1, 30_000, Broker(50))
    assert found.delivered_s[0] < 1.1


@pytest.mark.parametrize("law", storm.LAWS)
def test_a_silent_broker_is_given_its_time_and_repeated_syns_count(law: str) -> None:
    slow = Broker(10, backlog=20, silent=True)
    found = storm.always_on(law, NODES, _DAY_MS, slow)
    assert sum(found.arrivals) > found.dials
    assert found.delivered_s == sorted(found.delivered_s)


def test_the_same_seed_gives_the_same_storm() -> None:
    assert _restart("Fieldpost") == _restart("Fieldpost")


def test_nodes_that_sleep_come_evenly_with_a_phase_each_and_together_without() -> None:
    broker = Broker(50, backlog=20, away_s=120)
    apart, together = (storm.asleep(NODES, 60, phases, broker) for phases in (True, False))
    assert max(apart.arrivals) < 2 * NODES / 60 + 10
    assert max(together.arrivals) > NODES / 6
    assert apart.delivered_s[-1] < 200 < together.delivered_s[-1]


def test_the_page_has_what_was_played() -> None:
    results = json.loads(storm_page.RESULTS.read_text())
    assert storm_page.markdown(results) in storm_page.PAGE.read_text()
