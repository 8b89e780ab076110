"""`mpremote mip install` of this repository, and freezing it into an image, take what is there."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from rigs.deploy import Bench
from rigs.port import run_port

from fieldpost.deploy import package_json, tree
from fieldpost.paths import ROOT
from fieldpost.version import project_version

_PACKAGE = ROOT / "package.json"
_REMEDY = "run: PYTHONPATH=tools python -m fieldpost.deploy.package_json"
# Of no board: the desktop's.
_ELSEWHERE = {"firmware/board/unix.py", "firmware/board/board_cpython.py"}


def _tree() -> dict[str, str]:
    """Every module for a board: where it is in the repository, by where it is imported from."""
    found = {}
    for folder, base in (("firmware", ROOT), ("lib", ROOT / "lib")):
        for path in (ROOT / folder).rglob("*.py"):
            name = path.relative_to(ROOT).as_posix()
            # Neither has a pack, whose modules these find.
            if not name.startswith("lib/umqtt/") and name not in tree.ROOT_MODULES:
                found[path.relative_to(base).as_posix()] = name
    return found


def test_package_json_names_every_module_of_the_tree_and_its_version() -> None:
    package = json.loads(_PACKAGE.read_text())
    expected = {to: source for to, source in _tree().items() if source not in _ELSEWHERE}
    # MicroPython imports a folder without an __init__ that has nothing but a docstring.
    packages = ("config", "duty_cycle", "net", "portal", "readings", "remote", "sensor_types")
    packages += ("update",)
    for name in packages:
        del expected[f"firmware/{name}/__init__.py"]
    assert dict(package["urls"]) == expected, _REMEDY
    assert len(package["urls"]) == len(expected)
    assert package["version"] == project_version(ROOT), _REMEDY
    assert package["deps"] == [["umqtt.simple", "latest"]]


def test_both_files_are_as_they_are_made_from_the_tree() -> None:
    assert _PACKAGE.read_text() == package_json.package_json(), _REMEDY
    assert (ROOT / "manifest.py").read_text() == package_json.manifest(), _REMEDY


@pytest.mark.slow
def test_mpremote_installs_the_repository_and_the_board_imports_it(tmp_path: Path) -> None:
    # A copy without what mip would fetch from its index, for tests stay on this machine.
    package = json.loads(_PACKAGE.read_text())
    package["deps"] = []
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    (checkout / "package.json").write_text(json.dumps(package))
    for name in ("firmware", "lib"):
        (checkout / name).symlink_to(ROOT / name)
    with Bench(tmp_path) as bench:
        command = [sys.executable, "-m", "mpremote", "connect", str(bench.port)]
        command += ["mip", "install", str(checkout / "package.json")]
        done = subprocess.run(command, capture_output=True, text=True, timeout=80)
        assert done.returncode == 0, done.stdout + done.stderr
        for to, source in package["urls"]:
            assert (bench.folder / "lib" / to).read_bytes() == (ROOT / source).read_bytes()
        said = run_port(
            "from firmware import VERSION\nimport firmware.net.link, wire\n"
            "print(VERSION, firmware.net.link.__file__)\n",
            cwd=tmp_path,
            first=(bench.folder / "lib",),
        )
    assert said.split()[0] == project_version(ROOT)
    assert str(bench.folder) in said


def _frozen() -> tuple[dict[str, str], list[str], list[str]]:
    """(modules by name of import, packages required, manifests included), as MicroPython's
    manifestfile.py takes them: these are its functions, by their parameters."""
    modules: dict[str, str] = {}
    required: list[str] = []
    included: list[str] = []

    def package(
        package_path: str, files: Any = None, base_path: str = ".", opt: Any = None
    ) -> None:
        base = ROOT / base_path
        for path in sorted((base / package_path).rglob("*.py")):
            modules[path.relative_to(base).as_posix()] = path.relative_to(ROOT).as_posix()

    def module(module_path: str, base_path: str = ".", opt: Any = None) -> None:
        path = ROOT / base_path / module_path
        assert path.is_file(), path
        modules[module_path] = path.relative_to(ROOT).as_posix()

    def require(
        name: str, version: Any = None, pypi: Any = None, library: Any = None, **kwargs: Any
    ) -> None:
        required.append(name)

    def include(manifest_path: str, is_require: bool = False, **kwargs: Any) -> None:
        included.append(manifest_path)

    def metadata(**kwargs: Any) -> None:
        assert set(kwargs) <= {"version", "description", "license", "author"}

    source = (ROOT / "manifest.py").read_text()
    functions = {one.__name__: one for one in (package, module, require, include, metadata)}
    exec(compile(source, "manifest.py", "exec"), functions)
    return modules, required, included


def test_manifest_freezes_every_module_of_the_tree() -> None:
    modules, required, included = _frozen()
    assert modules == _tree(), _REMEDY
    assert required == ["umqtt.simple", "ssl"]
    # Without the port's own, the image would not mount its file system.
    assert included == ["$(PORT_DIR)/boards/manifest.py"]
