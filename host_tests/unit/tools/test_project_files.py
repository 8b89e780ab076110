"""The files for other programs (hosting, pre-commit, editors) say what the Makefile has."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from fieldpost.paths import ROOT

TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
TEMPLATES = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def unknown_targets(commands: list[str]) -> list[str]:
    named = [word for one in commands for word in re.findall(r"\bmake ([a-z-]+)", one)]
    return [word for word in named if word not in TARGETS]


def test_pre_commit_fetches_nothing_and_checks_what_make_check_does() -> None:
    repos = read(ROOT / ".pre-commit-config.yaml")["repos"]
    assert [one["repo"] for one in repos] == ["local"]
    hooks = repos[0]["hooks"]
    assert {one["language"] for one in hooks} == {"system"}
    check = re.search(r"^check: (.+)$", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    assert check and {one["entry"] for one in hooks} == {f"make {one}" for one in check[1].split()}


def test_the_workflow_runs_what_is_there() -> None:
    jobs = read(ROOT / ".github" / "workflows" / "ci.yml")["jobs"]
    commands = [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step]
    assert unknown_targets(commands) == []
    assert ".ci/run" in commands and (ROOT / ".ci" / "run").exists()
    files = [one for text in commands for one in re.findall(r"-r (\S+)", text)]
    assert [one for one in files if not (ROOT / one).exists()] == []
    assert all("timeout-minutes" in job for job in jobs.values())


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.stem)
def test_an_issue_form_can_be_read(path: Path) -> None:
    form = read(path)
    if path.stem == "config":
        return
    assert form["name"] and form["description"]
    fields = [one for one in form["body"] if one["type"] != "markdown"]
    assert all(one["attributes"]["label"] for one in fields)
    names = [one["id"] for one in fields]
    assert len(names) == len(set(names))


def test_contributing_names_targets_that_are_there() -> None:
    for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "docs/design.md"):
        text = (ROOT / name).read_text(encoding="utf-8")
        assert unknown_targets(re.findall(r"`(make [^`]+)`", text)) == []
