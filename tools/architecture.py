"""Writes the picture of the layers and the module map into docs/architecture.md, from the code.

    python tools/architecture.py           writes them
    python tools/architecture.py --check   ends with status 1 if the page says anything else

A module's line is the first sentence of its docstring. An arrow is an import, late ones included.
"""

from __future__ import annotations

import argparse
import ast
import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = Path("docs") / "architecture.md"
_COLUMNS = 99


def modules(root: Path, folder: str) -> list[Path]:
    """The modules of a folder and its packages, relative to `root`, as the page lists them."""
    found = (path.relative_to(root) for path in (root / folder).rglob("*.py"))
    # lib/umqtt is upstream's, and not in the repository.
    mine = (path for path in found if path.parts[:2] != ("lib", "umqtt"))
    return sorted(mine, key=lambda path: (len(path.parts) > 2, path.parent, path.name))


def first_sentence(text: str) -> str:
    """The first sentence of a text, on one line."""
    paragraph = " ".join(text.strip().split("\n\n")[0].split())
    return re.split(r"(?<=\.) ", paragraph)[0].rstrip(".:")


def line_of(path: Path) -> str:
    """What a module says that it is; an error if it says nothing."""
    text = ast.get_docstring(ast.parse(path.read_text("utf-8")))
    if not text:
        raise SystemExit(
            f"{path}: a module says in its docstring what it is for; this one does not"
        )
    return first_sentence(text).replace("|", r"\|")


def _has_content(path: Path) -> bool:
    """Whether a module is more than the docstring of its package."""
    return path.name != "__init__.py" or len(ast.parse(path.read_text("utf-8")).body) > 1


def _room(module: str, top: str) -> str:
    """The room of a module: its package, or itself where it stands beside the packages."""
    names = module.split(".")
    return names[1] if len(names) > 1 else top


def imports(root: Path, path: Path, packages: set[str]) -> set[str]:
    """The full names of what a module imports, at its top or late, of the given packages."""
    found = set()
    for part in ast.walk(ast.parse((root / path).read_text("utf-8"))):
        if isinstance(part, ast.Import):
            found |= {alias.name for alias in part.names}
        elif isinstance(part, ast.ImportFrom) and part.module and not part.level:
            found |= {f"{part.module}.{alias.name}" for alias in part.names}
    return {name for name in found if name.split(".")[0] in packages}


def rooms(root: Path, folder: str, package: str) -> dict[str, set[str]]:
    """Each room of a package's house, and the rooms that it imports from."""
    found: dict[str, set[str]] = {}
    start = Path(folder)
    for path in modules(root, folder):
        inside = path.relative_to(start)
        if inside.name == "__init__.py" and len(inside.parts) == 1:
            continue  # the package itself stands on no floor
        name = inside.parts[0].removesuffix(".py")
        others = found.setdefault(name, set())
        for target in imports(root, path, {package}):
            others.add(_room(target, package))
    for name, others in found.items():
        others &= set(found)
        others.discard(name)
    return found


def floors(house: dict[str, set[str]]) -> list[list[str]]:
    """The rooms in floors, the lowest first: each stands on the lowest floor that it can."""
    left = dict(house)
    built: list[list[str]] = []
    done: set[str] = set()
    while left:
        floor = sorted(name for name, others in left.items() if others <= done)
        if not floor:
            raise SystemExit(f"these import each other in a circle: {', '.join(sorted(left))}")
        built.append(floor)
        done |= set(floor)
        for name in floor:
            del left[name]
    return built


def contract(root: Path, package: str) -> list[list[str]] | None:
    """The floors that a package's contract in pyproject.toml gives it, if there is one."""
    settings = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))
    for one in settings["tool"].get("importlinter", {}).get("contracts", ()):
        if one["type"] == "layers" and one["containers"] == [package]:
            return [sorted(re.split(r"[ |:()]+", layer.strip("() "))) for layer in one["layers"]][
                ::-1
            ]
    return None


def check_floors(built: list[list[str]], house: dict[str, set[str]]) -> None:
    """SystemExit if a room is missing, or if an arrow does not run down."""
    level = {name: number for number, floor in enumerate(built) for name in floor}
    if set(level) != set(house):
        odd = sorted(set(level) ^ set(house))
        raise SystemExit(f"in the contract or in the code, not in both: {', '.join(odd)}")
    for name, others in house.items():
        wrong = sorted(other for other in others if level[other] >= level[name])
        if wrong:
            raise SystemExit(f"{name} imports what does not stand below it: {', '.join(wrong)}")


def _wrapped(indent: str, start: str, words: list[str]) -> list[str]:
    lines = [start]
    for word in words:
        if len(lines[-1]) + len(word) + 1 > _COLUMNS:
            lines.append(indent)
        lines[-1] += f" {word}"
    return lines


def picture(root: Path, folder: str, package: str) -> str:
    """The floors as text, the highest first, with what each room imports from."""
    house = rooms(root, folder, package)
    shown = {name: f"{name}/" if (root / folder / name).is_dir() else name for name in house}
    width = max(map(len, shown.values())) + 2
    lines = ["```text"]
    built = contract(root, package) or floors(house)
    check_floors(built, house)
    for number, floor in reversed(list(enumerate(built))):
        lines.append(f"-- floor {number} ".ljust(60, "-"))
        for name in floor:
            start = f"   {shown[name].ljust(width)}"
            others = sorted(shown[other] for other in house[name])
            if not others:
                lines.append(start.rstrip())
                continue
            words = [f"{other}," for other in others[:-1]] + [others[-1]]
            lines += _wrapped(" " * (len(start) + 2), f"{start}->", words)
    return "\n".join([*lines, "```"])


def table(root: Path, folder: str) -> str:
    """The modules of a folder with a line each, package by package."""
    parts: dict[Path, list[Path]] = {}
    for path in modules(root, folder):
        parts.setdefault(path.parent, []).append(path)
    blocks = []
    for parent, paths in parts.items():
        own = parent / "__init__.py"
        title = f"### `{parent.as_posix()}/`"
        purpose = f"\n\n{line_of(root / own)}." if own in paths else ""
        rows = [
            f"| `{path.name}` | {line_of(root / path)} |"
            for path in paths
            if _has_content(root / path)
        ]
        blocks.append(
            "\n".join([title + purpose, "", "| module | what it is for |", "|---|---|", *rows])
        )
    return "\n\n".join(blocks)


def written(root: Path, page: str) -> str:
    """The page with its generated parts as the code has them now."""
    parts = {
        "layers of the firmware": picture(root, "firmware", "firmware"),
        "layers of the tools": picture(root, "tools/fieldpost", "fieldpost"),
        "map of firmware": table(root, "firmware"),
        "map of lib": table(root, "lib"),
        "map of tools": table(root, "tools/fieldpost"),
    }
    for name, text in parts.items():
        begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
        if page.count(begin) != 1 or page.count(end) != 1:
            raise SystemExit(f"{PAGE.as_posix()} has not exactly one {begin} and one {end}")
        before, rest = page.split(begin)
        after = rest.split(end)[1]
        page = f"{before}{begin}\n{text}\n{end}{after}"
    return page


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; fail on a difference")
    check = parser.parse_args().check
    page = (ROOT / PAGE).read_text("utf-8")
    now = written(ROOT, page)
    if now == page:
        return
    if check:
        raise SystemExit(
            f"{PAGE.as_posix()} is behind the code: run `python tools/architecture.py`"
        )
    (ROOT / PAGE).write_text(now, "utf-8", newline="\n")
    print(f"wrote {PAGE.as_posix()}")


if __name__ == "__main__":
    main()
