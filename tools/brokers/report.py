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
    rows = results["brokers"]
    parts = [_head(results), _nodes(rows), _others(rows), _answers(rows)]
    left_out = [row for row in results["brokers"] if "not_run" in row]
    parts += [f"Not run: {row['title']}: {row['not_run']}." for row in left_out]
    return "\n\n".join(parts) + "\n"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines)


def joined(
    old: dict[str, Any], new: dict[str, Any], names: Sequence[str], *, is_whole: bool = True
) -> dict[str, Any]:
    """The new results, with the old ones of brokers that were not measured again.

    names: of all brokers, in the order of the page. What is none of them any more is left out.
    is_whole: False if just some runs were measured, and the rest of a row stays.
    """
    rows = {row["name"]: row for row in old.get("brokers", [])}
    for row in new["brokers"]:
        before = rows.get(row["name"], {})
        if "not_run" in row and before and "not_run" not in before:
            continue
        if is_whole:
            rows[row["name"]] = row
        else:
            nodes = before.get("nodes", {}) | row.get("nodes", {})
            rows[row["name"]] = before | row | {"nodes": nodes}
    return {"brokers": [rows[name] for name in names if name in rows]}


def _head(results: dict[str, Any]) -> str:
    """From which runs the tables are."""
    measured: dict[str, list[str]] = {}
    for row in results["brokers"]:
        if "run" in row:
            measured.setdefault(row["run"], []).append(row["title"])
    if len(measured) == 1:
        return f"Measured {next(iter(measured))}, on one machine, all on loopback."
    lines = [f"- {run}: {', '.join(titles)}" for run, titles in measured.items()]
    return "Measured on one machine, all on loopback:\n\n" + "\n".join(lines)


_RUNS = ("all rights", "not early", "write only", "SIGTERM", "SIGKILL")
_UPPER_RUNS = ("upper SIGTERM", "upper SIGKILL")


def _nodes(brokers: list[dict[str, Any]]) -> str:
    """What became of the readings of whole nodes, and of what else a node does."""
    accounts, extras = [], []
    for one in brokers:
        runs = one.get("nodes")
        if not runs:
            continue
        accounts.append((one["title"], *(_account(runs.get(n), _no_run(one, n)) for n in _RUNS)))
        full, sleeper = runs["all rights"], runs["sleeper"]
        refused = runs.get("write only", {}).get("refused", [])
        extras.append(
            (
                one["title"],
                _yes(full.get("command")),
                _yes(sleeper.get("command")) + _wakes(sleeper),
                _yes(full.get("will")),
                ", ".join(f"`{topic}`" for topic in refused) or "nothing",
            )
        )
    head = ("broker", "all rights", "early packets off", "write only")
    head += ("broker ended", "broker killed")
    text = "### What a node's readings come to\n\n" + table(head, accounts)
    head = ("broker", "command", "command for a sleeper", "offline after a power cut")
    head += ("named as refused to the writer",)
    text += "\n\n### What else works\n\n" + table(head, extras)
    return "\n\n".join([text, *_over_tls(brokers), *_bridges(brokers)])


def _over_tls(brokers: list[dict[str, Any]]) -> list[str]:
    """What a node does that trusts another authority."""
    rows = []
    for one in brokers:
        run = one.get("nodes", {}).get("wrong authority")
        if run:
            did = "refused, and tried again" if run.get("refused") else "not refused"
            did += f", {run.get('arrived', 'an unknown number')} of its readings arrived"
            cut = _account(one["nodes"].get("line cut"), "not tried")
            rows.append((one["title"], cut, did))
    head = ("broker", "line cut", "broker's certificate of another authority")
    return ["### Over TLS\n\n" + table(head, rows)] if rows else []


def _bridges(brokers: list[dict[str, Any]]) -> list[str]:
    """What becomes of readings while the upper broker is away."""
    rows = []
    for one in brokers:
        runs = [one.get("nodes", {}).get(name) for name in _UPPER_RUNS]
        if any(runs):
            rows.append((one["title"], *(_account(run, "not tried") for run in runs)))
    head = ("broker", "upper broker ended", "upper broker killed")
    return ["### Through a bridge\n\n" + table(head, rows)] if rows else []


def _no_run(broker: dict[str, Any], name: str) -> str:
    return "no rules" if name == "write only" and "rights" in broker["lacks"] else "not tried"


def _account(run: dict[str, Any] | None, why_not: str) -> str:
    if run is None:
        return why_not
    if "failed" in run:
        return f"failed: {run['failed']}"
    words = [f"{run['delivered']} of {run['taken']}", f"lost {run['lost']}"]
    if run["lost_by_broker"]:
        words.append(f"lost by the broker {run['lost_by_broker']}")
    words += [
        f"twice after the key {run['twice']}",
        # Over TLS it is seen only how often each arrived.
        f"none sent more than {_times(run['most_sent'])}"
        if "most_sent" in run
        else f"none arrived more than {_times(run['most_arrived'])}",
    ]
    plural = "" if run["connections"] == 1 else "s"
    words.append(f"{run['connections']} connection{plural}, {run['seconds']:.0f} s")
    return ", ".join(words)


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def _yes(did: bool | None) -> str:
    return {True: "yes", False: "no", None: "not tried"}[did]


def _wakes(run: dict[str, Any]) -> str:
    if not run.get("command"):
        return ""
    return f", at wake {run['wakes']}"


def _others(brokers: list[dict[str, Any]]) -> str:
    """Other clients with the writer's account, beside the node of the first table."""
    lines = []
    for one in brokers:
        ours = one.get("nodes", {}).get("write only")
        if ours and "most_sent" in ours:
            lines.append((one["title"], "Fieldpost", *_writer(ours, ours["causes"])))
        for client, run in one.get("others", {}).items():
            lines.append((one["title"], client, *_writer(run, run["errors"])))
    head = ("broker", "client", "delivered", "most sendings of one", "connections", "its errors")
    return "### Other clients with the writer's account\n\n" + table(head, lines)


def _writer(run: dict[str, Any], errors: dict[str, int]) -> tuple[str, ...]:
    said = ", ".join(f"{name} ({count})" for name, count in errors.items())
    figures = (f"{run['delivered']} of {run['taken']}", run["most_sent"], run["connections"])
    return (*map(str, figures), said or "none")


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
