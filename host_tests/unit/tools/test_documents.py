"""The pages lead where they say: each link, each heading and each path in backticks exists."""

from __future__ import annotations

import ast
import re
import tokenize
from pathlib import Path

import pytest
from typer.main import get_command

from fieldpost.cli import app
from fieldpost.paths import ROOT

_CODE = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_QUOTED = re.compile(r"`([^`\s]+)`")
# What a path in backticks begins with to be one of this repository.
_TOP = ("firmware/", "lib/", "tools/", "host_tests/", "docs/", "examples/", ".ci/", ".github/")
_FOLDERS = "|".join(map(re.escape, _TOP))
# What is fetched or made, or is named to say that it is not there.
_NOT_HERE = ("lib/umqtt/",)


def pages() -> list[str]:
    """Every Markdown page of the repository."""
    found = [
        *ROOT.glob("*.md"),
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "examples").rglob("*.md"),
    ]
    found += (ROOT / ".github").rglob("*.md")
    return sorted(path.relative_to(ROOT).as_posix() for path in found)


PAGES = pages()


def anchors(page: Path) -> set[str]:
    """The headings of a page as a link names them."""
    text = _CODE.sub("", page.read_text(encoding="utf-8"))
    found = re.findall(r"^#+ +(.+)$", text, re.MULTILINE)
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in found)
    return {heading.strip().replace(" ", "-") for heading in plain}


def dead_links(page: Path, text: str) -> list[str]:
    """Relative links of a page that lead nowhere."""
    dead = []
    for target in _LINK.findall(_CODE.sub("", text)):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, heading = target.partition("#")
        path = page.parent / name if name else page
        if not path.exists() or (heading and heading not in anchors(path)):
            dead.append(target)
    return dead


def missing_paths(text: str) -> list[str]:
    """Paths of this repository that a text names in backticks, and that are not there."""
    named = [one for one in _QUOTED.findall(text) if one.startswith(_TOP)]
    plain = (one for one in named if not re.search(r"[<>*{}…=$]", one))
    return [
        one
        for one in plain
        if not one.startswith(_NOT_HERE)
        and not (ROOT / one).exists()
        # A module's bytecode stands on a board in the module's place.
        and not (ROOT / one.replace(".mpy", ".py")).exists()
    ]


@pytest.mark.parametrize("name", PAGES)
def test_every_link_of_a_page_leads_somewhere(name: str) -> None:
    page = ROOT / name
    assert dead_links(page, page.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("name", PAGES)
def test_every_path_that_a_page_names_exists(name: str) -> None:
    assert missing_paths((ROOT / name).read_text(encoding="utf-8")) == []


def prose(path: Path) -> str:
    """The comments and docstrings of a module."""
    source = path.read_text(encoding="utf-8")
    with path.open("rb") as file:
        found = [
            one.string for one in tokenize.tokenize(file.readline) if one.type == tokenize.COMMENT
        ]
    for part in ast.walk(ast.parse(source)):
        if isinstance(part, ast.Module | ast.ClassDef | ast.FunctionDef):
            found.append(ast.get_docstring(part) or "")
    return "\n".join(found)


@pytest.mark.slow
@pytest.mark.parametrize("folder", ["firmware", "lib", "tools", "host_tests"])
def test_every_path_that_a_comment_names_exists(folder: str) -> None:
    path_of_ours = re.compile(rf"(?<![\w/.\-{{])((?:{_FOLDERS})[\w/]+\.(?:py|md|toml|json))\b")
    gone = {}
    for path in (ROOT / folder).rglob("*.py"):
        if "umqtt" in path.parts:
            continue
        missing = {one for one in path_of_ours.findall(prose(path)) if not (ROOT / one).exists()}
        if missing:
            gone[path.relative_to(ROOT).as_posix()] = sorted(missing)
    assert gone == {}


def test_every_page_can_be_found_from_the_first_one() -> None:
    seen, todo = set(), [ROOT / "README.md"]
    while todo:
        page = todo.pop()
        if page in seen:
            continue
        seen.add(page)
        text = _CODE.sub("", page.read_text(encoding="utf-8"))
        for target in _LINK.findall(text):
            path = (page.parent / target.partition("#")[0]).resolve()
            if path.suffix == ".md" and path.exists():
                todo.append(path)
    docs = set((ROOT / "docs").rglob("*.md"))
    top = {ROOT / name for name in ("CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")}
    assert {path.name for path in (docs | top) - seen} == set()


def test_a_dead_link_a_wrong_heading_and_a_stale_path_are_found(tmp_path: Path) -> None:
    (tmp_path / "there.md").write_text("# A heading: with `code`\n", encoding="utf-8")
    text = "[a](there.md) [b](there.md#a-heading-with-code) [c](there.md#none) [d](gone.md)"
    assert dead_links(tmp_path / "page.md", text) == ["there.md#none", "gone.md"]
    assert missing_paths("`firmware/app.py` and `firmware/link.py`") == ["firmware/link.py"]


def test_the_pages_name_no_subcommand_that_is_not_there() -> None:
    known = set(getattr(get_command(app), "commands", {}))
    named = {
        (name, word)
        for name in PAGES
        for word in re.findall(r"`fieldpost ([a-z][a-z-]+)", (ROOT / name).read_text("utf-8"))
    }
    assert {one for one in named if one[1] not in known} == set()
