"""docs/scale.md says what the results say, and new results leave those of other runs alone."""

from __future__ import annotations

from typing import Any

import pytest

from scale import __main__ as command
from scale import figures, plots, predicted, report


def row(name: str, **more: Any) -> dict[str, Any]:
    counts = ("acknowledged", "lost", "twice", "foreign", "rejected", "dropped", "waiting")
    return {"fault": name, "title": name, "nodes": 300, **dict.fromkeys(counts, 0), **more}


def test_the_page_is_what_the_results_say() -> None:
    page = command.PAGE.read_text(encoding="utf-8")
    part = page.partition(report.BEGIN)[2].partition(report.END)[0]
    assert part.strip() == report.render(report.read(command.RESULTS)).strip()


def test_what_is_published_lost_nothing() -> None:
    results = report.read(command.RESULTS)
    rows = [
        {"cluster": one["title"], **fault}
        for one in results["clusters"]
        for fault in one.get("faults", [])
    ]
    assert figures.broken(rows) == []


def test_new_results_replace_their_own_faults_and_fleets_only() -> None:
    old = {"clusters": [{"name": "a", "faults": [row("storm", lost=1), row("steady")]}]}
    new = {
        "clusters": [
            {"name": "b", "faults": [], "not_run": "no such program"},
            {"name": "a", "faults": [row("storm", nodes=5000), row("storm")]},
        ]
    }
    made = report.joined(old, new, ["a", "b"])["clusters"]
    assert [one["name"] for one in made] == ["a", "b"]
    assert [(one["fault"], one["nodes"], one["lost"]) for one in made[0]["faults"]] == [
        ("steady", 300, 0),
        ("storm", 300, 0),
        ("storm", 5000, 0),
    ]
    # One that can't be had here today keeps what it was elsewhere.
    again = report.joined(
        {"clusters": made},
        {"clusters": [{"name": "a", "faults": [], "not_run": "gone"}]},
        ["a", "b"],
    )
    assert again["clusters"][0]["faults"] == made[0]["faults"]


def test_an_outage_is_from_the_first_dial_to_the_first_that_a_broker_takes() -> None:
    series = {
        "second": [-1, 0, 1, 2, 3, 4],
        "dials": [5, 0, 9, 4, 2, 0],
        "reached": [5, 0, 0, 0, 3, 1],
    }
    assert predicted.outage(series) == (1, 3)


def test_a_series_is_one_line_of_the_file(tmp_path: Any) -> None:
    results = {"clusters": [{"faults": [{"series": {"second": [-1, 0, 1]}}]}]}
    report.save(tmp_path / "results.json", results)
    assert '"second": [-1, 0, 1]' in (tmp_path / "results.json").read_text()
    assert report.read(tmp_path / "results.json") == results


def test_there_is_a_picture_of_each_fault(tmp_path: Any) -> None:
    pytest.importorskip("matplotlib")
    results = report.read(command.RESULTS)
    plots.draw(tmp_path, results)
    made = {one.name for one in tmp_path.glob("*.png")}
    assert made == {one.name for one in command.RESULTS.parent.glob("*.png")} - {"crowd.png"}
