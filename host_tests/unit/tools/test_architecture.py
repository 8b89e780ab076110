"""docs/architecture.md has every module, each arrow as the code has it, and nothing else."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

import architecture
from fieldpost.paths import ROOT

PAGE = (ROOT / architecture.PAGE).read_text(encoding="utf-8")


def tree(folder: Path, sources: dict[str, str]) -> Path:
    """A firmware of a few modules: path -> text."""
    for name, text in sources.items():
        path = folder / "firmware" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


@pytest.mark.slow
def test_the_page_is_as_the_code_is() -> None:
    now = architecture.written(ROOT, PAGE)
    assert now == PAGE, "run `python tools/architecture.py`"


@pytest.mark.parametrize("folder", ["firmware", "lib", "tools/fieldpost"])
def test_the_map_names_each_module_once_and_none_that_is_not_there(folder: str) -> None:
    parts = re.split(r"^### `(.+)/`$", PAGE, flags=re.MULTILINE)[1:]
    named = [
        f"{parent}/{name}"
        for parent, rows in zip(parts[::2], parts[1::2], strict=True)
        for name in re.findall(r"^\| `(\w+\.py)` \|", rows, re.MULTILINE)
        if parent.startswith(folder)
    ]
    there = [
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / folder).rglob("*.py")
        if "umqtt" not in path.parent.parts
    ]
    # A package's own file has a row if it does something: test_a_package_… below.
    named, there = (
        sorted(path for path in paths if not path.endswith("/__init__.py"))
        for paths in (named, there)
    )
    assert named == there


def test_a_package_says_what_it_is_for_and_has_a_row_if_it_does_more(tmp_path: Path) -> None:
    root = tree(
        tmp_path,
        {
            "net/__init__.py": '"""From the radio to the broker."""\n',
            "net/link.py": '"""Brings it up."""\n',
            "board/__init__.py": '"""The board."""\nBoard = None\n',
        },
    )
    text = architecture.table(root, "firmware")
    assert "### `firmware/net/`\n\nFrom the radio to the broker.\n" in text
    assert "| `__init__.py` | The board |" in text
    assert text.count("`__init__.py`") == 1


@pytest.mark.slow
def test_a_module_that_is_new_or_gone_makes_the_page_stale(tmp_path: Path) -> None:
    for folder in ("firmware", "lib", "tools/fieldpost"):
        shutil.copytree(
            ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("umqtt", "__pycache__")
        )
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    assert architecture.written(tmp_path, PAGE) == PAGE
    extra = tmp_path / "firmware" / "net" / "carrier_pigeon.py"
    extra.write_text('"""Carries readings by pigeon (RFC 1149). Slow."""\n', encoding="utf-8")
    row = "| `carrier_pigeon.py` | Carries readings by pigeon (RFC 1149) |"
    assert row in architecture.written(tmp_path, PAGE)
    extra.unlink()
    (tmp_path / "firmware" / "net" / "recovery.py").unlink()
    assert "| `recovery.py` |" not in architecture.written(tmp_path, PAGE)


def test_late_imports_are_arrows_too(tmp_path: Path) -> None:
    root = tree(
        tmp_path,
        {
            "app.py": "def run():\n    from firmware.net.link import Link\n",
            "net/link.py": "from firmware import files\nfrom firmware import VERSION\n",
            "files.py": "",
        },
    )
    house = architecture.rooms(root, "firmware", "firmware")
    assert house == {"app": {"net"}, "net": {"files"}, "files": set()}
    assert architecture.floors(house) == [["files"], ["net"], ["app"]]


def test_a_circle_is_named_and_never_drawn(tmp_path: Path) -> None:
    root = tree(
        tmp_path,
        {"net/link.py": "import firmware.node\n", "node.py": "from firmware.net import link\n"},
    )
    with pytest.raises(SystemExit, match="circle: net, node"):
        architecture.floors(architecture.rooms(root, "firmware", "firmware"))


def test_the_floors_are_those_of_the_contract(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(
        '[[tool.importlinter.contracts]]\ntype = "layers"\ncontainers = ["firmware"]\n'
        'layers = ["app", "node | net", "files"]\n',
        encoding="utf-8",
    )
    built = architecture.contract(tmp_path, "firmware")
    assert built == [["files"], ["net", "node"], ["app"]]
    assert architecture.contract(tmp_path, "fieldpost") is None
    house = {"app": {"node", "files"}, "node": {"files"}, "net": set(), "files": set()}
    architecture.check_floors(built, house)
    with pytest.raises(SystemExit, match="node imports what does not stand below it: net"):
        architecture.check_floors(built, {**house, "node": {"net"}})
    with pytest.raises(SystemExit, match="not in both: led"):
        architecture.check_floors(built, {**house, "led": set()})


def test_a_module_without_a_docstring_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "dumb.py"
    path.write_text("x = 1\n", encoding="utf-8")
    with pytest.raises(SystemExit, match="docstring"):
        architecture.line_of(path)


@pytest.mark.parametrize(
    ("docstring", "line"),
    [
        ("One sentence.", "One sentence"),
        ("umqtt.simple over\na wire. And more.", "umqtt.simple over a wire"),
        ("A heading:\n\n    code", "A heading"),
    ],
)
def test_a_line_is_the_first_sentence(docstring: str, line: str) -> None:
    assert architecture.first_sentence(docstring) == line
