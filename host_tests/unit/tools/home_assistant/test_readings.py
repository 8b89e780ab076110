"""Readings are found in what other commands write, each once, whatever else stands there."""

import json
import time

import pytest

from fieldpost.errors import CommandError
from fieldpost.home_assistant.readings import Readings, read_lines

READING = '{"boot":3,"seq":41,"ts":1795368917,"temperature":21.5,"failed":["bme280"]}'


def read(*lines: str, node: str | None = None) -> Readings:
    readings = Readings()
    read_lines(lines, readings, node)
    return readings


LINES = {
    "listen --json": json.dumps(
        {"topic": "fieldpost/roof/telemetry", "qos": 1, "retain": False, "payload": READING}
    ),
    "with the payload as an object": json.dumps(
        {"topic": "fieldpost/roof/telemetry", "payload": json.loads(READING)}
    ),
    "listen": "fieldpost/roof/telemetry " + READING,
    "monitor --json": json.dumps(
        {
            "at": 1795368917.2,
            "source": "mqtt",
            "topic": "fieldpost/roof/telemetry",
            "text": READING,
        }
    ),
    "monitor --log": "2026-11-22T16:35:17.123 mqtt    fieldpost/roof/telemetry " + READING,
}


@pytest.mark.parametrize("line", LINES.values(), ids=LINES)
def test_each_way_in_which_a_command_writes_a_reading_is_read(line: str) -> None:
    (one,) = read(line + "\n")
    assert (one.node, one.boot, one.seq, one.at_s) == ("roof", 3, 41, 1795368917)
    assert one.values == {"temperature": 21.5}


def test_a_reading_that_comes_again_counts_once() -> None:
    readings = read(*LINES.values())
    assert len(readings) == 1
    assert readings.repeated == len(LINES) - 1


def test_only_the_node_that_is_asked_for_is_taken() -> None:
    lines = ["fieldpost/roof/telemetry " + READING, "fieldpost/aroof/telemetry " + READING]
    assert {one.node for one in read(*lines, node="roof")} == {"roof"}


def test_what_is_no_reading_is_counted_and_harms_nothing() -> None:
    readings = read(
        "",
        "2026-11-22T16:35:17.123 console connected",
        "2026-99-22T16:35:17.123 mqtt    fieldpost/roof/telemetry " + READING,
        "{",
        "[" * 5000,
        '{"topic":"fieldpost/roof/status","payload":"{\\"state\\":\\"online\\"}"}',
        'fieldpost/roof/telemetry {"boot":1,"seq":"2","ts":1795368917}',
        'fieldpost/roof/telemetry {"boot":1,"seq":2,"ts":1795368917,"temperature":NaN}',
        "x" * 1_000_000,
    )
    assert len(readings) == 0
    assert readings.unreadable == 3
    assert readings.other == 5


def test_an_age_is_a_time_only_where_it_is_known_when_the_reading_came() -> None:
    aged = '{"boot":1,"seq":2,"age_s":60,"temperature":1}'
    assert read("fieldpost/roof/telemetry " + aged).untimed == 1
    stamp = "2026-11-22T16:35:17.500"
    (one,) = read(f"{stamp} mqtt    fieldpost/roof/telemetry " + aged)
    local = time.mktime(time.strptime(stamp[:19], "%Y-%m-%dT%H:%M:%S"))
    assert one.at_s == local + 0.5 - 60


def test_more_readings_than_memory_holds_end_in_words() -> None:
    readings = Readings(limit=2)
    lines = [f'a/n/telemetry {{"boot":1,"seq":{seq},"ts":1795368917}}' for seq in range(3)]
    with pytest.raises(CommandError, match="more than 2 readings"):
        read_lines(lines, readings)
