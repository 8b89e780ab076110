"""What goes to a board over the cable: it arrives as it is, and harms nothing on its way."""

from __future__ import annotations

import hashlib
import random
from pathlib import Path

import pytest
from rigs.port import micropython

from fakes.raw_repl import RawReplBoard
from fieldpost.board.link import BoardLink, open_link
from fieldpost.deploy.send import WINDOW_UART, send
from fieldpost.deploy.survey import survey

_SEED = 20
# What a REPL, a terminal or a line with XON and XOFF would take for itself.
_TAKEN = b"\x01\x02\x03\x04\x05\n\r\x11\x13\x1a\x1c"

# As before MicroPython 1.21.
_OLDER = "import sys\nclass Empty:\n    pass\nsys.modules['deflate'] = Empty\n"


def test_any_bytes_arrive_as_they_are_and_none_on_the_way_is_taken_by_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Such bytes do not get smaller, so all values go over the line.
    data = random.Random(_SEED).randbytes(20_000) + b"~a~b" + bytes(range(256))
    name = hashlib.sha256(data).hexdigest()[:16]
    sent: list[bytes] = []
    real = BoardLink.send
    monkeypatch.setattr(BoardLink, "send", lambda link, one: (sent.append(one), real(link, one)))
    folder = tmp_path / "board"
    (folder / ".deploy").mkdir(parents=True)
    with RawReplBoard(folder, tmp_path / "tty", micropython()) as board:
        with open_link(board.port) as link:
            send(link, {name: [data]}, window=WINDOW_UART)
        assert (folder / ".deploy" / name).read_bytes() == data
    whole = b"".join(sent)
    assert not set(whole) & set(_TAKEN), f"seed {_SEED}"
    assert len(whole) < len(data) * 1.07, "base64 would be a third more"


def test_a_board_that_cannot_unpack_a_program_is_asked_with_a_plain_one(tmp_path: Path) -> None:
    folder = tmp_path / "board"
    folder.mkdir()
    (folder / "boot.py").write_text(_OLDER)
    board = RawReplBoard(folder, tmp_path / "tty", micropython())
    with board, open_link(board.port) as link:
        assert survey(link).files["/boot.py"] > 0
