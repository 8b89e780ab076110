"""Installed from its wheel, in an environment of its own, every command works in any folder."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from rigs.deploy import Bench
from rigs.port import micropython

from fieldpost import umqtt
from fieldpost.deploy import pack, tree
from fieldpost.paths import ROOT, cache_folder
from firmware import VERSION

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

_BUILD_S = 120
_ANSWERS = {
    "FIELDPOST_WIFI_SSID": "bench",
    "FIELDPOST_WIFI_PASSWORD": "12345678",
    "FIELDPOST_BROKER": "mqtt://192.168.1.10",
    "FIELDPOST_NODE": "installed",
}


@dataclass(frozen=True)
class Installed:
    """scripts: where the environment has its commands. at: an empty folder to work in."""

    wheel: Path
    scripts: Path
    at: Path
    cache: Path

    def run(
        self, *command: str, timeout_s: float = 60, at: Path | None = None, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        inherited = {name: text for name, text in os.environ.items() if name != "PYTHONPATH"}
        own = {"FIELDPOST_CACHE": str(self.cache), "COLUMNS": "200", **environment}
        return subprocess.run(
            [str(self.scripts / command[0]), *command[1:]],
            cwd=at or self.at,
            env={**inherited, **own},
            capture_output=True,
            text=True,
            timeout=timeout_s,
        )

    def fieldpost(self, *arguments: str, timeout_s: float = 60, **environment: str) -> str:
        """What it prints; it has to succeed."""
        done = self.run("fieldpost", *arguments, timeout_s=timeout_s, **environment)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    @property
    def tree(self) -> Path:
        """Where it says that its files are."""
        return Path(self.fieldpost("--version").strip().rpartition("installed in ")[2])


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Built from a folder with all that must stay out of it. Its dependencies are this
    environment's; the package itself is only there as it was installed. Both have a space in
    their paths."""
    folder = tmp_path_factory.mktemp("a user")
    source = folder / "source"
    shutil.copytree(
        ROOT,
        source,
        ignore=shutil.ignore_patterns(".git", ".venv", ".cache", "build", "dist", "*.egg-info"),
    )
    for name in ("firmware/app.mpy", "lib/sntp.mpy", "examples/weather/secrets.json", "x.key"):
        (source / name).write_text("not for anybody else")
    for name in ("lib/umqtt/simple.py", "build/lib/fieldpost/moved.py"):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).touch()
    packages = folder / "packages"
    release = [sys.executable, str(ROOT / "tools" / "release.py")]
    _must([*release, "--only-build", str(source), "--to", str(packages)])
    (wheel,) = packages.glob("*.whl")

    environment = folder / "its environment"
    _must([sys.executable, "-m", "venv", "--without-pip", str(environment)])
    scripts = environment / ("Scripts" if os.name == "nt" else "bin")
    python = scripts / Path(sys.executable).name
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--no-index"]
    _must([*pip, "--no-deps", str(wheel)])
    if micropython := shutil.which("micropython", path=Path(sys.executable).parent):
        (scripts / Path(micropython).name).symlink_to(micropython)
    # A line of a .pth adds this folder alone, not what our own .pth files add: no checkout.
    asked = [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    site = Path(subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip())
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")

    at, cache = folder / "empty folder", folder / "cache"
    at.mkdir()
    _fill(cache)
    return Installed(wheel, scripts, at, cache)


def _must(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=_BUILD_S)
    assert done.returncode == 0, done.stdout + done.stderr


def _fill(cache: Path) -> None:
    """What would be fetched, as it was fetched before."""
    fetched = umqtt.TARGET
    if not fetched.exists() or umqtt.version_of(fetched.read_bytes()) != umqtt.VERSION:
        pytest.skip("umqtt.simple has not been fetched: fieldpost setup")
    kept = cache / "umqtt" / umqtt.VERSION / "simple.py"
    kept.parent.mkdir(parents=True)
    shutil.copy(fetched, kept)
    if (images := cache_folder() / "images").is_dir():
        (cache / "images").symlink_to(images)


def test_the_wheel_holds_what_a_board_gets_and_nothing_that_is_not_ours(
    installed: Installed,
) -> None:
    with zipfile.ZipFile(installed.wheel) as archive:
        names = set(archive.namelist())
    wanted = {f"fieldpost/_tree/{name}" for name in tree.sources("rp2", "esp32", "linux")}
    assert wanted <= names
    assert "fieldpost/flash/catalogue.toml" in names
    barred = ("host_tests", "benchmarks/", "/umqtt/", ".mpy", ".pyc", "secrets.json", ".key")
    for name in names - {n for n in names if n.endswith("secrets.json.example")}:
        assert not any(part in name for part in barred), name
    assert "fieldpost/moved.py" not in names, "nothing is left of an earlier build"


def test_it_says_that_it_is_installed_and_doctor_misses_nothing_of_it(
    installed: Installed,
) -> None:
    assert installed.fieldpost("--version").startswith(f"fieldpost {VERSION}\nfirmware {VERSION}")
    assert installed.tree.is_dir() and ROOT not in installed.tree.parents
    checks = json.loads(installed.run("fieldpost", "doctor", "--json").stdout)["checks"]
    states = {check["name"]: check["state"] for check in checks}
    assert states["firmware"] == "ok" and states["mpy-cross"] == "ok"


def test_doctor_finds_that_the_firmware_is_gone(installed: Installed) -> None:
    app = installed.tree / "firmware" / "app.py"
    away = app.rename(app.with_suffix(".away"))
    try:
        done = installed.run("fieldpost", "doctor")
    finally:
        away.rename(app)
    assert done.returncode == 1 and "firmware/app.py missing" in done.stdout


def test_a_configuration_is_made_checked_and_explained(installed: Installed) -> None:
    installed.fieldpost("provision", "--to", "node", "--json", **_ANSWERS)
    assert "without errors" in installed.fieldpost("config", "check", "node/config.json")
    assert "sample_s" in installed.fieldpost("config", "show")


def test_a_battery_is_estimated_for_an_example_that_came_along(installed: Installed) -> None:
    example = str(installed.tree / "examples" / "weather")
    assert "days" in installed.fieldpost("battery", example, "--board", "esp32-c3")


def test_the_demonstration_loses_nothing(installed: Installed) -> None:
    said = installed.fieldpost("demo", "--json", "--using", "amqtt", timeout_s=80)
    figures = json.loads(said)
    assert figures["ok"] and figures["delivered"] == figures["taken"]


def test_a_board_is_deployed_to(installed: Installed, tmp_path: Path) -> None:
    micropython()
    with Bench(tmp_path) as bench:
        command = ("deploy", "--port", str(bench.port), "--no-start", "--json")
        assert json.loads(installed.fieldpost(*command, timeout_s=80))
        files = bench.files()
    assert files["boot.py"] == (ROOT / "boot.py").read_bytes()
    assert {"main.py", "module_pack.mpy"} <= set(files)
    assert "/umqtt/simple.mpy" in pack.names(files["firmware.pack"])
    assert (installed.cache / "lib" / "umqtt" / "simple.py").exists()


@pytest.mark.board
def test_an_emulated_board_delivers(installed: Installed) -> None:
    if not any((installed.cache / "images").glob("RPI_PICO_W-*.uf2")):
        pytest.skip("no Pico W image in the cache")
    said = installed.fieldpost("emulate", "--seconds", "25", "--json", timeout_s=85)
    assert any(one["received"]["bytes"] for one in json.loads(said)["connections"])


def test_in_a_checkout_the_checkouts_files_are_used_and_it_says_so(installed: Installed) -> None:
    done = installed.run("fieldpost", "config", "show", "--json", at=ROOT / "docs")
    assert done.returncode == 0
    assert f"of the checkout {ROOT}" in done.stderr


def test_what_writes_the_documents_ends_with_a_sentence(installed: Installed) -> None:
    modules = [
        ".".join(path.relative_to(ROOT / "tools").with_suffix("").parts)
        for path in sorted((ROOT / "tools" / "fieldpost").rglob("*.py"))
        if "__main__" in (text := path.read_text()) and ("write_part" in text or "ROOT /" in text)
    ]
    assert "fieldpost.deploy.package_json" in modules and len(modules) >= 3
    for module in modules:
        done = installed.run("python", "-m", module)
        assert done.returncode == 1, module
        assert done.stderr.startswith("This writes files of a checkout"), done.stderr
