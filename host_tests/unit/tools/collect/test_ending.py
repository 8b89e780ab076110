"""When a collector ends by itself."""

from __future__ import annotations

from dataclasses import dataclass, field

from fieldpost.collect.ending import Ending, Limits
from fieldpost.store.rows import Written


@dataclass
class Collector:
    counts: Written = field(default_factory=Written)
    waits: int = 0
    connected: bool = True

    def written(self) -> Written:
        return self.counts

    def waiting(self) -> int:
        return self.waits

    def is_connected(self) -> bool:
        return self.connected


def test_without_limits_it_goes_on() -> None:
    now_s = [0.0]
    ending = Ending(Limits(), lambda: now_s[0])
    now_s[0] = 1e9
    assert not ending(Collector()) and not ending.is_quiet


def test_after_so_many_new_readings_and_after_so_long() -> None:
    now_s = [0.0]
    ending = Ending(Limits(count=3, timeout_s=60), lambda: now_s[0])
    collector = Collector(Written(stored=2, repeated=9))
    assert not ending(collector)
    collector.counts.stored = 3
    assert ending(collector)
    collector.counts.stored = 2
    now_s[0] = 60
    assert ending(collector) and not ending.is_quiet


def test_a_silence_counts_while_more_could_come_and_nothing_is_left_to_store() -> None:
    now_s = [0.0]
    ending = Ending(Limits(quiet_s=10), lambda: now_s[0])
    collector = Collector()

    def after(seconds: float) -> bool:
        now_s[0] += seconds
        return ending(collector)

    assert not after(9)
    collector.counts.known_events += 1
    assert not after(9)  # it is heard of only now
    assert not after(9)
    collector.connected = False
    assert not after(99)
    collector.connected, collector.waits = True, 1
    assert not after(99)
    collector.waits = 0
    assert not after(9) and after(1) and ending.is_quiet
