"""The names of a node's files, on a board or in a folder: those that the firmware gives them.

Without a slash in front: where a path on a board is wanted, `on_board` puts it there.
"""

from pathlib import Path

from firmware.config.load import CHECKED as CHECKED
from firmware.files import BOOT_COUNT, CONFIG, CRASH, CRASHES, LOSSES, SECRETS, SETUP, TRIAL
from firmware.files import UPDATE_KEYS as UPDATE_KEYS

# A person's settings, the readable one first.
SETTINGS = (CONFIG, SECRETS)
# Settings that wait to take the place of these, or that these may yet give way to.
PENDING = (TRIAL, SETUP)
# Readings that wait; the folder that firmware/app.py gives the outbox.
OUTBOX = "outbox"
# What a node writes while it runs, and nobody else has, beside its readings.
RECORDS = (BOOT_COUNT, LOSSES, CRASH, CRASHES)
# Where a deployment puts what is to be, and its journal (boot.py).
DEPLOYMENT = ".deploy"
# What the board itself starts.
STARTED = ("boot.py", "main.py")
FIRMWARE = ("firmware", "lib")


def on_board(name: str) -> str:
    """The path of a file on a board, from its root."""
    return "/" + name


def config_at(path: Path) -> Path:
    """The config.json that is meant by a path: the file itself, or the folder that it is in."""
    return path / CONFIG if path.is_dir() else path


def secrets_beside(config: Path) -> Path:
    """The secrets.json that belongs to a config.json."""
    return config.with_name(SECRETS)
