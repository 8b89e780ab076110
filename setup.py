"""Builds the package: puts the firmware's tree into it, and takes the version from the firmware.

What else there is to say of the package stands in pyproject.toml. A checkout that is installed
with `--editable` gets no copy: its own files are used (tools/fieldpost/paths.py).
"""

import re
import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

HERE = Path(__file__).resolve().parent
TREE = "fieldpost/_tree"
# Patterns rather than folders, so that no secrets.json and nothing compiled comes along.
PATTERNS = (
    "boot.py",
    "main.py",
    "package.json",
    "firmware/**/*.py",
    "lib/**/*.py",
    "docs/*.md",
    "examples/**/*.md",
    "examples/**/config.json",
    "examples/**/*.example",
    "examples/*.toml",
)
# Upstream's umqtt.simple is fetched where it is needed, never handed on by us.
FETCHED = "lib/umqtt/"


def tree() -> list[str]:
    """Every file of the tree that the tools need, by its path in the checkout."""
    found = {path.relative_to(HERE).as_posix() for one in PATTERNS for path in HERE.glob(one)}
    return sorted(name for name in found if not name.startswith(FETCHED))


class BuildWithTree(build_py):
    """Builds the Python package, then puts the tree inside it."""

    def run(self) -> None:
        """Start from nothing: a module that has moved would stay in build/ at its old place."""
        if self.editable_mode:
            super().run()
            return
        package = Path(self.build_lib) / "fieldpost"
        shutil.rmtree(package, ignore_errors=True)
        super().run()
        for name in tree():
            target = package.parent / TREE / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(HERE / name, target)

    def get_source_files(self) -> list[str]:
        """The tree belongs to a source distribution, too."""
        return [*super().get_source_files(), *tree()]


def version() -> str:
    """That of the firmware, which a board has to know by itself."""
    text = (HERE / "firmware" / "__init__.py").read_text(encoding="utf-8")
    found = re.search(r'^VERSION = "([^"]+)"', text, re.MULTILINE)
    if not found:
        raise SystemExit("firmware/__init__.py has no VERSION")
    return found[1]


setup(version=version(), cmdclass={"build_py": BuildWithTree})
