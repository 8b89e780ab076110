"""What is asked about a board is refused for the firmware's own reasons, and no secret is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from rigs.deploy import Bench, project

from fieldpost.errors import BadConfig, CommandError
from fieldpost.serve.set_up.job import Source, Told, set_up, tell_end, wanted_of

CONFIG: dict[str, Any] = {"node": "bench-1", "mqtt": {"host": "10.0.0.1"}}
SECRETS: dict[str, Any] = {"wifi": [{"ssid": "desk", "password": "correct horse"}]}


@pytest.mark.parametrize(
    "told",
    [
        {},
        {"config": CONFIG},
        {"config": 5, "secrets": SECRETS},
        {"config": CONFIG, "secrets": SECRETS, "files": []},
        {"config": CONFIG, "secrets": SECRETS, "files": {"ca.der": "%%%"}},
        {"config": CONFIG, "secrets": SECRETS, "files": {"ca.der": 5}},
        {"config": CONFIG, "secrets": SECRETS, "files": {"../boot.py": "AAAA"}},
    ],
)
def test_what_is_no_configuration_is_refused(told: dict[str, Any]) -> None:
    with pytest.raises(CommandError):
        wanted_of(told)


def test_a_configuration_comes_with_its_certificates_and_over_what_is_there() -> None:
    told = {"config": CONFIG, "secrets": SECRETS, "files": {"ca.der": "AAEC"}}
    wanted = wanted_of(told)
    assert (wanted.config, wanted.secrets) == (CONFIG, SECRETS)
    assert wanted.files == {"ca.der": b"\0\1\2"} and wanted.keeps
    assert not wanted_of({**told, "fresh": True}).keeps
    assert "correct horse" not in repr(wanted)


def test_a_board_is_not_so_much_as_reached_with_what_is_wrong() -> None:
    told: list[dict[str, Any]] = []
    wanted = wanted_of({"config": {**CONFIG, "sample_s": "soon"}, "secrets": SECRETS})
    with pytest.raises(BadConfig, match="sample_s"):
        set_up("socket://127.0.0.1:1", wanted, Source(), told.append)
    assert told == []


def test_the_page_is_told_of_a_board_and_not_of_a_port_that_nobody_knows() -> None:
    told: list[dict[str, Any]] = []
    screen = Told(told.append)
    screen.say("socket://127.0.0.1:5", "nothing on socket://127.0.0.1:5 answers")
    screen.progress("socket://127.0.0.1:5", "sending", 3, 10)
    assert told == [
        {"kind": "say", "text": "nothing on the board answers"},
        {"kind": "progress", "text": "sending", "done": 3, "total": 10},
    ]


@pytest.mark.slow
def test_what_a_board_has_stays_unless_nothing_is_to(tmp_path: Path) -> None:
    source = Source(project(tmp_path / "project", "1.2.3"))
    told: list[dict[str, Any]] = []
    with Bench(tmp_path / "bench") as bench:
        before = {"node": "old", "mqtt": {"host": "10.0.0.1", "keepalive_s": 90}, "sample_s": 30}
        (bench.folder / "config.json").write_text(json.dumps(before))
        wanted = wanted_of({"config": CONFIG, "secrets": SECRETS})
        set_up(str(bench.port), wanted, source, told.append)
        config = json.loads(bench.files()["config.json"])
        assert config == {**before, "node": "bench-1"}
        (bench.folder / "config.json").write_text("no JSON")
        tell_end(lambda: set_up(str(bench.port), wanted, source, told.append), told.append)
        assert "tick 'Keep nothing of its configuration'" in told[-1]["text"]
        assert bench.files()["config.json"] == b"no JSON"
        fresh = wanted_of({"config": CONFIG, "secrets": SECRETS, "fresh": True})
        set_up(str(bench.port), fresh, source, told.append)
        assert json.loads(bench.files()["config.json"]) == CONFIG
    assert "correct horse" not in json.dumps(told)
