"""`config.checked`: what the host has checked, a board takes as checked (firmware/config/load.py).

Such a board never loads the schema, which is a quarter of all its bytecode. The file holds no
credential, and counts only beside the very files that it was made of.
"""

import contextlib
import hashlib

from fieldpost.board import files as board_files
from fieldpost.board.link import BoardLink
from fieldpost.config.files import check_bytes
from fieldpost.file_names import CHECKED, SETTINGS, on_board
from firmware.config import verify as checking


def checked_file(config: bytes, secrets: bytes) -> bytes | None:
    """Its content for the bytes of config.json and secrets.json, None if they do not pass."""
    settings, errors = check_bytes(config, secrets)
    return None if errors or settings is None else checking.kept(settings, config, secrets)


def with_checked(files: dict[str, bytes]) -> dict[str, bytes]:
    """`files` by name, with config.checked after the two that it is made of, if they pass."""
    made = checked_file(*(files[name] for name in SETTINGS))
    return files if made is None else {**files, CHECKED: made}


def holds(config: bytes, secrets: bytes, digest: str) -> bool:
    """Whether what a board takes as checked, by its hex SHA-256, is what this firmware's schema
    makes of these files: then it may stay."""
    made = checked_file(config, secrets)
    return made is not None and hashlib.sha256(made).hexdigest() == digest


def forget(link: BoardLink) -> None:
    """A board whose firmware is about to change must not take what the old one's schema made."""
    board_files.remove_file(link, on_board(CHECKED))


def renew(link: BoardLink) -> None:
    """Put it beside the files that are on the board, unless they would not pass."""
    config, secrets = (board_files.read_file(link, on_board(name)) for name in SETTINGS)
    made = checked_file(config, secrets)
    if made is not None:
        with contextlib.suppress(board_files.FileError):  # Without it the board checks by itself.
            board_files.write_file(link, on_board(CHECKED), made)
