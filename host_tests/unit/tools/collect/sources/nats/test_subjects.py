"""A topic has one subject in NATS, and the subject has the topic."""

from __future__ import annotations

import pytest

from fieldpost.collect.sources.nats.subjects import subject, topic


@pytest.mark.parametrize(
    ("of_topic", "expected"),
    [
        ("fieldpost/greenhouse-1/telemetry", "fieldpost.greenhouse-1.telemetry"),
        ("fieldpost/a.b/cmd/result", "fieldpost.a//b.cmd.result"),
        ("farm/fieldpost/a/status", "farm.fieldpost.a.status"),
        ("/fieldpost/a", "/.fieldpost.a"),
        ("fieldpost//a", "fieldpost./.a"),
        ("fieldpost/a/", "fieldpost.a./"),
        ("fieldpost/größe/telemetry", "fieldpost.größe.telemetry"),
    ],
)
def test_a_topic_comes_back_from_its_subject(of_topic: str, expected: str) -> None:
    assert subject(of_topic) == expected
    assert topic(expected) == of_topic


def test_a_filter_of_mqtt_is_one_of_nats() -> None:
    assert subject("fieldpost/+/telemetry") == "fieldpost.*.telemetry"
    assert subject("fieldpost/#") == "fieldpost.>"
