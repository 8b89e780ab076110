"""Files are read, removed and replaced whole, on the board's own flash or on one that fails."""

from __future__ import annotations

from errno import EIO, ENOENT
from pathlib import Path
from typing import Any

import pytest

from firmware import files


class Flash:
    """A flash of a test's: refuses what it is told to refuse, and notes what it was asked."""

    def __init__(self, folder: Path, refuses: str = "", code: int = EIO) -> None:
        self._folder = folder
        self._refuses = refuses
        self._code = code
        self.asked: list[str] = []

    def _ask(self, what: str) -> None:
        self.asked.append(what)
        if what == self._refuses:
            raise OSError(self._code)

    def open(self, path: str, mode: str) -> Any:
        self._ask("open")
        return (self._folder / path).open(mode)

    def remove(self, path: str) -> None:
        self._ask("remove")
        (self._folder / path).unlink()

    def rename(self, old: str, new: str) -> None:
        self._ask("rename")
        (self._folder / old).rename(self._folder / new)


def test_a_file_is_read_and_one_that_is_not_there_is_none(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"here")
    assert files.read("a", Flash(tmp_path)) == b"here"
    assert files.read("b", Flash(tmp_path)) is None
    assert files.read("b", Flash(tmp_path), strict=True) is None
    assert files.read(str(tmp_path / "a")) == b"here", "from the board's own flash"


def test_flash_that_refuses_is_told_only_to_whom_it_makes_a_difference(tmp_path: Path) -> None:
    assert files.read("a", Flash(tmp_path, "open")) is None
    with pytest.raises(OSError):
        files.read("a", Flash(tmp_path, "open"), strict=True)
    assert files.read("a", Flash(tmp_path, "open", ENOENT), strict=True) is None


def test_a_file_is_removed_and_a_refusal_stops_nobody(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"")
    files.discard("a", Flash(tmp_path))
    assert not (tmp_path / "a").exists()
    files.discard("a", Flash(tmp_path))
    (tmp_path / "b").write_bytes(b"")
    files.discard(str(tmp_path / "b"))
    assert not (tmp_path / "b").exists()


def test_a_file_is_replaced_in_one_step(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old")
    flash = Flash(tmp_path)
    files.write_atomic("a", b"new", flash)
    assert (tmp_path / "a").read_bytes() == b"new"
    assert flash.asked == ["open", "rename"] and list(tmp_path.iterdir()) == [tmp_path / "a"]
    with pytest.raises(OSError):
        files.write_atomic("a", b"newer", Flash(tmp_path, "rename"))
    assert (tmp_path / "a").read_bytes() == b"new"
    files.write_atomic(str(tmp_path / "c"), b"own")
    assert (tmp_path / "c").read_bytes() == b"own"
