"""What the board is answered that asks for its sensors over a serial line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fieldpost.emulator.esp32_c3_wiring import wires
from fieldpost.emulator.esp32_c3_wiring.wires import (
    ANSWER,
    DIE,
    LINES,
    MEASURE,
    READ,
    REQUEST,
    SCAN,
    WRITE,
    Wires,
)
from fieldpost.wired import devices
from fieldpost.wired.plan import plan

_SCL, _SDA = 5, 4
_BME280, _CHIP_ID = 0x76, 0xD0
_ENODEV, _EIO = 19, 5


class _Board:
    """Asks as the board does, with a number of its own for each request."""

    def __init__(self, *texts: str, **told: Any) -> None:
        self.wires = Wires(plan(devices.parse(texts), 1, **told))
        self.number = 0

    def request(
        self,
        kind: int,
        first: int = _SCL,
        second: int = _SDA,
        address: int = 0,
        data: bytes = b"",
        count: int = 0,
    ) -> bytes:
        self.number += 1
        return REQUEST.pack(self.number, kind, first, second, address, len(data), count) + data

    def read_answer(self, text: bytes) -> tuple[int, bytes]:
        number, error, size = ANSWER.unpack_from(text)
        assert number == self.number
        assert len(text) == ANSWER.size + size
        return error, text[ANSWER.size :]

    def ask(self, *arguments: Any, **named: Any) -> tuple[int, bytes]:
        return self.read_answer(self.wires.heard(self.request(*arguments, **named)))


def test_a_register_is_read_from_the_device_at_that_address_alone() -> None:
    board = _Board("bme280")
    asked = {"data": bytes([_CHIP_ID]), "count": 1}
    assert board.ask(WRITE | READ, address=_BME280, **asked) == (0, b"\x60")
    assert board.ask(WRITE | READ, address=0x77, **asked) == (_ENODEV, b"")
    assert board.ask(SCAN) == (0, bytes([_BME280]))


def test_there_is_nobody_on_other_pins() -> None:
    board = _Board("bme280")
    assert board.ask(SCAN, 7, 6) == (0, b"")
    assert board.ask(READ, 7, 6, _BME280, count=1) == (_ENODEV, b"")


def test_the_lines_of_each_bus_are_named_so_that_the_board_can_pull_them_up() -> None:
    assert _Board("bme280", "sht3x,scl=5,sda=4").ask(LINES) == (0, bytes([_SCL, _SDA]))
    assert _Board("analog,pin=0,field=level").ask(LINES) == (0, b"")


def test_the_converter_measures_what_is_at_a_pin_and_nothing_elsewhere() -> None:
    board = _Board("analog,pin=3,field=level", settings=["level=1.25"])
    assert board.ask(MEASURE, 3) == (0, (1_250_000).to_bytes(4, "big"))
    assert board.ask(MEASURE, 2) == (0, bytes(4))


def test_the_chip_has_the_temperature_that_was_told_or_an_ordinary_one() -> None:
    board = _Board("internal", settings=["die_temperature=-12.5"])
    assert board.ask(DIE) == (0, (-1250).to_bytes(4, "big", signed=True))
    assert _Board("bme280").ask(DIE) == (0, (2700).to_bytes(4, "big", signed=True))


def test_a_table_changes_in_time_what_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = tmp_path / "night.csv"
    table.write_text("seconds,level\n0,1\n60,2\n")
    now_s = 1000.0
    monkeypatch.setattr(wires.time, "monotonic_ns", lambda: int(now_s * 1e9))
    board = _Board("analog,pin=3,field=level", table=table)
    assert board.ask(MEASURE, 3) == (0, (1_000_000).to_bytes(4, "big"))
    now_s += 61
    assert board.ask(MEASURE, 3) == (0, (2_000_000).to_bytes(4, "big"))


def test_a_request_may_come_in_pieces_and_two_at_once() -> None:
    board = _Board("bme280")
    text = board.request(WRITE | READ, address=_BME280, data=bytes([_CHIP_ID]), count=1)
    for at in range(len(text) - 1):
        assert board.wires.heard(text[at : at + 1]) == b""
    assert board.read_answer(board.wires.heard(text[-1:])) == (0, b"\x60")
    first, second = board.request(SCAN), board.request(SCAN)
    answer = board.wires.heard(first + second)
    assert board.read_answer(answer[len(answer) // 2 :]) == (0, bytes([_BME280]))


def test_of_a_request_that_was_interrupted_nothing_is_taken_for_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    board = _Board("bme280")
    now_s = 1000.0
    monkeypatch.setattr(wires.time, "monotonic", lambda: now_s)
    assert board.wires.heard(board.request(SCAN)[:5]) == b""
    now_s += 1
    assert board.ask(SCAN) == (0, bytes([_BME280]))


def test_a_device_that_fails_in_its_own_way_does_not_end_the_emulator(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    board = _Board("bme280")

    def broken(*_: Any) -> bytes:
        raise ZeroDivisionError

    (bus,) = board.wires._buses.values()
    monkeypatch.setattr(bus.devices[_BME280], "read_registers", broken)
    assert board.ask(READ, address=_BME280, count=1) == (_EIO, b"")
    assert "ZeroDivisionError" in capsys.readouterr().err
    assert board.ask(SCAN) == (0, bytes([_BME280]))
