"""What an import did, for people and for scripts."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from fieldpost.home_assistant.readings import Readings
from fieldpost.home_assistant.statistics import Outcome


def as_lines(outcomes: Iterable[Outcome], *, dry_run: bool) -> list[str]:
    """A line of each field; hours are said in UTC, as Home Assistant keeps them."""
    added = "would be added" if dry_run else "added"
    replaced = "would be replaced" if dry_run else "replaced"
    lines = []
    for one in outcomes:
        if one.problem:
            lines.append(f"{one.node}.{one.name}: left out, {one.problem.why}")
            continue
        parts = [
            f"{_hours(starts)} {what}"
            for starts, what in (
                (one.added, f"{added} ({_span(one.added)})"),
                (one.replaced, f"{replaced} ({_span(one.replaced)})"),
                (one.same, "as they should be"),
                (one.kept, "left as they are, as the readings are only a part of them"),
                (one.not_over, "not over yet, or only just"),
            )
            if starts
        ]
        lines.append(f"{one.statistic_id}: {'; '.join(parts)}")
    return lines


def as_json(outcomes: Iterable[Outcome], readings: Readings, *, dry_run: bool) -> dict[str, Any]:
    """One object. Hours are lists of Unix seconds at which they begin."""
    found = list(outcomes)
    return {
        "ok": not any(one.problem and one.problem.is_fault for one in found),
        "dry_run": dry_run,
        "readings": {
            "taken": len(readings),
            "repeated": readings.repeated,
            "untimed": readings.untimed,
            "unreadable": readings.unreadable,
            "other": readings.other,
        },
        "fields": [
            {
                "node": one.node,
                "field": one.name,
                "statistic_id": one.statistic_id,
                "unit": one.unit,
                "added": one.added,
                "replaced": one.replaced,
                "same": one.same,
                "kept": one.kept,
                "not_over": one.not_over,
                "problem": one.problem.why if one.problem else None,
            }
            for one in found
        ],
    }


def left_out(readings: Readings) -> list[str]:
    """What of the input was no reading to import."""
    told = []
    if readings.untimed:
        told.append(f"{readings.untimed} readings were left out: their time is not known")
    if readings.unreadable:
        told.append(f"{readings.unreadable} messages were left out: they are no readings")
    return told


def _hours(starts: list[int]) -> str:
    return f"{len(starts)} hour{'' if len(starts) == 1 else 's'}"


def _span(starts: list[int]) -> str:
    if not starts:
        return ""
    first, last = (datetime.fromtimestamp(at, UTC) for at in (min(starts), max(starts)))
    if first == last:
        return f"{first:%Y-%m-%d %H:%M} UTC"
    return f"{first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M} UTC"
