"""What set-up made works in its own folder alone: a checkout that was moved is set up anew."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fieldpost.paths import ROOT

SAID = "has been moved or copied"
SAID_ITSELF = "its folder was moved or copied. Type `make setup` there"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    folder = tmp_path / "my checkout"
    folder.mkdir()
    shutil.copy(ROOT / "Makefile", folder)
    return folder


def set_up(checkout: Path, made_in: Path) -> Path:
    """A .venv as pip makes one in the folder `made_in`, whose path has a space."""
    script = checkout / ".venv" / "bin" / "fieldpost"
    script.parent.mkdir(parents=True)
    script.write_text(f"#!/bin/sh\n'''exec' \"{made_in}/.venv/bin/python\" \"$0\" \"$@\"\n' '''\n")
    return script


def make(checkout: Path) -> str:
    """What make says that reads its file and does nothing."""
    done = subprocess.run(
        ["make", "--dry-run", "clean"], cwd=checkout, capture_output=True, text=True, timeout=30
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_an_environment_that_stayed_where_it_was_made_is_kept(checkout: Path) -> None:
    script = set_up(checkout, checkout)
    assert SAID not in make(checkout)
    assert script.exists()


def test_one_that_was_moved_is_removed_and_make_says_so(checkout: Path) -> None:
    set_up(checkout, checkout.parent / "where it was")
    assert SAID in make(checkout)
    assert not (checkout / ".venv").exists()
    assert SAID not in make(checkout)


def test_the_command_itself_says_so_and_works_where_it_was_made(tmp_path: Path) -> None:
    folder = tmp_path / "my checkout"
    folder.mkdir()
    python = folder / "python"
    python.symlink_to(sys.executable)
    script = folder / "fieldpost"
    script.write_text("#!/nowhere/python\n# -*- coding: utf-8 -*-\nimport sys\nprint(sys.argv)\n")
    script.chmod(0o755)
    for _ in range(2):  # Once more, as when set-up goes on.
        subprocess.run([python, ROOT / "tools" / "launcher.py", script], check=True)

    def run(script: Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run([script, "a b"], capture_output=True, text=True, timeout=30)

    assert run(script).stdout == f"{[str(script), 'a b']}\n"
    moved = folder.rename(tmp_path / "another")
    done = run(moved / "fieldpost")
    assert done.returncode == 1 and SAID_ITSELF in done.stderr and not done.stdout
