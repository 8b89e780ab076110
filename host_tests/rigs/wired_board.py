"""A stand-in board with chips wired to its pins, which its programs find as they would there."""

from __future__ import annotations

import shutil
from pathlib import Path

from fieldpost.paths import DESK_PATH, ROOT

_BENCH = """
import time
from emulated.i2c import FakeBme280
from emulated.i2c_commands import *
from emulated.onewire import FakeThermometer, FakeWire
from fakes.wired_pins import Bench, Hanging, LOW
bench, now = Bench(), time.ticks_ms
{wiring}
bench.install()
"""


def wire(folder: Path, wiring: str) -> None:
    """Have the board whose file system is `folder` start with these chips. wiring: a program that
    has a `bench` of fakes/wired_pins.py."""
    shutil.copytree(ROOT / "host_tests" / "fakes", folder / "lib" / "fakes")
    shutil.copytree(DESK_PATH / "emulated", folder / "lib" / "emulated")
    (folder / "boot.py").write_text(_BENCH.format(wiring=wiring))
