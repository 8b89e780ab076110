"""What docs/json.md promises to scripts, of every command: one object, with its exit status."""

import ast
import re
from typing import Any

import click
from typer.main import get_command

from fieldpost.cli import app
from fieldpost.errors import CommandError
from fieldpost.paths import ROOT
from fieldpost.terminal import result

PAGE = (ROOT / "docs" / "json.md").read_text("utf-8")


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
