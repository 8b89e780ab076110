"""The tests' own helpers can be read from the ground up: no two of them import one another."""

from __future__ import annotations

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from fieldpost.paths import ROOT

HELPERS = ROOT / "host_tests"
PACKAGES = ("fakes", "rigs", "simulation")
# Parts that name the whole that they belong to, as a type and in no other way: what they use of it
# is most of it.
WHOLE = {
    "fakes.broker": ("fakes.broker_client",),
    "simulation.machine": tuple(
        f"simulation.{name}"
        for name in ("battery", "board", "checks", "commands", "faults", "orders", "updates")
    ),
    "simulation.run": tuple(
        f"simulation.{name}" for name in ("battery", "commands", "faults", "machine", "updates")
    ),
}


def modules(root: Path = HELPERS) -> dict[str, Path]:
    """Every helper by its name."""
    return {
        f"{package}.{path.stem}": path
        for package in PACKAGES
        for path in (root / package).glob("*.py")
    }


def imports(source: str, known: set[str], with_types: bool) -> set[str]:
    """Which of the known modules a source imports anywhere; those of types alone only if asked."""
    found = set()
    todo: list[ast.AST] = [ast.parse(source)]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.If) and not with_types and "TYPE_CHECKING" in ast.dump(node.test):
            todo += node.orelse
            continue
        if isinstance(node, ast.Import):
            found |= {one.name for one in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{one.name}" for one in node.names)}
        todo += ast.iter_child_nodes(node)
    return found & known


def circle(graph: dict[str, set[str]]) -> list[str]:
    """The names along one circle, empty if there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return []


def graph(with_types: bool) -> dict[str, set[str]]:
    found = modules()
    return {
        name: imports(path.read_text(encoding="utf-8"), set(found), with_types) - {name}
        for name, path in found.items()
    }


def test_at_run_time_there_is_no_circle() -> None:
    assert len(modules()) > 50
    assert circle(graph(with_types=False)) == []


def test_for_types_a_part_names_its_own_whole_and_there_is_no_other_circle() -> None:
    found = graph(with_types=True)
    for whole, parts in WHOLE.items():
        for part in parts:
            assert whole in found[part], f"{part} no longer names {whole}: take it off the list"
            found[part].discard(whole)
    assert circle(found) == []


@pytest.mark.parametrize(
    ("first", "with_types"),
    [
        ("import fakes.b", False),
        ("from fakes import b", False),
        ("def f():\n    from fakes.b import X", False),
        ("if TYPE_CHECKING:\n    from fakes.b import X", True),
    ],
)
def test_a_circle_is_found_however_it_is_written(first: str, with_types: bool) -> None:
    known = {"fakes.a", "fakes.b"}
    second = imports("from fakes.a import Y", known, with_types)
    for types in (False, True):
        made = {"fakes.a": imports(first, known, types), "fakes.b": second}
        assert bool(circle(made)) == (types or not with_types)
