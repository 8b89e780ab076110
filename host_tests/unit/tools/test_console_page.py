"""docs/console.md has every line that a node can say: who reads one finds it there."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from fieldpost.paths import ROOT

PAGE = (ROOT / "docs" / "console.md").read_text(encoding="utf-8")
# What stands around a placeholder in the page: the end and the beginning of code or of italics.
_PLAIN = re.sub(r"[`*\\]", "", PAGE)
_PLACEHOLDER = re.compile(r"%(?:\.\d)?[a-z]0?")
# Where the reasons stand that a line of the link is made of.
_REASONS = ("recovery", "wifi", "mqtt_refusals", "mqtt_careful", "tls", "tls_alert", "time_sync")
# Parts of messages of others, by which those are known.
_NO_LINES = {
    "invalid key",
    "correctly signed",
    "local issuer",
    "self signed",
    "in the future",
    "not yet valid",
    "Common Name",
}


def texts(node: ast.AST) -> Iterator[str]:
    docstrings = {
        id(one.value)
        for one in ast.walk(node)
        if isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant)
    }
    for one in ast.walk(node):
        if not isinstance(one, ast.Constant) or id(one) in docstrings:
            continue
        if isinstance(one.value, str):
            yield one.value


def logged(tree: ast.AST) -> Iterator[str]:
    """The first words of each call of a log."""
    for call in ast.walk(tree):
        if not isinstance(call, ast.Call) or not call.args:
            continue
        name = getattr(call.func, "attr", None) or getattr(call.func, "id", "")
        if name in ("log", "_log"):
            yield from texts(call.args[0])


def reasons(path: Path) -> Iterator[str]:
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        # The names of alerts are the RFC's, and one row stands for them.
        is_names = isinstance(node, ast.Assign) and "'_NAMES'" in ast.dump(node.targets[0])
        if not is_names:
            yield from texts(node)


def every_line() -> list[str]:
    found: set[str] = set()
    for path in (ROOT / "firmware").rglob("*.py"):
        found.update(logged(ast.parse(path.read_text(encoding="utf-8"))))
    for name in _REASONS:
        found.update(reasons(ROOT / "firmware" / "net" / f"{name}.py"))
    return sorted(line for line in found if " " in line.strip(" ,:") and line not in _NO_LINES)


def is_on(page: str, line: str) -> bool:
    """Whether the page has a row with the words of a line, in their order."""
    words = [part.strip() for part in _PLACEHOLDER.split(line)]
    pattern = ".*?".join(re.escape(part) for part in words if part)
    return any(re.search(pattern, row) for row in page.splitlines() if row.startswith("|"))


def test_the_lines_are_found_in_the_code() -> None:
    lines = every_line()
    assert len(lines) > 60
    assert "asleep for %.1f s" in lines and "no such access point" in lines


@pytest.mark.parametrize("line", every_line())
def test_a_line_that_a_node_can_say_is_on_the_page(line: str) -> None:
    assert is_on(_PLAIN, line), f"docs/console.md lacks {line!r}"


def test_a_line_that_is_not_there_is_missed() -> None:
    assert not is_on(_PLAIN, "sample %d eaten by %s")
