"""The runner's arithmetic: several runs to one row, rows to ratios, ratios to a verdict."""

from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Any

Row = dict[str, Any]


def merge(runs: Sequence[Mapping[str, float]], spread: str = "ms") -> Row:
    """The median of each figure, with the least and the most of `spread`, and how many runs."""
    row: Row = {name: round(median(run[name] for run in runs), 3) for name in runs[0]}
    if spread in row:
        row[f"{spread}_min"] = round(min(run[spread] for run in runs), 3)
        row[f"{spread}_max"] = round(max(run[spread] for run in runs), 3)
    row["runs"] = len(runs)
    return row


def pick(rows: Iterable[Row], **wanted: Any) -> Row | None:
    """The row that has these values and was run; None if there is none."""
    for row in rows:
        if "not_run" not in row and all(row.get(key) == value for key, value in wanted.items()):
            return row
    return None


def ratio(figure: str, theirs: Row | None, ours: Row | None) -> float | None:
    """theirs / ours, None if one was not run: above 1 is in our favour where less is better."""
    if not ours or not theirs or not ours.get(figure):
        return None
    return theirs[figure] / ours[figure]


def straightness(points: Sequence[tuple[float, float]]) -> tuple[float, float, float]:
    """(slope, intercept, R squared) of the least squares line through `points`."""
    n = len(points)
    mean_x = sum(x for x, _ in points) / n
    mean_y = sum(y for _, y in points) / n
    around_x = sum((x - mean_x) ** 2 for x, _ in points)
    around_y = sum((y - mean_y) ** 2 for _, y in points)
    both = sum((x - mean_x) * (y - mean_y) for x, y in points)
    slope = both / around_x
    squared = both**2 / (around_x * around_y) if around_y else 1.0
    return slope, mean_y - slope * mean_x, squared


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which `share` of all lie, interpolated between two."""
    ordered = sorted(values)
    at = share * (len(ordered) - 1)
    low = int(at)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (at - low)
