"""The emulated devices as an I2C controller meets them, byte by byte."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from emulated.i2c import FakeBme280
from emulated.i2c_commands import FakeAht20, FakeIna219, FakeSht3x, words
from emulated.registers import DeskI2C, Registers
from fieldpost.emulator.pico_w_wiring.i2c_target import I2cTarget

_WRITE, _READ = False, True


class _Line:
    """A controller, and its clock in ms."""

    def __init__(self) -> None:
        self.now_ms = 0
        self.bus: Any = DeskI2C()
        self.target = I2cTarget(self.bus)

    def write(self, address: int, data: Iterable[int], ends: bool = True) -> bool:
        if not self.target.connect(address, _WRITE):
            return False
        data = list(data)
        for at, byte in enumerate(data):
            if not self.target.write(byte, ends and at == len(data) - 1):
                return False
        if ends:
            self.target.stop()
        return True

    def read(self, address: int, count: int) -> bytes | None:
        if not self.target.connect(address, _READ):
            return None
        found = bytes(self.target.read() for _ in range(count))
        self.target.stop()
        return found


@pytest.fixture
def line() -> _Line:
    return _Line()


def test_an_address_where_nothing_is_wired_is_not_acknowledged(line: _Line) -> None:
    line.bus.devices[0x76] = FakeBme280(lambda: line.now_ms)
    assert not line.write(0x77, [0xD0]) and line.read(0x77, 1) is None
    assert line.write(0x76, [0xD0])


def test_a_register_is_read_after_its_number_with_and_without_a_stop_between(line: _Line) -> None:
    line.bus.devices[0x76] = FakeBme280(lambda: line.now_ms)
    for ends in (True, False):
        assert line.write(0x76, [0x88], ends)
        assert line.read(0x76, 2) == (27504).to_bytes(2, "little")


def test_a_measurement_takes_its_time_on_the_chips_clock(line: _Line) -> None:
    line.bus.devices[0x76] = FakeBme280(lambda: line.now_ms)
    assert line.write(0x76, [0xF2, 1]) and line.write(0x76, [0xF4, 0x25])
    assert line.write(0x76, [0xF3]) and line.read(0x76, 1) == b"\x08"
    line.now_ms = 20
    assert line.write(0x76, [0xF3]) and line.read(0x76, 1) == b"\x00"
    assert line.write(0x76, [0xFA]) and line.read(0x76, 3) == (519888 << 4).to_bytes(3, "big")


def test_a_command_is_refused_at_its_last_byte_and_an_answer_at_its_address(line: _Line) -> None:
    line.bus.devices[0x44] = FakeSht3x(lambda: line.now_ms)
    assert not line.write(0x44, [0x11, 0x22])
    assert line.read(0x44, 6) is None
    assert line.write(0x44, [0x24, 0x00])
    assert line.read(0x44, 6) is None  # it measures
    line.now_ms = 16
    assert line.read(0x44, 6) == words(0x6666, 0x8000)
    assert line.read(0x44, 6) is None  # once


def test_behind_its_end_a_device_leaves_the_line_high(line: _Line) -> None:
    line.bus.devices[0x38] = FakeAht20(lambda: line.now_ms)
    answer = line.read(0x38, 9)
    assert answer and answer[0] & 0x10 and answer[7:] == b"\xff\xff"


def test_a_register_that_a_device_has_not_is_no_end_of_the_emulator(line: _Line) -> None:
    line.bus.devices[0x40] = FakeIna219(lambda: line.now_ms)
    assert line.write(0x40, [0x7F]) and line.read(0x40, 2) == b"\x00\x00"


def test_a_device_of_somebodys_own_that_fails_is_told_and_does_not_answer(
    line: _Line, capsys: pytest.CaptureFixture[str]
) -> None:
    class Broken:
        def write(self, data: bytes) -> None:
            raise ZeroDivisionError

        def read(self, count: int) -> bytes:
            raise KeyError(count)

    line.bus.devices[0x50] = Broken()
    assert not line.write(0x50, [1]) and line.read(0x50, 1) is None
    told = capsys.readouterr().err
    assert "ZeroDivisionError" in told and "KeyError" in told


def test_a_chip_at_an_unknown_address_answers_its_driver_and_no_search(line: _Line) -> None:
    line.bus.anywhere = Registers({0: b"\x0c\x80"})
    assert line.write(0x48, [0]) and line.read(0x48, 2) == b"\x0c\x80"
    assert not line.target.connect(0x48, _WRITE, strict=True)
