"""What docs/json.md promises to scripts, of every command: one object, with its exit status."""

import ast
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
    "battery {}": "bad_config",
    "battery": "usage",
    "boards --port /dev/nowhere": "board_port",
    "certs show --dir {}": "bad_file",
    f"cmd n get --timeout 0.2 --broker {NOWHERE}": "broker_away",
    "config check {}": "bad_config",
    "config push {} --port /dev/nowhere --wait 0": "bad_file",
    "config pull {} --port /dev/nowhere --wait 0": "board_port",
    f"config pull {{}} --node n --timeout 0.2 --broker {NOWHERE}": "broker_away",
    "config show nosuchkey": "usage",
    "demo --nonsense": "usage",
    "deploy --port /dev/nowhere --wait 0": "board_port",
    "deploy --port /dev/nowhere --port /dev/no --wait 0": "some_failed",
    "doctor --nonsense": "usage",
    f"doctor --broker {NOWHERE}": "missing",
    "emulate --image {}/none.uf2": "bad_file",
    "erase --port /dev/nowhere --wait 0": "board_port",
    "flash --image {}/none.uf2": "bad_file",
    "fleet {}/none.toml plan": "bad_file",
    "ha import {}/none.jsonl": "usage",
    f"listen a --timeout 0.2 --broker {NOWHERE}": "broker_away",
    f"listen --telemetry --timeout 0.2 --broker {NOWHERE}": "broker_away",
    "provision --from {}/none.toml --to {}/out": "bad_file",
    "pull --port /dev/nowhere --wait 0": "board_port",
    "scan --port /dev/nowhere --wait 0": "board_port",
    "scan --scl 4": "usage",
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


def test_every_error_is_raised_as_one_of_the_kinds_that_a_script_can_tell_apart() -> None:
    general = []
    for path in (ROOT / "tools" / "fieldpost").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            # With a second argument, the code of a failure that was told before.
            if isinstance(node, ast.Call) and len(node.args) == 1:
                name = getattr(node.func, "id", getattr(node.func, "attr", ""))
                if name == "CommandError":
                    general.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert not general, "fieldpost/errors.py has kinds: " + ", ".join(general)


def test_the_page_says_which_status_goes_with_which_code() -> None:
    said = "The status is 2 with the code `usage`, 130 with `interrupted`, and 1 with every other."
    assert said in " ".join(PAGE.split())
    others = {code for code in result.CODES if result.status_of(code) != 1}
    assert others == {"usage", "interrupted"}
    assert (result.status_of("usage"), result.status_of("interrupted")) == (2, 130)


def test_every_command_fails_in_this_list_but_those_that_go_on() -> None:
    named = {name for name in commands() for words in FAILING if words.startswith(name)}
    assert commands().keys() - named == {"broker", "monitor", "run"}


@pytest.mark.parametrize("words", FAILING)
def test_a_failure_is_one_object_with_a_code_and_a_status(words: str, tmp_path: Path) -> None:
    typed = words.replace("{}", str(tmp_path)).split()
    ran = fieldpost(*typed, "--json", is_terminal=False, encoding="cp1252")
    ran.check()
    told = json.loads(ran.out)
    assert told["ok"] is False and told["error"]["message"]
    assert told["error"]["code"] == FAILING[words], told
    assert ran.status == result.status_of(FAILING[words])
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
