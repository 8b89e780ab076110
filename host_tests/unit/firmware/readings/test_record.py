"""A reading in the outbox and on its way: what identifies it, and what is known of its time."""

import json
from pathlib import Path

import pytest
from rigs.port import run_port

from firmware.readings import record as reading

UNIX_S = 1_795_368_917
FIELDS = '"temperature":21.5,"note":"grün"'.encode()


def published(record: bytes, boot: int, uptime_s: int, unix_s: int | None) -> dict:
    return json.loads(reading.payload(record, boot, uptime_s, unix_s))


def test_a_reading_of_known_time_carries_it_whenever_it_leaves() -> None:
    record = reading.encode(3, 41, UNIX_S, True, FIELDS)
    expected = {"boot": 3, "seq": 41, "ts": UNIX_S, "temperature": 21.5, "note": "grün"}
    for boot, uptime_s, unix_s in ((3, 9, None), (3, 9, UNIX_S + 9), (4, 0, None)):
        assert published(record, boot, uptime_s, unix_s) == expected


def test_the_payload_is_the_designs_byte_for_byte() -> None:
    record = reading.encode(3, 41, UNIX_S, True, b'"temperature":21.5,"humidity":40.1')
    assert reading.payload(record, 3, 0, None) == (
        b'{"boot":3,"seq":41,"ts":1795368917,"temperature":21.5,"humidity":40.1}'
    )


def test_a_reading_taken_before_the_clock_was_set_gets_its_time_when_it_is_known() -> None:
    record = reading.encode(3, 0, 20, False, FIELDS)  # 20 s after the start
    assert published(record, 3, 80, UNIX_S)["ts"] == UNIX_S - 60
    assert "age_s" not in published(record, 3, 80, UNIX_S)
    assert published(record, 3, 20, UNIX_S)["ts"] == UNIX_S


def test_without_a_time_it_says_how_old_it_is() -> None:
    record = reading.encode(3, 0, 20, False, FIELDS)
    assert published(record, 3, 80, None)["age_s"] == 60
    # Taken before the last start: at least as old as that.
    for unix_s in (None, UNIX_S):
        found = published(record, 4, 80, unix_s)
        assert found["age_s"] == 80
        assert "ts" not in found


def test_a_reading_without_fields_is_json_too() -> None:
    record = reading.encode(1, 2, UNIX_S, True, b"")
    assert published(record, 1, 0, None) == {"boot": 1, "seq": 2, "ts": UNIX_S}


@pytest.mark.parametrize("large", [0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF])
def test_numbers_of_32_bits_survive(large: int) -> None:
    record = reading.encode(large, large, large, True, b"")
    assert reading.key(record) == (large, large)
    assert published(record, 0, 0, None) == {"boot": large, "seq": large, "ts": large}


def test_micropython_makes_the_same_of_it(tmp_path: Path) -> None:
    cases = [
        (boot, seq, when_s, timed, fields, now, uptime_s, unix_s)
        for boot, seq, when_s in ((1, 0, 0), (3, 41, 1_000), (0xFFFFFFFF, 0xFFFFFFFF, UNIX_S))
        for timed in (True, False)
        for fields in (b"", FIELDS)
        for now in (boot, boot + 1)
        for uptime_s, unix_s in ((5_000, None), (5_000, UNIX_S))
    ]
    source = (
        "from firmware.readings import record as reading\n"
        f"for boot, seq, when_s, timed, fields, now, uptime_s, unix_s in {cases!r}:\n"
        "    record = reading.encode(boot, seq, when_s, timed, fields)\n"
        "    print(record.hex(), reading.payload(record, now, uptime_s, unix_s).decode())\n"
    )
    expected = []
    for boot, seq, when_s, timed, fields, now, uptime_s, unix_s in cases:
        record = reading.encode(boot, seq, when_s, timed, fields)
        payload = reading.payload(record, now, uptime_s, unix_s).decode()
        expected.append(f"{record.hex()} {payload}")
    assert run_port(source, cwd=tmp_path).splitlines() == expected
