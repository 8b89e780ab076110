"""The LED shows what the table in docs/commands.md says, and a node shows nothing else."""

from __future__ import annotations

import itertools
import re
from types import SimpleNamespace
from typing import Any

import pytest

from fieldpost.paths import ROOT
from firmware import bad_config
from firmware.led import PATTERNS, Signals, mood

# What each line of the table stands for, by the words that it begins with.
LINES = {
    "joins Wi-Fi": "joining",
    "connects to the broker": "connecting",
    "is connected": "connected",
    "finds no network": "no network",
    "reaches no broker": "no broker",
    "is refused": "refused",
    "has a bad configuration": "configuration",
    "has its access point open": "set-up",
    "is in safe mode": "safe mode",
    "was told to identify itself": "identify",
}


class Clock:
    def __init__(self) -> None:
        self.now_ms = 0

    def uptime_ms(self) -> int:
        return self.now_ms

    def sleep_ms(self, duration_ms: int) -> None:
        self.now_ms += duration_ms


class Led:
    """`changes`: (at, on), of changes alone."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.changes: list[tuple[int, bool]] = []

    def __call__(self, on: bool) -> None:
        if not self.changes or self.changes[-1][1] != on:
            self.changes.append((self._clock.now_ms, on))

    def times(self) -> list[int]:
        """Milliseconds on, off, on, …"""
        at = [when for when, _ in self.changes]
        return [after - before for before, after in itertools.pairwise(at)]


def test_the_table_in_the_documentation_is_the_table_in_the_firmware() -> None:
    text = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    lines = re.findall(r"^\| [^|]+ \| ([\d, ]+) \| (.+?) \|$", text, re.MULTILINE)
    table = {}
    for times, meaning in lines:
        (name,) = [name for words, name in LINES.items() if meaning.startswith(words)]
        table[name] = tuple(int(one) for one in times.split(", "))
    assert table == PATTERNS


@pytest.mark.parametrize("name", sorted(PATTERNS))
def test_a_pattern_is_shown_as_it_stands_there(name: str) -> None:
    clock = Clock()
    led = Led(clock)
    signals = Signals(led, clock)
    while clock.now_ms <= 3 * sum(PATTERNS[name]):
        clock.sleep_ms(signals.step(name))
    pattern = list(PATTERNS[name])
    assert led.changes[0] == (0, True)
    assert led.times()[: 2 * len(pattern)] == pattern * 2


def test_a_bad_configuration_blinks_as_the_table_says() -> None:
    clock = Clock()
    board: Any = type("Board", (), {})()
    board.led = led = Led(clock)
    said: list[str] = []

    def log(text: str) -> None:
        said.append(text)
        if len(said) > 4:
            raise EOFError  # it would go on for ever

    with pytest.raises(EOFError):
        bad_config.refuse(board, clock, log, ["node: is missing"])
    assert set(led.times()) == set(PATTERNS["configuration"])
    assert 25000 < clock.now_ms < 65000 and "node: is missing" in said[0]


def test_whatever_the_node_goes_through_there_is_a_pattern_for_it() -> None:
    class Part:
        def __init__(self, **values: Any) -> None:
            self.__dict__.update(values)

    moods = set()
    for state in (b"online", b"asleep", b"safe_mode"):
        for up in (True, False):
            for joined in (True, False):
                for failure in ("", "why"):
                    for refused in (None, 5):
                        station = Part(is_up=lambda joined=joined: joined, failure=failure)
                        link = Part(is_up=up, station=station, refused=refused, failure=failure)
                        moods.add(mood(link, state))
    # The others are not the node's own: nothing runs then, or a person asked for it.
    assert moods == PATTERNS.keys() - {"identify", "configuration", "set-up"}


def test_identify_comes_before_all_else_and_ends() -> None:
    clock = Clock()
    led = Led(clock)
    signals = Signals(led, clock)
    signals.step("connected")
    signals.identify(2)
    while clock.now_ms < 2000:
        clock.sleep_ms(signals.step("connected"))
    assert set(led.times()) == {60}
    signals.step(None)
    assert led.changes[-1][1] is False


@pytest.mark.parametrize(
    ("joined", "failure", "station_failure", "refused", "expected"),
    [
        (False, None, None, False, "joining"),
        # The last network's refusal is what a person has to know, and not that it goes on trying.
        (False, None, "wrong password", False, "no network"),
        # An earlier failure of the session is no failure of the network.
        (False, "connection reset", None, True, "joining"),
        (True, None, None, False, "connecting"),
        (True, "broker not reachable", None, False, "no broker"),
        (True, "bad user", None, True, "refused"),
    ],
)
def test_each_way_of_being_without_a_session_has_its_own_pattern(
    joined: bool, failure: str | None, station_failure: str | None, refused: bool, expected: str
) -> None:
    station = SimpleNamespace(is_up=lambda: joined, failure=station_failure)
    link = SimpleNamespace(is_up=False, station=station, refused=refused, failure=failure)
    assert mood(link, b"online") == expected
    assert mood(link, b"safe_mode") == "safe mode"
    link.is_up = True
    assert mood(link, b"online") == "connected"
