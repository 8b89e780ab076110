"""The subscriber's account: a gap is named, a repeat is stored once, an order is checked."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tracemalloc
from typing import Any

import pytest

from fieldpost.messages import telemetry, verify
from fieldpost.messages.telemetry import Kind, Verifier
from fieldpost.mqtt import brokers

TOPIC = "fieldpost/roof/telemetry"


def reading(boot: int, seq: int, **fields: Any) -> bytes:
    return json.dumps(
        {"boot": boot, "seq": seq, "ts": 1, "temperature": seq / 10, **fields}
    ).encode()


def kinds(*keys: tuple[int, int]) -> list[Kind]:
    verifier = Verifier()
    return [verifier.feed(TOPIC, reading(*key)).kind for key in keys]


def listed(verifier: Verifier) -> list[tuple[str, int, list[tuple[int, int]]]]:
    return [(node, boot, list(numbers)) for node, boot, numbers in verifier.missing()]


def test_readings_in_order_are_new() -> None:
    assert kinds((1, 5), (1, 6), (1, 7)) == [Kind.BOOT, Kind.NEW, Kind.NEW]


def test_a_gap_is_named_with_its_size_and_filled_by_what_comes_late() -> None:
    verifier = Verifier()
    for seq in (0, 1):
        verifier.feed(TOPIC, reading(1, seq))
    verdict = verifier.feed(TOPIC, reading(1, 5))
    assert (verdict.kind, verdict.missing) == (Kind.GAP, 3)
    assert listed(verifier) == [("roof", 1, [(2, 4)])]
    assert verifier.feed(TOPIC, reading(1, 3)).kind == Kind.LATE
    assert listed(verifier) == [("roof", 1, [(2, 2), (4, 4)])]


def test_what_comes_twice_is_stored_once_whatever_its_age_says_by_then() -> None:
    verifier = Verifier()
    first = json.dumps({"boot": 1, "seq": 0, "age_s": 3, "t": 1}).encode()
    again = json.dumps({"boot": 1, "seq": 0, "ts": 1795368917, "t": 1}).encode()
    other = json.dumps({"boot": 1, "seq": 0, "age_s": 3, "t": 2}).encode()
    assert [verifier.feed(TOPIC, one).kind for one in (first, again, other)] == [
        Kind.BOOT,
        Kind.DUPLICATE,
        Kind.CONFLICT,
    ]


def test_a_new_boot_begins_at_0_and_what_lacks_before_is_a_gap() -> None:
    assert kinds((3, 7), (4, 0), (4, 1)) == [Kind.BOOT, Kind.BOOT, Kind.NEW]
    assert kinds((3, 7), (4, 2)) == [Kind.BOOT, Kind.GAP]


def test_nodes_are_kept_apart() -> None:
    verifier = Verifier()
    verifier.feed("fieldpost/a/telemetry", reading(1, 0))
    assert verifier.feed("fieldpost/b/telemetry", reading(1, 9)).kind == Kind.BOOT
    assert list(verifier.missing()) == []


@pytest.mark.parametrize(
    "payload", [b"", b"\xff", b"[]", b"7", b"{}", b'{"boot":1}', b'{"boot":true,"seq":1}']
)
def test_a_stranger_s_message_is_malformed_and_harms_nothing(payload: bytes) -> None:
    assert Verifier().feed(TOPIC, payload).kind == Kind.MALFORMED


def test_a_jump_of_2_to_the_63_is_a_gap_of_its_size_and_takes_no_memory() -> None:
    verifier = Verifier()
    verifier.feed(TOPIC, reading(1, 0))
    tracemalloc.start()
    try:
        assert verifier.feed(TOPIC, reading(1, 2**63 - 1)).missing == 2**63 - 2
        for boot in range(2, 1000):
            verifier.feed(TOPIC, reading(boot, 2**62))
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()
    lost = sum(numbers.total for _, _, numbers in verifier.missing()) + verifier.unlisted
    assert lost == 2**63 - 2 + 998 * 2**62
    assert verify._account(verifier, as_json=True) == 1
    assert verify._account(verifier, as_json=False) == 1


# In a process of its own, whose memory is its own, and with an eighth of each limit: to trace each
# allocation, and to reach the whole limits, would take most of a minute.
_FLOOD = """
import sys
import psutil
from fieldpost.messages import telemetry
for limit in sys.argv[1:]:
    setattr(telemetry, limit, getattr(telemetry, limit) // 8)
verifier, before = telemetry.Verifier(), psutil.Process().memory_info().rss
for n in range(30_000):
    verifier.feed(f"fieldpost/n{n}/telemetry", b'{"boot":%d,"seq":%d}' % (n, n))
    verifier.feed("fieldpost/n/telemetry", b'{"boot":1,"seq":%d}' % (2 * n))
grown = psutil.Process().memory_info().rss - before
print(grown, verifier.totals[telemetry.Kind.MALFORMED], sum(verifier.totals.values()))
"""
_LIMITS = ("_ALL_BOOTS_MAX", "_SEEN_MAX", "_GAPS_MAX")


def test_nodes_boots_and_gaps_without_number_end_in_bounded_memory() -> None:
    command = [sys.executable, "-c", _FLOOD, *_LIMITS]
    done = subprocess.run(command, capture_output=True, check=True)
    grown, malformed, total = (int(one) for one in done.stdout.split())
    assert grown < 36_000_000 // 8
    assert malformed > 20_000 and total == 60_000


def test_gaps_beyond_the_limit_are_counted_and_not_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telemetry, "_GAPS_MAX", 100)
    verifier = Verifier()
    for n in range(1000):
        verifier.feed(TOPIC, reading(1, 2 * n))
    ((_, _, listed),) = verifier.missing()
    assert len(listed) == 100 and verifier.unlisted == 999 - 100
    # What comes late makes room for another.
    assert verifier.feed(TOPIC, reading(1, 1)).kind == Kind.LATE
    verifier.feed(TOPIC, reading(1, 2000))
    assert len(listed) == 100 and 1 not in listed and 1999 in listed


@pytest.mark.parametrize("seed", range(20))
def test_any_shuffling_and_repeating_ends_with_every_reading_once(seed: int) -> None:
    rng = random.Random(seed)
    keys = [(boot, seq) for boot in (1, 2) for seq in range(200)]
    sent = keys + rng.choices(keys, k=100)
    rng.shuffle(sent)
    sent.insert(0, (1, 0))
    verifier = Verifier()
    stored = [key for key in sent if verifier.feed(TOPIC, reading(*key)).is_new]
    assert sorted(stored) == keys and list(verifier.missing()) == []
    assert verifier.totals[Kind.CONFLICT] == 0


def test_listen_telemetry_tells_a_gap_and_fails() -> None:
    with brokers.Broker() as broker:
        listener = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "fieldpost",
                "listen",
                "--telemetry",
                "--count",
                "3",
                "--timeout",
                "20",
                "--broker",
                broker.url,
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            assert listener.stderr and "connected" in listener.stderr.readline()
            from paho.mqtt import publish

            messages = [
                {"topic": TOPIC, "payload": reading(1, seq), "qos": 1} for seq in (0, 1, 4)
            ]
            publish.multiple(messages, "127.0.0.1", broker.port)
            out, _ = listener.communicate(timeout=30)
        finally:
            listener.kill()
    assert listener.returncode == 1
    assert "gap of 2" in out and "roof, boot 1: missing 2-3" in out
    assert "readings 3, missing 2" in out and "stored" not in out
