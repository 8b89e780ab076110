"""What is asked for, and when: four pieces on their way at most, each once, and none in vain."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fakes.clock import FakeTime
from firmware.clock import Clock
from firmware.update.fetch import Fetch

_NAME = "0123456789abcdef"


class Target:
    """size: of what it lacks. `copied`: how much the next copy brings."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.have = self.copied = 0

    def wanted(self) -> int:
        return self.size - self.have

    def copy(self) -> bool:
        count, self.copied = self.copied, 0
        self.have += count
        return count > 0

    def write(self, data: memoryview) -> None:
        self.have += len(data)


class Computer:
    """Sees what a fetch asks for, and sends it."""

    def __init__(self, size: int) -> None:
        self.asks: list[list[list[int]]] = []
        self.subscribed: list[tuple[bytes, int]] = []
        self.target, self.time = Target(size), FakeTime()
        self.fetch = Fetch(self.target, self, b"topic", _NAME, Clock(self.time))

    def subscribe(self, topic: bytes, qos: int) -> None:
        self.subscribed.append((topic, qos))

    def publish(self, topic: bytes, text: bytes) -> None:
        assert topic == b"topic/ask"
        told: dict[str, Any] = json.loads(text)
        assert told["sha"] == _NAME
        self.asks.append(told["at"])

    def send(self, at: int, size: int) -> None:
        self.fetch.take(bytes.fromhex(_NAME) + at.to_bytes(4, "little") + bytes(size))

    def asked(self) -> list[list[int]]:
        """What one more step asks for."""
        self.asks.clear()
        assert not self.fetch.step()
        return [piece for ask in self.asks for piece in ask]


def test_two_more_are_asked_for_when_two_have_come_up_to_the_last_byte() -> None:
    computer = Computer(5 * 1024 + 100)
    pieces = [[1024 * n, 1024] for n in range(5)] + [[5120, 100]]
    assert computer.asked() == pieces[:4]
    computer.send(*pieces[0])
    assert computer.asked() == []
    computer.send(*pieces[1])
    assert computer.asked() == pieces[4:]
    for piece in pieces[2:]:
        computer.send(*piece)
        assert computer.asked() == []
    assert computer.target.wanted() == 0


@pytest.mark.parametrize("size", [1024, 4 * 1024])
def test_no_piece_is_empty(size: int) -> None:
    assert Computer(size).asked() == [[at, 1024] for at in range(0, size, 1024)]


def test_on_a_new_connection_nothing_is_waited_for_that_was_asked_for_before() -> None:
    computer = Computer(3000)
    first = computer.asked()
    computer.send(*first[0])
    computer.fetch.connected()
    assert computer.subscribed == [(b"topic/piece", 0)] and not computer.fetch.is_answered
    assert computer.asked() == first[1:]


def test_what_was_copied_meanwhile_is_not_waited_for() -> None:
    computer = Computer(10 * 1024)
    assert computer.asked() == [[1024 * n, 1024] for n in range(4)]
    computer.send(0, 1024)
    computer.target.copied = 2048
    assert computer.fetch.step(), "there may be more to copy"
    assert computer.asked() == [[1024 * n, 1024] for n in range(3, 7)]


def test_ten_seconds_without_a_piece_are_one_silence_and_all_is_asked_for_again() -> None:
    computer = Computer(3000)
    first = computer.asked()
    for silent in range(3):
        assert computer.fetch.silent == silent
        computer.time.advance_ms(9999)
        assert computer.asked() == []
        computer.time.advance_ms(1)
        assert computer.asked() == first
    computer.send(*first[0])
    assert computer.fetch.silent == 0 and computer.fetch.is_answered


@pytest.mark.parametrize(
    "payload",
    [
        bytes(8) + bytes(4) + bytes(1024),
        bytes.fromhex(_NAME) + (1024).to_bytes(4, "little") + bytes(1024),
        bytes.fromhex(_NAME) + bytes(4) + bytes(1023),
        bytes.fromhex(_NAME) + bytes(4) + bytes(1025),
        bytes.fromhex(_NAME),
        b"",
    ],
    ids=["of another", "out of order", "cut", "longer", "no more than a name", "none"],
)
def test_what_is_not_the_next_piece_is_not_taken(payload: bytes) -> None:
    computer = Computer(4000)
    computer.fetch.take(payload)
    computer.asked()
    computer.fetch.take(payload)
    assert computer.target.have == 0 and not computer.fetch.is_answered
