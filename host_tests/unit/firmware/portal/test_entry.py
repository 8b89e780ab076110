"""When a start opens the page, and what becomes of it then."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from rigs.portal_board import GET, Asleep, Opening, Restarted, submit

from firmware.config.verify import MISSING
from firmware.portal.entry import set_up

_NO_FILES = ["config.json: " + MISSING, "secrets.json: " + MISSING]
_TEN_MINUTES_MS = 600_000


@pytest.fixture(autouse=True)
def board_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def opening() -> Opening:
    return Opening()


class Failed:
    """Settings of the page that did not connect."""

    why: str | None = "Could not connect to the network: wrong password"
    title = "fieldpost-kitchen"

    def __init__(self) -> None:
        self.is_open = True

    def close(self) -> None:
        self.is_open = False


def settings(setup_pin: int | None = None, led: bool = True) -> dict[str, Any]:
    return {"setup_pin": setup_pin, "led": led}


def start(opening: Opening, found: Any, errors: Any = (), pending: Any = None) -> None:
    set_up(opening.board, opening.clock, opening.log, found, errors, pending)


def was_opened(opening: Opening) -> bool:
    return bool(opening.said("join the Wi-Fi network"))


def test_a_node_that_is_well_opens_nothing(opening: Opening) -> None:
    start(opening, settings())
    assert opening.lines == [] and opening.time.elapsed_ms == 0


def test_a_bare_board_opens_the_page_and_restarts_once_settings_are_stored(
    opening: Opening,
) -> None:
    submit(opening, 1000)
    with pytest.raises(Restarted):
        start(opening, None, _NO_FILES)
    assert Path("config.json").exists() and opening.said("saved")


def test_a_bare_board_to_which_nobody_came_sleeps_and_does_not_start(opening: Opening) -> None:
    with pytest.raises(Asleep):
        start(opening, None, _NO_FILES)
    assert was_opened(opening) and opening.time.elapsed_ms > _TEN_MINUTES_MS


def test_a_bare_board_that_wakes_goes_on_sleeping_and_opens_nothing(opening: Opening) -> None:
    opening.board.cause = "deep-sleep"
    with pytest.raises(Asleep):
        start(opening, None, _NO_FILES)
    assert not was_opened(opening) and opening.time.elapsed_ms == 0


@pytest.mark.parametrize(
    "errors", [["config.json: no JSON"], ["config.json: no JSON", _NO_FILES[1]]]
)
def test_a_file_that_has_to_be_repaired_is_left_to_a_person(
    opening: Opening, errors: list[str]
) -> None:
    start(opening, None, errors)
    assert opening.lines == [] and opening.time.elapsed_ms == 0


def test_a_board_without_an_access_point_opens_nothing(opening: Opening) -> None:
    opening.board.point = None
    start(opening, None, _NO_FILES)
    start(opening, settings(), pending=Failed())
    assert opening.lines == []


# The button -------------------------------------------------------------------------------------


def test_the_button_at_setup_pin_opens_the_page_and_the_node_starts_after_it(
    opening: Opening,
) -> None:
    opening.board.held = (15,)
    start(opening, settings(15))
    assert was_opened(opening) and opening.time.elapsed_ms == _TEN_MINUTES_MS


def test_pin_0_is_a_pin_as_well(opening: Opening) -> None:
    opening.board.held = (0,)
    start(opening, settings(0))
    assert was_opened(opening)


def test_a_button_that_is_not_held_opens_nothing(opening: Opening) -> None:
    opening.board.held = (14,)
    start(opening, settings(15))
    assert not was_opened(opening)


def test_a_wake_from_deep_sleep_does_not_look_at_the_button(opening: Opening) -> None:
    opening.board.held = (15,)
    opening.board.cause = "deep-sleep"
    start(opening, settings(15))
    assert not was_opened(opening)


def test_a_pin_that_this_chip_has_not_is_named_and_holds_nothing_up(opening: Opening) -> None:
    start(opening, settings(99))
    assert not was_opened(opening)
    assert [line.split(None, 1)[1] for _, line in opening.lines] == ["setup_pin: invalid pin"]


# Settings that did not connect -------------------------------------------------------------------


def test_settings_that_did_not_connect_open_the_page_once_under_the_same_name(
    opening: Opening,
) -> None:
    failed = Failed()
    opening.phones.at(1000, lambda: GET)
    start(opening, settings(), pending=failed)
    assert opening.said("fieldpost-kitchen")
    assert b"wrong password" in opening.phones.answers[0][1]
    # Nobody changed them: the node tries them for ever, and tells it no more.
    assert not failed.is_open


def test_a_wake_of_a_node_whose_settings_did_not_connect_opens_the_page_too(
    opening: Opening,
) -> None:
    opening.board.cause = "deep-sleep"
    start(opening, settings(), pending=Failed())
    assert was_opened(opening)


def test_settings_on_trial_open_nothing_and_stay_on_trial(opening: Opening) -> None:
    failed = Failed()
    failed.why = None
    start(opening, settings(), pending=failed)
    assert not was_opened(opening) and failed.is_open


# The LED ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("found", "lit"), [(None, True), (settings(15), True), (settings(15, led=False), False)]
)
def test_the_led_blinks_unless_the_settings_have_it_dark(
    opening: Opening, found: dict[str, Any] | None, lit: bool
) -> None:
    opening.board.held = (15,)
    try:
        start(opening, found, () if found else _NO_FILES)
    except Asleep:
        pass
    assert was_opened(opening) and bool(opening.board.lit) == lit
