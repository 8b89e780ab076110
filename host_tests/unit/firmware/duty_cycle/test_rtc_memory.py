"""What a deep sleep keeps: all of it listed, and none of it taken from another version."""

import json
import random
import re
from types import SimpleNamespace

import pytest
from rigs.field import Field

from firmware.duty_cycle import reading_wake, rtc_memory
from firmware.log import ERROR, INFO, Log

_SENSORS = [
    {"type": "digital", "pin": 13, "pull": "up", "field": "door", "wake": True},
    {"type": "internal", "alarms": [{"field": "die_temperature", "above": 90}]},
]
_RECORDS = [b"a reading", b"", b"another"]
_LIMIT_BYTES = 2048


def _block(state: dict, records: list[bytes] = _RECORDS) -> bytes:
    block = rtc_memory.pack(state, records, _LIMIT_BYTES)
    assert block is not None
    return block


def test_what_was_kept_comes_back() -> None:
    state, records = rtc_memory.unpack(_block({"boot": 3, "hint": None}))
    assert state == {"boot": 3, "hint": None, "version": rtc_memory.VERSION}
    assert records == _RECORDS


@pytest.mark.parametrize(("passed_ms", "uptime_ms"), [(60_000, 67_000), (0, 7000), (-5000, 7000)])
def test_the_uptime_goes_on_over_a_sleep_and_never_back(passed_ms: int, uptime_ms: int) -> None:
    """The clock may have been set in between."""
    state = {"boot": 3, "uptime": 7000, "rtc": 1_000_000, "next": 1_060_000}
    board = SimpleNamespace(
        retained=lambda: _block(state), reset_cause=lambda: "deep-sleep", retained_bytes=2048
    )
    clock = SimpleNamespace(rtc_ms=lambda: 1_000_000 + passed_ms)
    assert rtc_memory.recall(board, clock)[1:] == (_RECORDS, uptime_ms)


@pytest.mark.parametrize("cause", ["hard", "soft", "watchdog", "power-on", "unknown"])
def test_a_state_that_a_start_has_not_gone_on_from_is_gone_at_a_later_wake(cause: str) -> None:
    """As when the settings' page has slept in between, which keeps nothing itself."""
    kept = [_block({"boot": 3, "alone": 0, "settings": b"{}"})]
    causes = [cause, "deep-sleep"]
    board = SimpleNamespace(
        retained=lambda: kept[-1],
        retain=kept.append,
        reset_cause=lambda: causes.pop(0),
        retained_bytes=2048,
    )
    for _ in range(2):
        assert rtc_memory.recall(board, SimpleNamespace()) == ({}, _RECORDS, 0)
    assert not causes


def test_a_wake_that_needs_the_node_after_all_is_asked_once_and_logs_as_it_is_configured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    taken: list[tuple] = []
    monkeypatch.setattr(reading_wake, "take", lambda *given: taken.append(given))
    settings = {"log_level": "error", "sensors": [{"name": "rain", "every": 3}]}
    state = {"alone": 4, "settings": json.dumps(settings).encode()}
    log = Log(None, level=INFO)
    for known in (None, {"sensors": []}):
        rtc_memory.measure(None, None, known, log, state, _RECORDS)
    ((_, _, given, _, _, records, pack),) = taken
    assert given["sensors"] == [{**rtc_memory.PLAIN, "name": "rain", "every": 3}]
    assert records is _RECORDS and pack is rtc_memory.pack
    assert log.level == ERROR


def test_what_does_not_fit_is_not_kept_in_part() -> None:
    size = len(_block({"boot": 3}))
    assert rtc_memory.pack({"boot": 3}, _RECORDS, size) is not None
    assert rtc_memory.pack({"boot": 3}, _RECORDS, size - 1) is None


@pytest.mark.parametrize("version", [0, rtc_memory.VERSION + 1, None, "1"])
def test_a_state_of_another_version_is_refused_and_the_readings_are_taken(
    version: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rtc_memory, "VERSION", version)
    block = _block({"boot": 3})
    monkeypatch.undo()
    assert rtc_memory.unpack(block) == ({}, _RECORDS)


@pytest.mark.parametrize("text", [b"", b"{", b"[1]", b"null", b'{"boot":3}'])
def test_a_state_that_is_none_costs_no_reading(text: bytes) -> None:
    parts = [text, *_RECORDS]
    block = b"".join(len(one).to_bytes(2, "little") + one for one in parts)
    assert rtc_memory.unpack(block) == ({}, _RECORDS)


def test_bytes_that_are_no_block_are_neither_state_nor_readings() -> None:
    rng = random.Random(5)
    block = _block({"boot": 3})
    assert rtc_memory.unpack(b"") == ({}, [])
    for _ in range(200):
        at = rng.randrange(1, len(block))
        state, records = rtc_memory.unpack(block[:at])
        assert not state or state["boot"] == 3
        assert set(records) <= set(_RECORDS)


def test_each_key_that_is_kept_is_listed_and_each_that_is_listed_is_kept() -> None:
    field = Field("esp32", _SENSORS, home_assistant="homeassistant")
    for number in range(8):
        field.door(700.0 + 200 * number, number % 2)
    seen: set[str] = set()
    keep = field.machine.pins.__class__.arm

    def arm(pins: object, wanted: list) -> None:
        seen.update(rtc_memory.unpack(field.machine.retained)[0])
        keep(pins, wanted)

    field.machine.pins.arm = arm.__get__(field.machine.pins)
    field.run.play()
    seen.update(rtc_memory.unpack(field.machine.retained)[0])
    rows = re.findall(r"^\| ([a-z_, ]+) \|", rtc_memory.__doc__ or "", re.MULTILINE)
    listed = {name for row in rows[1:] for name in row.split(", ")}
    assert seen <= listed
    # These appear on a wake that ends before the node is loaded, and where no pin is watched.
    assert listed - seen <= {"input", "row", "settings"}


def test_firmware_of_another_version_goes_on_in_a_new_boot_and_loses_no_reading(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    field = Field("esp32", [{"type": "internal"}], hours=2.0, deliver_every=8)
    field.run.world.at(int(1000e6), setattr, rtc_memory, "VERSION", rtc_memory.VERSION + 1)
    monkeypatch.setattr(rtc_memory, "VERSION", rtc_memory.VERSION)  # as it was, afterwards
    field.run.play()
    boots = [one["boot"] for one in field.readings]
    first = [one["seq"] for one in field.readings if one["boot"] == boots[0]]
    second = [one["seq"] for one in field.readings if one["boot"] == boots[-1]]
    assert boots[-1] == boots[0] + 1
    assert first == list(range(4)) and second == list(range(len(second)))
    assert len(second) > 10
