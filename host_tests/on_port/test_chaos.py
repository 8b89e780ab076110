"""Connections that break at every byte, and brokers that are killed: all of it is delivered.

A seeded sample of the bytes; `make reliability` plays every byte.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from rigs.breaking import (
    BACKLOG,
    TIMEOUT_MS,
    break_connections,
    every_fault,
    kill_broker,
    whole_session,
)

from fieldpost.mqtt import brokers

# What a wait may exceed its deadline by: the 20 ms of the script's own rest, and this machine.
SLACK_MS = 250
SAMPLED = 60

pytestmark = pytest.mark.skipif(
    brokers.find_mosquitto() is None, reason="Mosquitto is not installed"
)


def test_a_connection_that_breaks_at_any_byte_loses_nothing_and_holds_nothing_up() -> None:
    with brokers.Broker("mosquitto") as broker:
        faults = every_fault(whole_session(broker.port))
        assert len(faults) > 3 * 250
        outcome = break_connections(broker.port, random.Random(20).sample(faults, SAMPLED))
    assert len(outcome.faults) == SAMPLED
    assert [one for one in outcome.reports if one["left"]] == []
    # At least once on the wire, exactly once by the key, in order.
    assert outcome.lost == 0
    assert outcome.account.out_of_order == 0
    assert outcome.longest_wait_ms <= TIMEOUT_MS + SLACK_MS
    # The faults were real: most of the broken connections cost a second attempt.
    assert sum(one.report["attempts"] > 1 for one in outcome.faults) > SAMPLED * 0.8


@pytest.mark.parametrize("persistence", [True, False], ids=["persistent", "forgetful"])
def test_a_broker_killed_in_the_middle_of_a_backlog_gets_the_rest_after_its_restart(
    persistence: bool, tmp_path: Path
) -> None:
    outcome = kill_broker(persistence, tmp_path)
    assert 0 < outcome.before < BACKLOG
    assert outcome.report["left"] == 0 and outcome.report["attempts"] > 1
    assert outcome.lost == 0
    assert outcome.account.out_of_order == 0
