"""A crash is kept until it is told, and each one in a row makes the pause longer."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from firmware import crash, files


@pytest.fixture(autouse=True)
def flash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_pause_doubles_with_each_crash_in_a_row_up_to_ten_minutes(flash: Path) -> None:
    pauses_s = [crash.keep(f"bug {n}") for n in range(10)]
    assert pauses_s == [5, 10, 20, 40, 80, 160, 320, 600, 600, 600]
    assert (flash / files.CRASH).read_text() == "bug 9"
    assert (flash / files.CRASHES).read_text() == "10"
    (flash / files.CRASHES).write_text("4000")
    assert crash.keep("and so on") == 600


def test_the_end_of_a_long_traceback_is_kept(flash: Path) -> None:
    crash.keep("x" * 5000 + "the reason")
    kept = (flash / files.CRASH).read_bytes()
    assert len(kept) == 1024 and kept.endswith(b"the reason")


@pytest.mark.parametrize("spoilt", [b"", b"many", b"\xff"])
def test_a_spoilt_count_begins_again(flash: Path, spoilt: bytes) -> None:
    (flash / files.CRASHES).write_bytes(spoilt)
    assert crash.keep("bug") == 5
    assert (flash / files.CRASHES).read_bytes() == b"1"


def test_flash_that_is_full_does_not_keep_the_board_from_its_restart() -> None:
    def refuse(*_: Any) -> None:
        raise OSError(28)

    full = SimpleNamespace(open=refuse, rename=refuse, remove=refuse)
    assert crash.keep("bug", full) == 5


class Board:
    def __init__(self) -> None:
        self.fed = 0

    def feed(self) -> None:
        self.fed += 1


def tell(node: Any) -> tuple[list[str], list[int], int]:
    said: list[str] = []
    slept_ms: list[int] = []
    board = Board()
    try:
        raise ZeroDivisionError("a bug")
    except ZeroDivisionError as error:
        crash.tell(error, node, board, SimpleNamespace(sleep_ms=slept_ms.append), said.append)
    return said, slept_ms, board.fed


def test_a_crash_is_told_kept_and_paused_for_with_the_watchdog_fed(flash: Path) -> None:
    said, slept_ms, fed = tell(None)
    assert "a bug" in said[0] and said[1:] == ["restarting in 5 s"]
    assert slept_ms == [1000] * 5 and fed == 5
    assert "a bug" in (flash / files.CRASH).read_text()


def test_what_was_lost_is_kept_and_the_link_is_closed(flash: Path) -> None:
    closed: list[bool] = []
    outbox = SimpleNamespace(dropped=3, corrupt=0, refused=0)
    link = SimpleNamespace(close=lambda: closed.append(True))
    tell(SimpleNamespace(outbox=outbox, link=link))
    assert closed == [True]
    assert b"3" in (flash / files.LOSSES).read_bytes()


def test_an_error_on_the_way_out_is_told_too() -> None:
    def refuse() -> None:
        raise OSError("radio")

    outbox = SimpleNamespace(dropped=0, corrupt=0, refused=0)
    said, _, _ = tell(SimpleNamespace(outbox=outbox, link=SimpleNamespace(close=refuse)))
    assert said[1:] == ["while closing: radio", "restarting in 5 s"]
