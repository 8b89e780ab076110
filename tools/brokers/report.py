"""docs/brokers.md, between its two markers, from the results."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from brokers.probes import PROBES
from fieldpost.pages import write_part

BEGIN = "<!-- measured: written by make brokers, do not edit -->"
END = "<!-- end of measured -->"
_RESTARTS = ("after SIGTERM", "after SIGKILL")


def read(path: Path) -> dict[str, Any]:
    """Results of a run."""
    return json.loads(path.read_text())


def write(path: Path, results: dict[str, Any]) -> None:
    """Put the tables between the markers of the page, which must be there."""
    write_part(path, BEGIN, END, f"\n{render(results)}")


def render(results: dict[str, Any]) -> str:
    """The tables as Markdown."""
    parts = [_head(results), _answers(results["brokers"])]
    left_out = [row for row in results["brokers"] if "not_run" in row]
    parts += [f"Not run: {row['title']}: {row['not_run']}." for row in left_out]
    return "\n\n".join(parts) + "\n"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines)


def _head(results: dict[str, Any]) -> str:
    said = ", ".join(f"{name} {version}" for name, version in results["versions"].items())
    return f"Run of {results['date']}, on one machine, all on loopback: {said}."


def _answers(brokers: list[dict[str, Any]]) -> str:
    """One broker a row; a second table for what an end of the broker leaves."""
    rows = []
    for one in brokers:
        answers = one.get("answers")
        if answers:
            rows.append((f"{one['title']}, {one['version']}", *(answers[n] for n in PROBES)))
    text = "### What each broker answers\n\n" + table(("broker", *PROBES), rows)
    rows = []
    for one in brokers:
        if "restarts" in one:
            rows.append((one["title"], *(one["restarts"][name] for name in _RESTARTS)))
        elif "answers" in one:
            rows.append((one["title"], *(f"not tried: {one['lacks']['restart']}",) * 2))
    head = ("broker", *_RESTARTS)
    return text + "\n\n### What is left after a broker's end\n\n" + table(head, rows)
