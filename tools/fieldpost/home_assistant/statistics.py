"""Hours of readings into Home Assistant's long-term statistics, so that twice is as good as once.

What stands there is read first. An hour that Home Assistant has no row of is imported. A row that
says something else is replaced only if the readings are all of that hour. An hour that is not
over, or that Home Assistant may not have summed up yet, is left alone: its row would then clash.
"""

import math
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from fieldpost.errors import HomeAway, HomeRefused
from fieldpost.home_assistant.entities import Entity, NoStatistics, look_up
from fieldpost.home_assistant.hours import HOUR_S, Hour
from fieldpost.home_assistant.units import convert
from fieldpost.home_assistant.websocket import HomeAssistant, Refused

# Home Assistant sums an hour up ten seconds after it, or later when it has much to do.
SETTLED_S = 600
_ROWS_AT_ONCE = 1000
_SHOWN_WITHIN_S = 60.0
_LOOK_AGAIN_S = 0.2
_ARITHMETIC = 1


@dataclass(frozen=True, slots=True)
class Row:
    """An hour as Home Assistant keeps it, in its unit."""

    start_s: int
    mean: float
    least: float
    most: float

    def says(self, other: "Row | None") -> bool:
        """Whether both are the same but for rounding."""
        return other is not None and all(
            math.isclose(mine, its, rel_tol=1e-6, abs_tol=1e-6)
            for mine, its in (
                (self.mean, other.mean),
                (self.least, other.least),
                (self.most, other.most),
            )
        )


@dataclass
class Outcome:
    """Of one field. The lists hold the start of each hour, Unix seconds.

    kept: Home Assistant has a row, and the readings are but a part of that hour. not_over: it is
    too early for that hour. problem: why nothing could be done.
    """

    node: str
    name: str
    statistic_id: str | None = None
    unit: str | None = None
    added: list[int] = field(default_factory=list)
    replaced: list[int] = field(default_factory=list)
    same: list[int] = field(default_factory=list)
    kept: list[int] = field(default_factory=list)
    not_over: list[int] = field(default_factory=list)
    problem: NoStatistics | None = None


def bring_in(
    home: HomeAssistant,
    hours: Mapping[tuple[str, str], list[Hour]],
    *,
    now_s: float,
    dry_run: bool = False,
) -> list[Outcome]:
    """Import what is missing or wrong, and wait until Home Assistant shows it.

    dry_run: only look. Raises CommandError if Home Assistant refuses or does not show a row.
    """
    found = look_up(home, hours)
    outcomes = []
    for (node, name), these in hours.items():
        entity = found[node, name]
        if isinstance(entity, NoStatistics):
            outcomes.append(Outcome(node, name, problem=entity))
            continue
        outcome = Outcome(node, name, entity.statistic_id, entity.unit)
        outcomes.append(outcome)
        rows = _choose(outcome, these, entity, home, now_s)
        if rows and not dry_run:
            _send(home, entity, rows)
            _wait_until_shown(home, entity, rows)
    return outcomes


def _choose(
    outcome: Outcome, hours: list[Hour], entity: Entity, home: HomeAssistant, now_s: float
) -> list[Row]:
    """The rows to send; what becomes of each hour is noted in `outcome`."""
    there = _rows(home, entity, hours[0].start_s, hours[-1].start_s)
    rows = []
    for hour in hours:
        row = _row(hour, entity)
        if hour.start_s + HOUR_S + SETTLED_S > now_s:
            outcome.not_over.append(hour.start_s)
        elif row.says(there.get(hour.start_s)):
            outcome.same.append(hour.start_s)
        elif hour.start_s not in there:
            outcome.added.append(hour.start_s)
            rows.append(row)
        elif hour.is_whole:
            outcome.replaced.append(hour.start_s)
            rows.append(row)
        else:
            outcome.kept.append(hour.start_s)
    return rows


def _row(hour: Hour, entity: Entity) -> Row:
    mean, *ends = (
        convert(value, entity.source_unit, entity.unit)
        for value in (hour.mean, hour.least, hour.most)
    )
    return Row(hour.start_s, mean, min(ends), max(ends))


def _rows(home: HomeAssistant, entity: Entity, first_s: int, last_s: int) -> dict[int, Row]:
    """What Home Assistant has of these hours, in the unit that it keeps them in."""
    # Without this, they would come in the unit that is shown to people.
    units = {entity.unit_class: entity.unit} if entity.unit_class and entity.unit else {}
    answer = home.ask(
        "recorder/statistics_during_period",
        start_time=_iso(first_s),
        end_time=_iso(last_s + HOUR_S),
        statistic_ids=[entity.statistic_id],
        period="hour",
        types=["mean", "min", "max"],
        units=units,
    )
    listed = answer.get(entity.statistic_id, []) if isinstance(answer, dict) else []
    try:
        return {
            int(one["start"]) // 1000: Row(
                int(one["start"]) // 1000, float(one["mean"]), float(one["min"]), float(one["max"])
            )
            for one in listed
            if one.get("mean") is not None
        }
    except (TypeError, ValueError, KeyError, AttributeError):
        raise HomeAway("Home Assistant's statistics cannot be read: is it too old?") from None


def _send(home: HomeAssistant, entity: Entity, rows: list[Row]) -> None:
    metadata: dict[str, Any] = {
        "has_mean": True,
        "has_sum": False,
        "name": None,
        "source": "recorder",
        "statistic_id": entity.statistic_id,
        "unit_of_measurement": entity.unit,
    }
    # Asked for by newer versions, and unknown to older ones.
    newer = {**metadata, "mean_type": _ARITHMETIC, "unit_class": entity.unit_class}
    for at in range(0, len(rows), _ROWS_AT_ONCE):
        stats = [
            {"start": _iso(row.start_s), "mean": row.mean, "min": row.least, "max": row.most}
            for row in rows[at : at + _ROWS_AT_ONCE]
        ]
        try:
            home.ask("recorder/import_statistics", metadata=newer, stats=stats)
        except Refused as error:
            if error.reason != "invalid_format":
                raise
            home.ask("recorder/import_statistics", metadata=metadata, stats=stats)


def _wait_until_shown(home: HomeAssistant, entity: Entity, rows: list[Row]) -> None:
    """The command only queues them, and what is wrong with one is told to its log alone."""
    end = time.monotonic() + _SHOWN_WITHIN_S
    while True:
        there = _rows(home, entity, rows[0].start_s, rows[-1].start_s)
        missing = [row for row in rows if not row.says(there.get(row.start_s))]
        if not missing:
            return
        if time.monotonic() > end:
            raise HomeRefused(
                f"Home Assistant took {len(rows)} hours of {entity.statistic_id}, and does not "
                f"show {len(missing)} of them after {_SHOWN_WITHIN_S:g} s: its log says why"
            )
        time.sleep(_LOOK_AGAIN_S)


def _iso(at_s: int) -> str:
    return datetime.fromtimestamp(at_s, UTC).isoformat()


def problems(outcomes: Iterable[Outcome]) -> list[str]:
    """What is to be mended, a line each."""
    return [
        f"{one.node}.{one.name}: {one.problem.why}"
        for one in outcomes
        if one.problem and one.problem.is_fault
    ]
