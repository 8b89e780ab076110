"""Mutants of the core: one change at a time, and whether a test says no.

    make mutants                          a few of each file; docs/reliability.md has the table
    make mutants MUTANTS="--each 100"     more of them
    make mutants MUTANTS="--file lib/wire.py --seed 7"

Each mutant stands in a copy of the tree, so nothing here changes. A tool of our own, because the
tests load the firmware in three ways: as modules, as copies of a file under other names, and in
MicroPython from its place in the tree. Tools that instrument modules as they are imported see the
first alone; those that change files in place know one command for all tests, and ours would take
minutes for each mutant.
"""

import argparse
import ast
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# The tests that concern a file, the fastest first: the first failure ends a mutant.
_UNIT = "host_tests/unit"
_WIRE = [f"{_UNIT}/lib/test_wire.py", f"{_UNIT}/lib/test_wire_deadlines.py"]
_SESSION = [
    f"{_UNIT}/firmware/net/test_mqtt_session.py",
    f"{_UNIT}/firmware/net/test_mqtt_in_flight.py",
    f"{_UNIT}/firmware/net/test_mqtt_input.py",
    f"{_UNIT}/firmware/net/test_mqtt_careful.py",
]
_SEEDS = ["host_tests/whole/test_simulation.py::test_no_seed_breaks_an_invariant"]
TESTS = {
    "lib/wire.py": [*_WIRE, *_SESSION[:1]],
    "lib/wire_packets.py": [f"{_UNIT}/lib/test_wire_packets.py"],
    "firmware/net/mqtt_session.py": [*_SESSION, *_SEEDS],
    "firmware/net/mqtt_careful.py": [*_SESSION, *_SEEDS],
    "firmware/net/mqtt_in_flight.py": [*_SESSION, *_SEEDS],
    "firmware/net/mqtt_packets.py": [*_SESSION, *_SEEDS],
    "firmware/net/recovery.py": [f"{_UNIT}/firmware/net/test_link.py", *_SEEDS],
    "firmware/net/wifi.py": [f"{_UNIT}/firmware/net/test_wifi.py", *_SEEDS],
    "firmware/readings/outbox.py": [f"{_UNIT}/firmware/readings/test_outbox.py", *_SEEDS],
    "firmware/remote/commands.py": [f"{_UNIT}/firmware/config/test_change.py", *_SEEDS],
    "firmware/duty_cycle/cycle.py": [f"{_UNIT}/firmware/duty_cycle", *_SEEDS],
    "firmware/duty_cycle/grid.py": [f"{_UNIT}/firmware/duty_cycle", *_SEEDS],
}
_LIMIT_S = 300
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
    """One change: the bytes from `start` to `end` of `file` become `new`."""

    file: str
    line: int
    start: int
    end: int
    old: str
    new: str

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
        return Mutant(self._file, line, start, end, self._source[start:end].decode(), new)

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


def choose(file: str, each: int, seed: int) -> list[Mutant]:
    """So many mutants of a file, always the same ones for a seed."""
    every = sorted(_Places(file, (ROOT / file).read_bytes()).all(), key=lambda one: one.start)
    return random.Random(f"{seed} {file}").sample(every, min(each, len(every)))


class Copy:
    """The tree, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
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

    def survives(self, mutant: Mutant) -> bool:
        """Whether all tests that concern it pass with it."""
        path = self._folder / mutant.file
        source = path.read_bytes()
        path.write_bytes(source[: mutant.start] + mutant.new.encode() + source[mutant.end :])
        # Python knows a change by its time in whole seconds, and by the file's size.
        for compiled in (path.parent / "__pycache__").glob(f"{path.stem}.*"):
            compiled.unlink()
        try:
            return all(self.passes([test]) for test in TESTS[mutant.file])
        finally:
            path.write_bytes(source)

    def passes(self, tests: list[str]) -> bool:
        """Whether these tests pass; what takes too long does not."""
        process = subprocess.Popen(
            [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests],
            cwd=self._folder,
            env={**os.environ, "PYTHONPATH": str(self._folder / "tools")},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            return process.wait(_LIMIT_S) == 0
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            return False


def main() -> int:
    """Status 1 if the tests fail without any mutant: then a table would mean nothing."""
    parser = argparse.ArgumentParser(
        description="Mutants of the core, and which tests catch them."
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--each", type=int, default=10, help="mutants of each file")
    parser.add_argument("--file", action="append", choices=TESTS, help="only this one")
    options = parser.parse_args()
    survivors: list[Mutant] = []
    rows = ["| file | mutants | caught |", "|---|---|---|"]
    with tempfile.TemporaryDirectory(prefix="fieldpost-mutants-") as folder:
        copy = Copy(Path(folder))
        for file in options.file or TESTS:
            if not copy.passes(TESTS[file]):
                print(f"the tests of {file} fail without any mutant", file=sys.stderr)
                return 1
            chosen = choose(file, options.each, options.seed)
            left = []
            for mutant in chosen:
                lives = copy.survives(mutant)
                print("SURVIVED" if lives else "caught  ", mutant, flush=True)
                left += [mutant] * lives
            rows.append(f"| {file} | {len(chosen)} | {len(chosen) - len(left)} |")
            survivors += left
    print("\n".join(["", *rows, ""]))
    for mutant in survivors:
        print(f"survived: {mutant}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
