"""Settings of the page are stored both files or none, and their first connection is watched."""

from __future__ import annotations

import json
import random
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rigs.portal import portal, respond, send

from fakes.flash import FakeFlash
from fakes.flash_file import PowerCut
from firmware import files
from firmware.config import change
from firmware.portal import first_connection
from firmware.update import trial


@pytest.fixture(autouse=True)
def board_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which the board's files lie."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


OLD = ({"node": "old"}, {"wifi": "old"})
NEW = ({"node": "new"}, {"wifi": "new"})


def on_flash(flash: FakeFlash, name: str) -> Any:
    data = files.read(name + ".json", flash)
    return json.loads(data) if data else None


def test_a_power_cut_leaves_both_old_files_or_both_new_ones() -> None:
    seen = set()
    for harsh in (False, True):
        for when in ("before", "within", "after"):
            for number in range(1, 60):
                flash = FakeFlash(rng=random.Random(number), harsh=harsh)
                for name, value in zip(("config", "secrets"), OLD, strict=True):
                    files.write_atomic(name + ".json", json.dumps(value).encode(), flash)
                files.write_atomic("trial.json", b"{}", flash)
                flash.cut_at(flash.operations + number, when)
                try:
                    first_connection.store(*NEW, "fieldpost-2f35", flash)
                except PowerCut:
                    pass
                flash.power_on()
                started = files.read("setup.json", flash) and first_connection.Pending(flash)
                both = (on_flash(flash, "config"), on_flash(flash, "secrets"))
                seen.add(both == NEW)
                assert both in (OLD, NEW)
                assert bool(started and started.is_open) == (both == NEW)
                assert (on_flash(flash, "trial") is None) == (both == NEW)
                # No password lies about in a third file.
                assert "new" not in str(on_flash(flash, "setup"))
    assert seen == {True, False}


def test_a_flash_that_is_full_keeps_what_there_was() -> None:
    flash = FakeFlash()
    for name, value in zip(("config", "secrets"), OLD, strict=True):
        files.write_atomic(name + ".json", json.dumps(value).encode(), flash)
    flash.write_error = 28
    with pytest.raises(OSError):
        first_connection.store(*NEW, "x", flash)
    flash.write_error = None
    assert sorted(flash.listdir()) == ["config.json", "secrets.json"]
    assert (on_flash(flash, "config"), on_flash(flash, "secrets")) == OLD


class Refusing:
    """A flash that is full once `path` is to get its new bytes."""

    def __init__(self, flash: FakeFlash, path: str) -> None:
        self._flash = flash
        self._path = path
        self.open = flash.open
        self.remove = flash.remove

    def rename(self, old: str, new: str) -> None:
        if new == self._path:
            raise OSError(28, "no space")
        self._flash.rename(old, new)


def test_a_flash_that_is_full_at_last_has_no_password_in_a_file_half_written() -> None:
    flash = FakeFlash()
    with pytest.raises(OSError):
        first_connection.store(*NEW, "x", Refusing(flash, "setup.json"))
    assert flash.listdir() == []


@pytest.mark.parametrize("path", ["secrets.json", "config.json", "setup.json"])
def test_a_start_that_cannot_put_the_files_in_place_says_so_on_the_page(path: str) -> None:
    flash = FakeFlash()
    with pytest.raises(OSError):
        first_connection.store(*NEW, "fieldpost-2f35", Refusing(flash, "config.json"))
    found = first_connection.Pending(Refusing(flash, path))
    assert not found.is_open and found.title == "fieldpost-2f35"
    assert found.why == "the settings could not be stored ([Errno 28] no space): try again"
    # What is asked for again is done at the next start, once there is room.
    assert first_connection.Pending(flash).is_open
    assert (on_flash(flash, "config"), on_flash(flash, "secrets")) == NEW


def watched(failure: str | None = None, **link: Any) -> tuple[Any, Any]:
    """The trial of settings that were stored, and the node on which it is."""
    first_connection.store(*NEW, "fieldpost-2f35")
    station = SimpleNamespace(failure=failure)
    node = SimpleNamespace(
        link=SimpleNamespace(**{"refused": False, "failures": 0, "station": station, **link}),
        proven=0,
    )
    node.identity = SimpleNamespace(proven=lambda: setattr(node, "proven", 1))
    found = first_connection.Pending()
    assert found.is_open and found.awake_s == 60
    assert found.wakes == 0  # Whoever waits for the page hears of the first wake that fails.
    return found, node


@pytest.mark.parametrize(
    ("happens", "uptime_ms", "told"),
    [
        ({"failure": "wrong password"}, 9000, "to the network: wrong password"),
        ({"refused": True}, 9000, "to the broker: bad user"),
        ({"failures": 3}, 9000, "to the broker: bad user"),
        ({}, 180_000, "to the broker: bad user"),
        ({"failures": 2}, 9000, None),
    ],
)
def test_what_fails_at_first_is_told_on_the_page_of_the_next_start(
    happens: dict[str, Any], uptime_ms: int, told: str | None
) -> None:
    trial, node = watched(**happens)
    node.link.is_up, node.link.failure = False, happens.get("failure", "bad user")
    node.clock = SimpleNamespace(uptime_ms=lambda: uptime_ms)
    assert trial.step(node) is bool(told)
    assert trial.is_open == (told is None)
    assert node.proven == bool(told), "a typing error counts as a failed start"
    again = first_connection.Pending()
    assert again.title == "fieldpost-2f35"
    if told is None:
        assert again.is_open and again.why is None
    else:
        assert told in (again.why or "")
        text = respond(portal(why=again.why), b"GET / HTTP/1.1\r\n\r\n")[2]
        assert told in text
        assert told not in send(portal(why=again.why), node="!")[1]  # It is another matter now.


def test_a_node_whose_flash_cannot_keep_why_goes_on_trying(
    board_files: Path,
) -> None:
    trial, node = watched(failure="wrong password")
    node.link.is_up, node.link.failure = False, "wrong password"
    node.clock = SimpleNamespace(uptime_ms=lambda: 9000)
    (board_files / "setup.json.new").mkdir()  # so that nothing can be written there
    assert trial.step(node) is False, "it restarts, to open a page that knows nothing"
    assert node.proven == 0


def test_once_connected_nothing_is_left_of_it() -> None:
    trial, node = watched()
    node.link.is_up = True
    assert trial.step(node) is False
    assert not trial.is_open and not Path("setup.json").exists()


def test_unreadable_leftovers_open_nothing() -> None:
    for text in ("", "{", "[]", '"x"', "{}", "null"):
        Path("setup.json").write_text(text)
        found = first_connection.Pending()
        assert not found.is_open and found.why is None
        assert not Path("setup.json").exists()


@pytest.mark.parametrize("kind", [first_connection.Pending, change.Trial, trial.Trial])
def test_it_answers_what_a_node_asks_of_any_trial(kind: type) -> None:
    """A node steps one of the three."""
    assert {"step", "wakes", "awake_s"} <= set(dir(kind))
