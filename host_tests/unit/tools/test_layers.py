"""The arrows between modules go down: the contracts refuse an import that runs up, or a circle."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fieldpost.paths import ROOT


def lint_imports(root: Path) -> subprocess.CompletedProcess[str]:
    """What `make layers` runs, on the tree at `root`."""
    program = Path(sys.executable).with_name("lint-imports")
    if not program.exists():
        pytest.skip("import-linter is not installed")
    path = os.pathsep.join(str(root / name) for name in (".", "lib", "tools"))
    return subprocess.run(
        [program, "--no-logo", "--no-cache"],
        cwd=root,
        env={**os.environ, "PYTHONPATH": path, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of what the contracts are about."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for name in ("firmware", "lib", "tools/fieldpost"):
        shutil.copytree(
            ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", "_tree")
        )
    return tmp_path


def test_every_contract_is_kept(tree: Path) -> None:
    done = lint_imports(tree)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("module", "line", "told"),
    [
        ("firmware/net/link.py", "import firmware.app", "firmware.net is not allowed"),
        ("firmware/node.py", "def late():\n    import firmware.app", "firmware.node is not"),
        ("firmware/readings/outbox.py", "import machine", "not allowed to import machine"),
        ("firmware/readings/record.py", "import firmware.readings.sampler", "No cycles"),
        ("firmware/files.py", "import fieldpost.paths", "not allowed to import fieldpost"),
        ("tools/fieldpost/board/find.py", "import fieldpost.cli", "fieldpost.board is not"),
        ("tools/fieldpost/config/pins.py", "import fieldpost.config.report", "No cycles"),
    ],
)
def test_an_import_that_runs_up_or_in_a_circle_is_refused(
    tree: Path, module: str, line: str, told: str
) -> None:
    with (tree / module).open("a", encoding="utf-8") as file:
        file.write(f"\n{line}\n")
    done = lint_imports(tree)
    assert done.returncode == 1
    assert told in done.stdout


def test_a_new_module_is_given_its_place_first(tree: Path) -> None:
    (tree / "firmware" / "newcomer.py").write_text('"""Nobody knows where it stands."""\n')
    done = lint_imports(tree)
    assert done.returncode == 1
    assert "firmware.newcomer" in done.stdout


def _imported(path: Path) -> list[str]:
    found = []
    for part in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(part, ast.Import):
            found += [alias.name for alias in part.names]
        elif isinstance(part, ast.ImportFrom):
            found += [f"{part.module}.{alias.name}" for alias in part.names]
    return found


@pytest.mark.slow
def test_no_test_imports_another_test() -> None:
    """What tests share stands in `host_tests/rigs` or `host_tests/fakes`."""
    tests = ROOT / "host_tests"
    wrong = {
        f"{path.relative_to(ROOT).as_posix()}: {name}"
        for path in tests.rglob("*.py")
        for name in _imported(path)
        if any(word.startswith("test_") for word in name.split("."))
    }
    assert wrong == set()
