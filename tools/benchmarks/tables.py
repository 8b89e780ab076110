"""Tables of Markdown, and what stands in their cells."""

from collections.abc import Sequence
from typing import Any

from benchmarks.figures import Row


def table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A Markdown table; the first column to the left, the others to the right."""
    lines = ["| " + " | ".join(head) + " |", "|---" + "|---:" * (len(head) - 1) + "|"]
    lines += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def ms(row: Row | None) -> str:
    """Its milliseconds, if it was run."""
    if row is None or "not_run" in row:
        return "not run"
    return f"{row['ms']:,.0f}"
