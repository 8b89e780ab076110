"""The emulator of an ESP32-C3: a QEMU that knows the chip and its Wi-Fi, which the user has."""

import importlib.util
import os
import shutil
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fieldpost import bytecode
from fieldpost.emulator.engine import AT_CONVERTER, ON_I2C, Engine
from fieldpost.emulator.esp32_c3_facts import FLASH_BYTES, MACHINE, RADIO_DEVICE, VARIABLE
from fieldpost.emulator.littlefs import BLOCK_BYTES, Geometry
from fieldpost.emulator.setup import Setup
from fieldpost.errors import BadFile, MissingTool
from fieldpost.flash import esp_image, images
from fieldpost.terminal.advice import install_command

if TYPE_CHECKING:
    from fieldpost.emulator.machine import Machine

PROGRAM = "qemu-system-riscv32"
_ASK_S = 10
# The port's own, for its file system (ports/esp32/esp32_partition.c).
_PROGRAM_BYTES = 32
_SOURCE = "https://github.com/lcgamboa/qemu (branch picsimlab-esp32)"
# The board's side of its sensors.
ON_BOARD = Path(__file__).parent / "esp32_c3_wiring" / "on_board.py"
_MACHINE = "machine"
_WITHOUT = "The emulated Pico W, and all the rest, work without it."


class _Esp32C3(Engine):
    board = "ESP32_GENERIC_C3"
    title = "ESP32-C3"
    platform = "esp32"
    suffix = ".bin"
    chip = "ESP32-C3"
    # Of the three networks that are there, all open, the strongest.
    ssid = "PICSimLabWifi"
    password = ""
    password_note = "which has no password"
    wires = ON_I2C | AT_CONVERTER | {"driver", "internal"}
    wires_note = "QEMU has no such devices: /machine.mpy in its flash leads I2C and ADC to them."

    def file_system(self, image: Path) -> Geometry:
        data = image.read_bytes()
        _, size = esp_image.file_system(data, FLASH_BYTES)
        return Geometry(size // BLOCK_BYTES, _PROGRAM_BYTES)

    def missing(self, program: str | None = None) -> str | None:
        if importlib.util.find_spec("rp2040py") is None:
            how = install_command("rp2040py")
            return f"the emulated ESP32-C3 needs the network of the package rp2040py: `{how}`"
        try:
            self.program(program)
        except MissingTool as error:
            return str(error)
        return None

    def program(self, program: str | None = None) -> str:
        wanted = program or os.environ.get(VARIABLE) or PROGRAM
        hidden = os.environ.get("FIELDPOST_WITHOUT", "").split(",")
        found = None if PROGRAM in hidden else shutil.which(wanted)
        if found is None:
            raise MissingTool(
                f"the emulated ESP32-C3 needs a {PROGRAM} that knows its Wi-Fi, and there is no "
                f"{wanted}. It is built from {_SOURCE}; name it with --qemu or {VARIABLE}, or put "
                f"it on the PATH. {_WITHOUT}"
            )
        if why := _lacks(found):
            raise MissingTool(
                f"{found} {why}, so it can't be an ESP32-C3 here. One that can is built from "
                f"{_SOURCE}; name it with --qemu or {VARIABLE}. {_WITHOUT}"
            )
        return found

    def check(self, image: Path) -> None:
        super().check(image)
        needed = images.examine(image).flash or 0
        if needed > FLASH_BYTES:
            raise BadFile(
                f"{image.name} needs {needed >> 20} MiB of flash, and the emulated ESP32-C3 has "
                f"{FLASH_BYTES >> 20}"
            )

    def has_device(self, sensor: Mapping[str, Any]) -> bool:
        # It measures its supply at a pin, or not at all.
        is_there = sensor["type"] != "supply" or sensor["pin"] is not None
        return is_there and super().has_device(sensor)

    def files_for_sensors(self) -> dict[str, bytes]:
        code = bytecode.compiled(ON_BOARD.read_bytes(), f"{_MACHINE}.py")
        assert code
        return {f"{_MACHINE}.mpy": code}

    def machine(self, setup: Setup) -> "Machine":
        from fieldpost.emulator.esp32_c3_machine import Esp32C3

        return Esp32C3(setup)


@cache
def _lacks(program: str) -> str | None:
    """What it can't do of what is needed, as a sentence's end."""
    machines = _said(program, "-machine", "help")
    if machines is None:
        return "is no QEMU that answers"
    if not any(line.split()[:1] == [MACHINE] for line in machines.splitlines()):
        return f"has no machine {MACHINE}"
    options = _said(program, "-device", f"{RADIO_DEVICE},help")
    if options is None or "netdev=" not in options:
        return f"has no device {RADIO_DEVICE}, its Wi-Fi"
    return None


def _said(program: str, *arguments: str) -> str | None:
    """What it answers; None if it fails or does not answer in time."""
    try:
        done = subprocess.run(
            [program, *arguments], capture_output=True, text=True, timeout=_ASK_S
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


ESP32_C3 = _Esp32C3()
