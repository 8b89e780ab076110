"""The files of examples/collect say what the command takes and what the store has."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from rigs.stores import NOW_S, event, open_on, rows, stores, telemetry
from typer.main import get_command

from fieldpost.cli import app
from fieldpost.paths import ROOT

HERE = ROOT / "examples" / "collect"


def options() -> set[str]:
    commands = get_command(app).commands  # pyright: ignore[reportAttributeAccessIssue]
    return {one for option in commands["collect"].params for one in option.opts}


def test_the_unit_starts_a_command_that_there_is(tmp_path: Path) -> None:
    unit = (HERE / "fieldpost-collect.service").read_text("utf-8")
    (start,) = re.findall(r"^ExecStart=(.+)$", unit, re.MULTILINE)
    program, command, *words = start.split()
    assert (program, command) == ("/opt/fieldpost/bin/fieldpost", "collect")
    assert {word for word in words if word.startswith("--")} <= options()
    if shutil.which("systemd-analyze"):
        here = tmp_path / "fieldpost-collect.service"
        here.write_text(unit.replace(program, "/bin/true"))
        done = subprocess.run(
            ["systemd-analyze", "verify", str(here)], capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0 and "fieldpost-collect" not in done.stderr, done.stderr


def test_the_containers_are_there_and_start_a_command_that_there_is() -> None:
    compose = yaml.safe_load((HERE / "compose.yaml").read_text("utf-8"))
    assert set(compose["services"]) == {"mosquitto", "postgres", "collect", "grafana"}
    for service in compose["services"].values():
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            if source.startswith("./"):
                assert (HERE / source).exists(), source
    command = re.findall(r"^CMD \[(.+)\]$", (HERE / "Dockerfile").read_text("utf-8"), re.M)
    words = json.loads(f"[{command[0]}]")
    assert words[0] == "collect" and {one for one in words if one[:2] == "--"} <= options()
    assert (ROOT / "examples" / "collect" / "Dockerfile").samefile(
        ROOT / compose["services"]["collect"]["build"]["dockerfile"]
    )


@pytest.mark.parametrize("kind", [one for one in stores() if one != "sqlite"])
def test_each_query_of_the_dashboard_is_answered(kind: str, tmp_path: Path) -> None:
    dashboard = json.loads((HERE / "grafana" / "fieldpost.json").read_text("utf-8"))
    queries = [
        target["rawSql"] for panel in dashboard["panels"] for target in panel["targets"]
    ] + [variable["query"] for variable in dashboard["templating"]["list"]]
    assert len(queries) == 7
    for store in open_on(kind, tmp_path):
        store.write([telemetry(1, seq, ts=int(NOW_S) + seq, temperature=seq) for seq in (0, 1, 4)])
        store.write([event("status", {"state": "online"}), event("health", {"outbox": 2})])
        for query in queries:
            assert rows(store, _filled_in(query)), query


def _filled_in(query: str) -> str:
    """As Grafana fills in its macros."""
    low, high = int(NOW_S) - 1000, int(NOW_S) + 1000
    query = re.sub(r"\$__unixEpochFilter\((\w+)\)", rf"\1 >= {low} AND \1 <= {high}", query)
    query = re.sub(
        r"\$__unixEpochGroupAlias\((\w+), [^)]+\)", r'floor((\1)/60)*60 AS "time"', query
    )
    query = query.replace("$node", "'n','m'").replace("$field", "temperature")
    assert "$" not in query, query
    return query
