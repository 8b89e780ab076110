"""Which pack a start runs: an update on trial three times at most, then the one before it."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest

from fakes.flash import FakeFlash
from fakes.flash_file import PowerCut
from fakes.releases import choose

NAME = "0123456789abcdef"
TRIAL, FAILED, STAGED = ".deploy/trial", ".deploy/failed", f".deploy/{NAME}"
OLD = ("/firmware.pack", "/.pack")
NEW = (f"/.deploy/{NAME}", "/.trial")
POWER_ON, DEEP_SLEEP, WATCHDOG = 1, 4, 3


class Board:
    """A flash with an update on trial, and what the starts on it choose."""

    def __init__(self, **note: Any) -> None:
        self.flash = FakeFlash()
        self.flash.folders.add(".deploy")
        self.flash.files["firmware.pack"] = b"old"
        self.flash.files[STAGED] = b"new"
        given = {"kind": "pack", "sha": NAME, "starts": 0, **note}
        self.flash.files[TRIAL] = json.dumps(given).encode()
        self.cause = POWER_ON
        self.armed: list[int] = []

    def start(self) -> tuple[str, str]:
        return choose(self.flash, self.cause, self.armed.append)

    def note(self) -> dict[str, Any]:
        return json.loads(self.flash.files[TRIAL])


@pytest.fixture
def board() -> Board:
    return Board()


def test_three_starts_run_the_new_pack_and_the_fourth_the_one_before(board: Board) -> None:
    assert [board.start() for _ in range(3)] == [NEW] * 3
    assert board.start() == OLD
    assert TRIAL not in board.flash.files
    assert json.loads(board.flash.files[FAILED])["starts"] == 3
    assert board.flash.files[STAGED] == b"new", "the old firmware tells of it, and removes it"


def test_a_start_that_ends_at_the_repl_or_hangs_comes_to_the_next_one(board: Board) -> None:
    board.start()
    assert board.armed == [120_000]


def test_a_pico_counts_no_further_than_its_chip(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "rp2")
    board.start()
    assert board.armed == [8388]


def test_the_old_firmware_gets_no_watchdog(board: Board) -> None:
    del board.flash.files[STAGED]
    board.start()
    assert board.armed == []


def test_a_wake_from_deep_sleep_is_no_start(board: Board) -> None:
    board.start()
    board.cause = DEEP_SLEEP
    board.flash.files["config.checked"] = b"by the new firmware"
    before = dict(board.flash.files)
    assert [board.start() for _ in range(9)] == [NEW] * 9
    assert board.flash.files == before, "it writes nothing"
    board.cause = WATCHDOG
    board.start()
    assert board.note()["starts"] == 2


def test_what_the_other_firmware_has_checked_is_checked_anew(board: Board) -> None:
    for n in range(4):
        board.flash.files["config.checked"] = b"{}"
        assert board.start() == (OLD if n == 3 else NEW)
        assert "config.checked" not in board.flash.files


@pytest.mark.parametrize(
    "note", [b"", b"{", b"[]", b'{"kind":"pack"}', b'{"kind":"pack","sha":5}']
)
def test_a_trial_that_cannot_be_read_is_none(board: Board, note: bytes) -> None:
    board.flash.files[TRIAL] = note
    assert board.start() == OLD


def test_without_its_pack_there_is_no_trial(board: Board) -> None:
    del board.flash.files[STAGED]
    assert board.start() == OLD
    assert board.note()["starts"] == 0, "the firmware finds out which of two it was"


def test_a_flash_that_takes_nothing_gets_the_old_pack(board: Board) -> None:
    board.flash.write_error = 28
    assert board.start() == OLD
    board.flash.write_error = None
    assert board.start() == NEW


def test_a_whole_image_on_trial_has_the_pack_that_is_there() -> None:
    board = Board(kind="image", sha="of no file")
    assert [board.start() for _ in range(4)] == [(OLD[0], NEW[1])] * 3 + [OLD]
    assert FAILED in board.flash.files


@pytest.mark.parametrize("when", ["before", "within", "after"])
def test_power_may_fail_at_any_operation_of_any_start(when: str) -> None:
    number = 0
    while True:
        board = Board()
        board.flash.files["config.checked"] = b"{}"
        number += 1
        board.flash.cut_at(number, when)
        chosen = []
        while not chosen or chosen[-1] == NEW:
            try:
                chosen.append(board.start())
            except PowerCut:
                board.flash.power_on()
        assert chosen[-1] == OLD and 2 <= chosen.count(NEW) <= 3
        assert board.flash.files["firmware.pack"] == b"old"
        assert TRIAL not in board.flash.files and FAILED in board.flash.files
        if not board.flash.cuts:
            break
    assert number > 10
