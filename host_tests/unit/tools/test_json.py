"""What docs/json.md promises to scripts, of every command: one object, with its exit status."""

import json
import random
import re
from pathlib import Path
from typing import Any

import click
import pytest
from rigs.command_line import fieldpost
from rigs.hostile_board import HostilePort, honest, plug_in
from typer.main import get_command

from fieldpost import result
from fieldpost.cli import app
from fieldpost.errors import CommandError
from fieldpost.paths import ROOT

PAGE = (ROOT / "docs" / "json.md").read_text("utf-8")
PORT = "/dev/ttyBOARD"
NOWHERE = "mqtt://127.0.0.1:1"
# Of each command, what fails, with its code; {} stands for a folder that is empty.
FAILING = {
    "battery {}": "failed",
    "battery": "usage",
    "boards --port /dev/nowhere": "board_silent",
    "certs show --dir {}": "failed",
    f"cmd n get --timeout 0.2 --broker {NOWHERE}": "broker_away",
    "config check {}": "bad_config",
    "config push {} --port /dev/nowhere --wait 0": "failed",
    "config pull {} --port /dev/nowhere --wait 0": "board_port",
    "config show nosuchkey": "failed",
    "demo --nonsense": "usage",
    "deploy --port /dev/nowhere --wait 0": "some_failed",
    "doctor --nonsense": "usage",
    f"doctor --broker {NOWHERE}": "missing",
    "emulate --image {}/none.uf2": "failed",
    "erase --port /dev/nowhere --wait 0": "board_port",
    "flash --image {}/none.uf2": "failed",
    "fleet {}/none.toml plan": "failed",
    "ha import {}/none.jsonl": "failed",
    f"listen a --timeout 0.2 --broker {NOWHERE}": "broker_away",
    f"listen --telemetry --timeout 0.2 --broker {NOWHERE}": "broker_away",
    "provision --from {}/none.toml --to {}/out": "failed",
    "pull --port /dev/nowhere --wait 0": "board_port",
    "scan --port /dev/nowhere --wait 0": "board_port",
    "scan --scl 4": "failed",
}
# What succeeds without more than a file, or a board behind the real link.
SUCCEEDING = (
    "battery examples/greenhouse --board esp32",
    f"boards --port {PORT}",
    "config show",
    "config show mqtt.host",
    "doctor",
    f"erase --port {PORT} --yes",
    f"pull {{}}/pulled --port {PORT}",
)


def commands() -> dict[str, click.Command]:
    """Each command that has --json, as one types it."""
    found: dict[str, click.Command] = {}
    groups: list[tuple[str, Any]] = [("", get_command(app))]
    while groups:
        path, group = groups.pop()
        for name, command in getattr(group, "commands", {}).items():
            groups.append((f"{path}{name} ", command))
            if any("--json" in one.opts for one in command.params):
                found[f"{path}{name}"] = command
    return found


def rows(heading: str) -> dict[str, str]:
    part = PAGE.split(f"## {heading}\n")[1].split("\n## ")[0]
    return dict(re.findall(r"^\| `([^`]+)` \| (.*) \|$", part, re.M))


def codes(kind: type[CommandError]) -> set[str]:
    return {kind.code}.union(*map(codes, kind.__subclasses__()))


def test_the_page_names_every_command_that_has_json_and_every_code() -> None:
    assert sorted(rows("Commands")) == sorted(commands())
    assert rows("Codes of errors") == result.CODES


def test_every_kind_of_error_has_a_code_that_is_listed() -> None:
    assert codes(CommandError) <= set(result.CODES)


def test_every_command_fails_in_this_list_but_those_that_go_on() -> None:
    named = {name for name in commands() for words in FAILING if words.startswith(name)}
    assert commands().keys() - named == {"broker", "monitor", "run"}


@pytest.mark.parametrize("words", FAILING)
def test_a_failure_is_one_object_with_a_code_and_a_status(words: str, tmp_path: Path) -> None:
    typed = words.replace("{}", str(tmp_path)).split()
    ran = fieldpost(*typed, "--json", is_terminal=False, encoding="cp1252")
    ran.check()
    told = json.loads(ran.out)
    assert ran.status != 0 and told["ok"] is False
    assert told["error"]["code"] in result.CODES and told["error"]["message"]
    assert FAILING[words] in (None, told["error"]["code"]), told
    assert isinstance(told["error"]["message"], str)


@pytest.mark.parametrize("words", SUCCEEDING)
def test_a_success_is_one_object_with_the_keys_of_the_page(
    words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plug_in(monkeypatch, lambda clock: HostilePort(clock, random.Random(1), honest))
    monkeypatch.chdir(ROOT)
    typed = words.replace("{}", str(tmp_path)).split()
    ran = fieldpost(*typed, "--json", is_terminal=False, encoding="cp1252")
    ran.check()
    told = json.loads(ran.out)
    assert next(iter(told)) == "ok"
    assert told["ok"] is (ran.status == 0)
    name = max((one for one in rows("Commands") if words.startswith(one)), key=len)
    keys = set(re.findall(r"`(\w+)`", rows("Commands")[name]))
    assert told.keys() - {"ok", "error"} <= keys
