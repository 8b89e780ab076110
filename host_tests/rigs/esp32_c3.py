"""An emulated ESP32-C3 on the bench (emulated.py), and the emulator's own flaw told from ours.

QEMU's ESP32-C3 loses an interrupt now and then: the chip spins for good, and its console says
nothing more. So each test starts afresh, is short, and is tried once more if that happened to it.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ParamSpec

import pytest
from rigs import emulated
from rigs.emulated import PORT as PORT
from rigs.emulated import Bench

from fieldpost.board.link import BoardLink, open_link
from fieldpost.emulator.emulator import Emulator, EmulatorError
from fieldpost.emulator.esp32_c3 import ESP32_C3

NODE = "esp"
# The emulated chip has its own watchdogs only then: on a machine that is late they bite too soon.
WATCHDOGS = ("-global", "driver=timer.esp32c3.timg,property=wdt_disable,value=false")
# Its ROM waits for esptool instead of starting what is in flash, as with the button BOOT held.
DOWNLOAD_MODE = ("-global", "driver=esp32c3.gpio,property=strap_mode,value=0x02")
# A chip that waits for something takes a hundredth of a processor; others may have most of it.
_BUSY = 0.25
_SILENT_S = 4.0
_PROMPT_S = 20.0

_Arguments = ParamSpec("_Arguments")


class LostInterrupt(Exception):
    """The emulated chip spins, and says nothing: the emulator's flaw."""


def configuration(**changes: Any) -> dict[str, Any]:
    """A node that samples each second and publishes to the gateway."""
    return emulated.configuration(NODE, **changes)


def board_files(config: dict[str, Any], **scripts: str) -> dict[str, bytes]:
    """The firmware and a configuration. scripts: name on the board -> file of host_tests/board."""
    return emulated.board_files(ESP32_C3, config, **scripts)


def machine(genuine: Path, files: dict[str, bytes] | None = None, **options: Any) -> Emulator:
    """One with the firmware and all in its flash, not yet started."""
    return Emulator(genuine, files=files, engine=ESP32_C3, **options)


@contextmanager
def told_apart(board: Emulator) -> Iterator[None]:
    """What goes wrong while the chip spins silently is a LostInterrupt."""
    try:
        yield
    except (Exception, pytest.fail.Exception) as error:
        try:
            load = board.load()
        except EmulatorError:
            load = {"busy": 0.0, "silent_s": 0.0}
        if load["busy"] > _BUSY and load["silent_s"] > _SILENT_S:
            raise LostInterrupt(f"the emulated ESP32-C3 spins: {load}. What failed: {error}")
        raise


@contextmanager
def running(genuine: Path, files: dict[str, bytes], **options: Any) -> Iterator[Bench]:
    """A node that runs, and its broker."""
    bench = Bench(machine(genuine, files, **options), NODE)
    with bench, told_apart(bench.board):
        yield bench


@contextmanager
def at_prompt(
    genuine: Path, files: dict[str, bytes] | None, **options: Any
) -> Iterator[tuple[Emulator, BoardLink]]:
    """A board that runs nothing by itself, and a link to it."""
    if files is not None:
        files = {name: data for name, data in files.items() if name != "main.py"}
    with (
        machine(genuine, files, **options) as board,
        told_apart(board),
        open_link(board.console, _PROMPT_S) as link,
    ):
        yield board, link


def afresh(test: Callable[_Arguments, None]) -> Callable[_Arguments, None]:
    """A test that is tried once more, with a warning, if the emulator lost an interrupt; and that
    skips if it lost one again: then it is the emulator that was tried, and not the node."""

    @functools.wraps(test)
    def run(*arguments: _Arguments.args, **named: _Arguments.kwargs) -> None:
        try:
            test(*arguments, **named)
        except LostInterrupt as flaw:
            warnings.warn(f"tried once more: {flaw}", stacklevel=2)
            if isinstance(folder := named.get("tmp_path"), Path):
                # Nothing of the first try is in the way of the second.
                named["tmp_path"] = folder / "again"
                (folder / "again").mkdir()
            try:
                test(*arguments, **named)
            except LostInterrupt as again:
                pytest.skip(f"this QEMU has the flaw of docs/emulator.md, twice: {again}")

    return run
