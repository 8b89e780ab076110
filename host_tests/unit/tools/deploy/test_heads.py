"""What a board has in its pack is known by a hash, and a cache that is wrong does no harm."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from fieldpost.board import files as board_files
from fieldpost.deploy import heads, pack

_PACK = pack.make({"firmware/a.mpy": b"a" * 900, "lib/wire.mpy": b"w" * 90})
_HEAD = _PACK[: pack.head_size(_PACK)]
_DIGEST = hashlib.sha256(_HEAD).hexdigest()


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How much was read of the board's pack, with an empty cache on this computer."""
    sizes: list[int] = []

    def read_file(_link: object, path: str, size: int) -> bytes:
        assert path == "/firmware.pack"
        sizes.append(size)
        return _PACK[:size]

    monkeypatch.setenv("FIELDPOST_CACHE", str(tmp_path))
    monkeypatch.setattr(board_files, "read_file", read_file)
    return sizes


def test_a_pack_that_this_computer_brought_is_not_read_from_the_board(asked: list[int]) -> None:
    heads.keep(_PACK)
    assert heads.of_board(None, _DIGEST) == _HEAD  # type: ignore[arg-type]
    assert asked == []


def test_one_of_another_computer_is_read_once(asked: list[int]) -> None:
    for _ in range(2):
        assert heads.of_board(None, _DIGEST) == _HEAD  # type: ignore[arg-type]
    assert asked == [pack.START_BYTES, len(_HEAD)]


def test_a_damaged_cache_is_not_believed(asked: list[int], tmp_path: Path) -> None:
    heads.keep(_PACK)
    (kept,) = tmp_path.rglob("*.head")
    kept.write_bytes(_HEAD[:-1])
    assert heads.of_board(None, _DIGEST) == _HEAD  # type: ignore[arg-type]
    assert asked


def test_a_board_that_says_nothing_of_it_is_asked(asked: list[int]) -> None:
    heads.keep(_PACK)
    assert heads.of_board(None, "") == _HEAD  # type: ignore[arg-type]
    assert asked
