"""A configuration brought to the board on a cable, and its node seen to measure with it."""

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

from fieldpost.board import files as board_files
from fieldpost.board.link import BoardLink
from fieldpost.board.screen import Screen
from fieldpost.config import pins
from fieldpost.config.changes import Change, changes
from fieldpost.file_names import CONFIG, SECRETS, on_board
from fieldpost.node_start import watch
from fieldpost.provision import node_files
from fieldpost.push.local import Fitting, Local


@dataclass(frozen=True)
class Found:
    """What is on the board: its files' paths, its chip, its secrets.json, its config as a dict
    ({}: none that can be read), and its node's name."""

    there: dict[str, int]
    chip: pins.Chip | None
    config: dict[str, Any]
    secrets: bytes | None = field(default=None, repr=False)

    @property
    def is_deployed(self) -> bool:
        """Whether it has a program to start."""
        return on_board("main.py") in self.there


def look(link: BoardLink) -> Found:
    """Ask the board."""
    there = board_files.list_files(link, "/")

    def read(name: str) -> bytes | None:
        path = on_board(name)
        return board_files.read_file(link, path) if path in there else None

    return Found(there, pins.chip_on(link), _object(read(CONFIG)), read(SECRETS))


def differences(found: Found, local: Local, fitting: Fitting, link: BoardLink) -> list[Change]:
    """What the board is about to get, without a secret."""
    told = changes(found.config, local.config)
    if local.secrets is not None:
        old = _object(found.secrets)
        told += [
            Change(f"{SECRETS} {one.key}", one.was, one.now)
            for one in changes(old, local.secrets, hidden=True)
        ]
    hashes = board_files.hash_files(link, map(on_board, fitting.certificates))
    for name in fitting.certificates:
        was = hashes[on_board(name)]
        if was != hashlib.sha256(fitting.contents[name]).hexdigest():
            told.append(Change(name, was and "another", "the file beside config.json"))
    return told


def login_caution(found: Found, local: Local) -> list[str]:
    """Of a login that stays on the board and would go to another broker."""
    was, now = (one.get("mqtt") or {} for one in (found.config, local.config))
    moves = any(was.get(key) != now.get(key) for key in ("host", "port"))
    if local.secrets is not None or not moves or not _object(found.secrets).get("mqtt"):
        return []
    return [
        "mqtt: the login on the board stays, and goes to the new broker now. A secrets.json "
        "beside the file would replace it"
    ]


def bring(
    link: BoardLink, found: Found, fitting: Fitting, screen: Screen, ready_s: float
) -> tuple[list[str], watch.Start | None]:
    """Write what differs, restart, and wait for the first reading: (names written, how it went).
    None: the board has no firmware to start."""
    screen.progress(link.port, "writing", 0, None)
    for name in fitting.certificates:
        if folder := name.rpartition("/")[0]:
            board_files.make_folder(link, folder)
    written = node_files.put_on_board(link, fitting.contents)
    if not found.is_deployed:
        return written, None
    return written, watch.restart(link, screen, ready_s)


def _object(data: bytes | None) -> dict[str, Any]:
    try:
        found = json.loads(data or b"{}")
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
