"""An emulated Pico W on the bench (emulated.py)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rigs import emulated
from rigs.emulated import PORT as PORT
from rigs.emulated import SCRIPTS as SCRIPTS

from fieldpost.emulator.emulator import Emulator
from fieldpost.emulator.pico_w import PICO_W

NODE = "pico"
BASE = f"fieldpost/{NODE}"
SECRETS = emulated.secrets(PICO_W)


def image() -> Path:
    """The genuine image; skips, with the reason, where a part is missing."""
    return emulated.image(PICO_W)


def configuration(**changes: Any) -> dict[str, Any]:
    """A node that samples each second and publishes to the gateway."""
    return emulated.configuration(NODE, **changes)


def board_files(config: dict[str, Any], **scripts: str) -> dict[str, bytes]:
    """The firmware and a configuration. scripts: name on the board -> file of host_tests/board."""
    return emulated.board_files(PICO_W, config, **scripts)


class Desk(emulated.Bench):
    """A board that runs its main.py, and a subscriber whose session outlasts the broker."""

    def __init__(self, files: dict[str, bytes], wired: dict[str, Any] | None = None) -> None:
        super().__init__(Emulator(image(), files=files, ports={}, wired=wired), NODE)
