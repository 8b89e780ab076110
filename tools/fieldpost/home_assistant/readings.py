"""Readings from what other commands wrote: `listen --json`, `monitor --json`, `monitor --log`."""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from fieldpost.errors import BadFile
from fieldpost.messages import payload

# What a reading says beside its fields.
_NO_FIELDS = {"boot", "seq", "ts", "age_s", "failed"}
_LINE_MAX = 4 * payload.BYTES_MAX
# Of either: 2 million readings are four years of one node that takes one a minute.
_READINGS_MAX = 2_000_000
_LOGGED = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}) mqtt +(\S+) (\(retained\) )?(\{.*)")
_LISTENED = re.compile(r"()(\S+/telemetry) ()(\{.*)")
# Later than any reading: ts beyond the year 2200 is a fault.
_TIME_MAX_S = 7_258_118_400


@dataclass(frozen=True, slots=True)
class Reading:
    """at_s: Unix seconds at which it was taken."""

    node: str
    boot: int
    seq: int
    at_s: float
    values: dict[str, float]


@dataclass
class Readings:
    """Each reading once, by (node, boot, seq), whatever order they come in.

    Counted: `repeated` that came again, `unreadable` that are no readings, `untimed` whose time is
    not known, `other` messages and lines of the input.
    """

    limit: int = _READINGS_MAX
    repeated: int = 0
    unreadable: int = 0
    untimed: int = 0
    other: int = 0
    _kept: dict[tuple[str, int, int], Reading] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self._kept)

    def __iter__(self) -> Iterator[Reading]:
        return iter(self._kept.values())

    def add(
        self, topic: str, text: str | bytes | bytearray, arrived_s: float | None = None
    ) -> bool:
        """Take a message if it is a reading that is new. arrived_s: when it came, if known."""
        if not topic.endswith("/telemetry"):
            self.other += 1
            return False
        try:
            told = payload.read(text)
        except payload.Unreadable:
            self.unreadable += 1
            return False
        boot, seq = told.get("boot"), told.get("seq")
        if type(boot) is not int or type(seq) is not int or boot < 0 or seq < 0:
            self.unreadable += 1
            return False
        at_s = payload.number(told.get("ts"), 1, _TIME_MAX_S)
        if at_s is None:
            age_s = payload.number(told.get("age_s"), 0, _TIME_MAX_S)
            if age_s is None or arrived_s is None or age_s >= arrived_s:
                self.untimed += 1
                return False
            at_s = arrived_s - age_s
        node = topic.split("/")[-2]
        key = (node, boot, seq)
        if key in self._kept:
            self.repeated += 1
            return False
        if len(self._kept) >= self.limit:
            raise BadFile(
                f"more than {self.limit} readings: take them a part at a time, "
                "with --node, --from and --to, or several files"
            )
        values = {
            name: float(value)
            for name, value in told.items()
            if name not in _NO_FIELDS and type(value) in (int, float)
        }
        self._kept[key] = Reading(node, boot, seq, at_s, values)
        return True

    def keep_newest(self, count: int) -> None:
        """Let go of those that came first, until no more than `count` are left."""
        while len(self._kept) > count:
            del self._kept[next(iter(self._kept))]


def read_lines(lines: Iterable[str], into: Readings, node: str | None = None) -> None:
    """Add the readings that stand in `lines`. node: of this one alone."""
    for line in lines:
        if len(line) > _LINE_MAX:
            into.unreadable += 1
            continue
        if not line.strip():
            continue
        found = _message(line.strip())
        if found is None:
            into.other += 1
            continue
        topic, text, arrived_s = found
        if node is None or topic.endswith(f"/{node}/telemetry"):
            into.add(topic, text, arrived_s)


def _message(line: str) -> tuple[str, str, float | None] | None:
    """(topic, payload, when it arrived), None if the line is no message."""
    if line.startswith("{"):
        return _json_message(line)
    found = _LOGGED.match(line) or _LISTENED.match(line)
    if found is None:
        return None
    stamp, topic, _, text = found.groups()
    try:
        # The log has this machine's local time.
        return topic, text, datetime.fromisoformat(stamp).timestamp() if stamp else None
    except (ValueError, OSError, OverflowError):
        return None


def _json_message(line: str) -> tuple[str, str, float | None] | None:
    try:
        told: Any = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(told, dict) or not isinstance(told.get("topic"), str):
        return None
    text = told.get("payload", told.get("text"))
    if isinstance(text, dict):
        text = json.dumps(text)
    if not isinstance(text, str):
        return None
    return told["topic"], text, payload.number(told.get("at"), 1, _TIME_MAX_S)
