"""The heads of the packs that this computer has put on boards, known again by their hash.

What a board has in its pack is written in the head, which takes a quarter of a second to come over
a serial line. Its hash says which it is.
"""

from fieldpost.board import files as board_files
from fieldpost.board.link import BoardLink
from fieldpost.deploy import pack
from fieldpost.deploy.build import sha256
from fieldpost.deploy.remembered import remembered
from fieldpost.file_names import on_board

_KIND = "head"


def digest(whole: bytes) -> str:
    """The hex SHA-256 of the head of a pack."""
    return sha256(whole[: pack.head_size(whole) or 0])


def keep(whole: bytes) -> None:
    """Of a pack that a board gets."""
    head = whole[: pack.head_size(whole) or 0]
    remembered(_KIND, (digest(whole),), lambda: head, pack.MAGIC)


def of_board(link: BoardLink, told: str) -> bytes:
    """Of the pack on the board; b"" if it has none. told: what the board says that its SHA-256
    is, "" if it does not say."""
    if not told:
        return _read(link)
    found = remembered(_KIND, (told,), lambda: _read(link), pack.MAGIC)
    # What a cache has may be damaged.
    return found if sha256(found) == told else _read(link)


def _read(link: BoardLink) -> bytes:
    path = on_board(pack.PATH)
    try:
        size = pack.head_size(board_files.read_file(link, path, pack.START_BYTES))
        return board_files.read_file(link, path, size) if size else b""
    except board_files.FileError:
        return b""
