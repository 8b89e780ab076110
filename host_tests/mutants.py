"""Mutants of the core: one change at a time, and whether a test of `make test` says no.

    make mutants                          a few of each file, and docs/reliability.md's table anew
    make mutants MUTANTS="--each 100"     more of them
    make mutants MUTANTS="--file lib/wire.py --seed 7 --jobs 1"

Each mutant stands in a copy of the tree, so nothing here changes. A tool of our own, because the
tests load the firmware in three ways: as modules, as copies of a file under other names, and in
MicroPython from its place in the tree. Tools that instrument modules as they are imported see the
first alone; those that change files in place know one command for all tests, and ours would take
minutes for each mutant.

What was found is kept in build/mutants.json, so a run that was ended goes on. A mutant that a test
has caught is not tried again while its file is as it was; one that survived is. The few that
change nothing stand in mutants_equivalent.toml, each with the reason.
"""

import argparse
import ast
import hashlib
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from queue import SimpleQueue
from threading import Lock

from covering import FILE, Covering

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "reliability.md"
FOUND = ROOT / "build" / "mutants.json"
EQUIVALENT = Path(__file__).with_name("mutants_equivalent.toml")
_PACKAGES = ("config", "duty_cycle", "net", "portal", "readings", "remote", "update")
_MODULES = (
    "boot.py",
    *(f"firmware/{name}.py" for name in ("app", "clock", "compose", "crash", "files", "node")),
    *(f"lib/{name}.py" for name in ("module_pack", "pack_trial", "sntp")),
    *(f"lib/{name}.py" for name in ("wire", "wire_packets", "wire_tls")),
)
_UNIT = Path("host_tests", "unit")
_PLACES = (
    _UNIT / "firmware",
    _UNIT / "lib",
    _UNIT / "tools" / "config",
    _UNIT / "tools" / "deploy",
    Path("host_tests", "whole"),
    Path("host_tests", "on_port"),
)
# Tests that run whole nodes, and so concern every file.
_SEEDS = "host_tests/whole/test_simulation.py"
_WORLDS = f"{_SEEDS}::test_no_seed_breaks_an_invariant"
# Those that ask nothing of what the firmware does, or go by its text, which a mutant changes.
_NOT_ASKED = {"test_mutants.py", "test_footprint.py", "test_installed.py", "test_sabotage.py"}
_LIMIT_S = 300
# The tests next to a file take some ten seconds; what takes so long has no end.
_NEAR_LIMIT_S = 120
# Of the tests that run a line, so many seconds' worth are asked first, the quickest first.
_QUICK_S = 30.0
# Of what tests say that fail, its end.
_SAID_CHARACTERS = 3000
# Compiled tests are kept: each mutant starts a new Python, and would compile them all again.
_ENVIRONMENT = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
_COMPARISONS = {
    "<": "<=",
    "<=": "<",
    ">": ">=",
    ">=": ">",
    "==": "!=",
    "!=": "==",
    "is not": "is",
    "is": "is not",
    "not in": "in",
    "in": "not in",
}
_ARITHMETIC = {"+": "-", "-": "+", "*": "+", "//": "*", "%": "*", "<<": ">>", ">>": "<<"}
_OPERATOR = re.compile(r"not in\b|is not\b|in\b|is\b|<<|>>|//|[<>=!]=|[-+*%<>]")


@dataclass(frozen=True)
class Mutant:
    """One change: the bytes from `start` to `end` of `file` become `new`. text: its line."""

    file: str
    line: int
    start: int
    end: int
    old: str
    new: str
    text: str

    @property
    def told(self) -> tuple[str, str, str, str]:
        """What it is known by when lines above it come or go."""
        return (self.file, self.text, self.old, self.new)

    def applied_to(self, source: bytes) -> bytes:
        return source[: self.start] + self.new.encode() + source[self.end :]

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.old!r} -> {self.new!r}"


class _Places:
    """All mutants of one file."""

    def __init__(self, file: str, source: bytes) -> None:
        self._file = file
        self._source = source
        self._lines = [0]
        for line in source.splitlines(keepends=True):
            self._lines.append(self._lines[-1] + len(line))

    def all(self) -> Iterator[Mutant]:
        for node in ast.walk(ast.parse(self._source)):
            if isinstance(node, ast.Compare):
                operands = [node.left, *node.comparators]
                for left, right in pairwise(operands):
                    yield from self._operator(left, right, _COMPARISONS)
            elif isinstance(node, ast.BinOp):
                yield from self._operator(node.left, node.right, _ARITHMETIC)
            elif isinstance(node, ast.BoolOp):
                word, other = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
                for left, right in pairwise(node.values):
                    yield from self._between(
                        left, right, re.compile(rf"\b{word}\b"), {word: other}
                    )
            elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
                start = self._at(node.lineno, node.col_offset)
                yield self._mutant(node.lineno, start, start + 3, "")
            elif isinstance(node, ast.Constant) and isinstance(node.value, int):
                value = node.value
                other = str(not value if isinstance(value, bool) else value + 1)
                yield self._whole(node, other)
            elif isinstance(node, ast.AugAssign) or (
                isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
            ):
                yield self._whole(node, "pass")

    def _at(self, line: int, column: int) -> int:
        return self._lines[line - 1] + column

    def _mutant(self, line: int, start: int, end: int, new: str) -> Mutant:
        text = self._source[self._lines[line - 1] : self._lines[line]].decode().strip()
        return Mutant(self._file, line, start, end, self._source[start:end].decode(), new, text)

    def _whole(self, node: ast.expr | ast.stmt, new: str) -> Mutant:
        assert node.end_lineno is not None and node.end_col_offset is not None
        start = self._at(node.lineno, node.col_offset)
        return self._mutant(
            node.lineno, start, self._at(node.end_lineno, node.end_col_offset), new
        )

    def _operator(
        self, left: ast.expr, right: ast.expr, changes: dict[str, str]
    ) -> Iterator[Mutant]:
        return self._between(left, right, _OPERATOR, changes)

    def _between(
        self, left: ast.expr, right: ast.expr, pattern: re.Pattern[str], changes: dict[str, str]
    ) -> Iterator[Mutant]:
        assert left.end_lineno is not None and left.end_col_offset is not None
        begin = self._at(left.end_lineno, left.end_col_offset)
        text = self._source[begin : self._at(right.lineno, right.col_offset)].decode()
        found = pattern.search(text)
        if found and found[0] in changes and text.isascii():
            start = begin + found.start()
            yield self._mutant(left.end_lineno, start, begin + found.end(), changes[found[0]])


def files() -> list[str]:
    """The core: what a reading, a command or a setting passes on a board."""
    packaged = (
        path.relative_to(ROOT).as_posix()
        for package in _PACKAGES
        for path in sorted((ROOT / "firmware" / package).glob("*.py"))
        if path.name != "__init__.py"
    )
    return [*_MODULES, *packaged]


@cache
def stages(file: str) -> list[list[str]]:
    """The tests that concern a file, whether they run the line or not: its own, those of its
    package, those that speak of it, and whole nodes: four lists, of which any may be empty."""
    path = Path(file)
    folder = _UNIT / path.parent
    own = sorted((ROOT / folder).glob(f"test_{path.stem}*.py"))
    package = [] if path.parent.as_posix() in ("lib", ".") else _tests_of_package(path.parent)
    word = re.compile(rf"\b{path.stem}\b")
    speaking = [
        test
        for place in _PLACES
        for test in sorted((ROOT / place).rglob("test_*.py"))
        if word.search(test.read_text(encoding="utf-8"))
    ]
    seen = {ROOT / _SEEDS}
    found = []
    for tests in (own, package, speaking):
        new = [test for test in tests if test not in seen and test.name not in _NOT_ASKED]
        seen.update(new)
        found.append([test.relative_to(ROOT).as_posix() for test in new])
    return [*found, [_SEEDS]]


def _tests_of_package(package: Path) -> list[Path]:
    """Of a board's package, and of what the tools have of the same name."""
    folders = (ROOT / _UNIT / package, ROOT / _UNIT / "tools" / package.name)
    return [test for folder in folders for test in sorted(folder.glob("test_*.py"))]


def _on_port(tests: list[str]) -> list[str]:
    return [test for test in tests if test.startswith("host_tests/on_port/")]


def choose(file: str, each: int, seed: int) -> list[Mutant]:
    """So many mutants of a file, always the same ones for a seed."""
    every = sorted(_Places(file, (ROOT / file).read_bytes()).all(), key=lambda one: one.start)
    return random.Random(f"{seed} {file}").sample(every, min(each, len(every)))


class Copy:
    """The tree, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._said = ""
        self._sound: set[str] = set()
        listed = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        for name in (*listed.stdout.splitlines(), "lib/umqtt/simple.py"):
            if (ROOT / name).is_file():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, folder / name)

    def survives(self, mutant: Mutant, covering: Callable[[], Covering]) -> bool:
        """Whether all tests that concern it pass with it: those next to it, which take seconds,
        and only then those that run its line wherever they stand.

        Raises TestsFail if those next to it fail without it: all would be caught by them.
        """
        path = self._folder / mutant.file
        source = path.read_bytes()
        *near, speaking, seeds = stages(mutant.file)
        if mutant.file not in self._sound:
            for tests in near:
                if tests and not self.passes(tests, _NEAR_LIMIT_S):
                    raise TestsFail(self._said)
            self._sound.add(mutant.file)
        _put(path, mutant.applied_to(source))
        try:
            if not all(self.passes(tests, _NEAR_LIMIT_S) for tests in near if tests):
                return False
            quick = covering().tests(mutant.file, mutant.line, _QUICK_S)
            # Those that do not run the line can't see it, unless nobody knows which do: what
            # stands in no function runs once, when it is imported, and what MicroPython runs is
            # not seen.
            others = (_on_port(speaking), [_WORLDS]) if quick else (speaking, seeds)
            return all(self.passes(tests) for tests in (quick, *others) if tests)
        finally:
            # A mutant that was compiled and caught within a second would be every later one's end.
            _put(path, source)

    def covering(self) -> Covering:
        """What runs which line, measured."""
        target = self._folder / "covering.json"
        tests = [place.as_posix() for place in _PLACES if place.name != "on_port"]
        # Some of these need a checkout, which a copy is not.
        without = [f"--ignore-glob=*/{name}" for name in sorted(_NOT_ASKED)]
        with_plugin = ["-p", "covering", *without, *tests]
        if not self.passes(with_plugin, None, {FILE: str(target)}):
            raise TestsFail(self._said)
        return Covering(target)

    def passes(
        self,
        tests: list[str],
        limit_s: float | None = _LIMIT_S,
        more: dict[str, str] | None = None,
    ) -> bool:
        """Whether these tests pass; what takes too long does not. `_said` has their last words."""
        path = os.pathsep.join(str(self._folder / name) for name in ("tools", "host_tests"))
        process = subprocess.Popen(
            [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests],
            cwd=self._folder,
            env={**_ENVIRONMENT, "PYTHONPATH": path, **(more or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        try:
            said, _ = process.communicate(timeout=limit_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            self._said = f"they took longer than {limit_s:g} s: {' '.join(tests)}"
            return False
        self._said = said[-_SAID_CHARACTERS:]
        return process.returncode == 0


def _put(path: Path, source: bytes) -> None:
    """Write a module. Nothing stays that was compiled from what stood there: Python knows a change
    by its time in whole seconds, and by the file's size."""
    path.write_bytes(source)
    for compiled in (path.parent / "__pycache__").glob(f"{path.stem}.*"):
        compiled.unlink()


class TestsFail(Exception):
    """They do so without any mutant."""


class Measured:
    """Which tests run which line: measured once, when somebody asks first."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._covering: Covering | None = None

    def __call__(self) -> Covering:
        with self._lock:
            if self._covering is None:
                print("Asking which tests run which line (some minutes) …", flush=True)
                with tempfile.TemporaryDirectory(prefix="fieldpost-mutants-") as folder:
                    self._covering = Copy(Path(folder)).covering()
            return self._covering


class Found:
    """What is known of each mutant, kept over runs: whether it was caught."""

    def __init__(self, path: Path) -> None:
        self._path = path
        known = json.loads(path.read_text()) if path.exists() else {}
        self._caught: dict[str, bool] = known

    def is_caught(self, mutant: Mutant) -> bool:
        return self._caught.get(self._key(mutant), False)

    def note(self, mutant: Mutant, is_caught: bool) -> None:
        self._caught[self._key(mutant)] = is_caught
        self._path.parent.mkdir(parents=True, exist_ok=True)
        beside = self._path.with_suffix(".new")
        beside.write_text(json.dumps(self._caught, indent=1, sort_keys=True))
        beside.replace(self._path)

    @staticmethod
    def _key(mutant: Mutant) -> str:
        of_file = hashlib.sha256((ROOT / mutant.file).read_bytes()).hexdigest()[:12]
        return f"{of_file} {mutant.start} {mutant}"


def equivalents() -> dict[tuple[str, str, str, str], str]:
    """Mutants that change nothing, with the reason: by file, line's text, old and new."""
    listed = tomllib.loads(EQUIVALENT.read_text(encoding="utf-8"))["mutant"]
    return {(one["file"], one["text"], one["old"], one["new"]): one["why"] for one in listed}


def try_all(
    mutants: list[Mutant], covering: Callable[[], Covering], found: Found, jobs: int
) -> list[Mutant]:
    """Those of them that no test catches. Each job has a copy of the tree."""
    with ExitStack() as stack:
        copies: SimpleQueue[Copy] = SimpleQueue()
        for _ in range(jobs):
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="fieldpost-mutants-"))
            copies.put(Copy(Path(folder)))

        def lives(mutant: Mutant) -> bool:
            if found.is_caught(mutant):
                return False
            copy = copies.get()
            try:
                return copy.survives(mutant, covering)
            finally:
                copies.put(copy)

        left = []
        # What was ended by hand ends at once: the rest of the queue is not begun.
        pool = ThreadPoolExecutor(jobs)
        stack.callback(pool.shutdown, cancel_futures=True)
        for mutant, is_left in zip(mutants, pool.map(lives, mutants), strict=True):
            found.note(mutant, not is_left)
            print("SURVIVED" if is_left else "caught  ", mutant, flush=True)
            left += [mutant] * is_left
        return left


def table(chosen: list[Mutant], left: list[Mutant], same: list[Mutant]) -> str:
    """A row for each package. same: the equivalent ones among those that are left."""
    rows = [
        "| part | mutants | that change nothing | of the others caught |",
        "|---|---:|---:|---:|",
    ]
    by_part: dict[str, list[Mutant]] = {}
    for mutant in chosen:
        by_part.setdefault(_part(mutant.file), []).append(mutant)
    for part, mutants in [*sorted(by_part.items()), ("**all**", chosen)]:
        equal = sum(mutant in same for mutant in mutants)
        missed = sum(mutant in left and mutant not in same for mutant in mutants)
        others = len(mutants) - equal
        rows.append(f"| {part} | {len(mutants)} | {equal} | {others - missed} of {others} |")
    return "\n".join(rows)


def _part(file: str) -> str:
    parent = Path(file).parent.as_posix()
    return parent if parent not in ("lib", "firmware", ".") else file


def main() -> int:
    """Status 1 if the tests fail without any mutant: then a table would mean nothing."""
    parser = argparse.ArgumentParser(
        description="Mutants of the core, and which tests catch them."
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--each", type=int, default=8, help="mutants of each file")
    parser.add_argument("--file", action="append", choices=files(), help="only this one")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="how many at a time")
    options = parser.parse_args()
    chosen_files = options.file or files()
    chosen = [one for file in chosen_files for one in choose(file, options.each, options.seed)]
    try:
        left = try_all(chosen, Measured(), Found(FOUND), options.jobs)
    except TestsFail as error:
        print(f"these tests fail without any mutant:\n{error}", file=sys.stderr)
        return 1
    known = equivalents()
    same = [mutant for mutant in left if mutant.told in known]
    rows = table(chosen, left, same)
    print(f"\n{rows}\n")
    for mutant in left:
        print(f"survived: {mutant}: {known.get(mutant.told, 'NO TEST CATCHES IT')}")
    if not options.file:
        _write(rows, options)
    return 0


def _write(rows: str, options: argparse.Namespace) -> None:
    """Into the page, between its two marks."""
    begin, end = "<!-- mutants -->\n", "<!-- /mutants -->"
    page = PAGE.read_text(encoding="utf-8")
    head, rest = page.split(begin)
    _, tail = rest.split(end)
    how = f"Seed {options.seed}, up to {options.each} of each file:"
    PAGE.write_text(f"{head}{begin}{how}\n\n{rows}\n\n{end}{tail}", encoding="utf-8")


if __name__ == "__main__":
    raise SystemExit(main())
