"""What goes wrong while an ESP32 gets MicroPython from the page is said there, with a way on."""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from rigs.browser import Browser
from rigs.lent_port import (
    GO,
    STEPS,
    WRONG,
    Cable,
    is_for_everybody,
    press_with_flash,
    serial,
    to_chip,
)
from rigs.serving import Served, served
from websockets.sync.client import connect

from fakes.board_images import esp_image
from fakes.esp_board import EspBoard
from fakes.image_server import ImageServer
from fieldpost.flash import catalogue
from fieldpost.flash.catalogue import Entry
from fieldpost.serve.set_up.job import Source

pytestmark = pytest.mark.slow

_AT = 0x1000
_EMPTY = b"\xff" * 0x100


@pytest.fixture
def image(tmp_path: Path) -> Path:
    file = tmp_path / "image.bin"
    file.write_bytes(esp_image("ESP32", noise=random.Random(1).randbytes(200_000)))
    return file


@pytest.fixture
def page(tmp_path: Path, image: Path) -> Iterator[Served]:
    (tmp_path / "page").mkdir()
    with served(tmp_path / "page", source=Source(image=image)) as one:
        yield one


def opened(page: Served, profile: Path) -> Browser:
    return Browser(profile, int(page.url.rstrip("/").rpartition(":")[2]))


@pytest.fixture
def browser(page: Served, tmp_path: Path) -> Iterator[Browser]:
    with opened(page, tmp_path / "profile") as one:
        yield one


def is_over(browser: Browser, text: str) -> str:
    """What the page says of it, in words of a page; its button can be pressed again."""
    browser.until(f"{WRONG}.includes({text!r})", 60)
    browser.until(f"!document.querySelector('{GO}').disabled")
    said = browser.evaluate(WRONG)
    assert "--" not in said and "socket:" not in said and "the command" not in said, said
    return said


def tools_at_work() -> list[str]:
    """The programs that this one has started for a board."""
    found = []
    for one in psutil.Process(os.getpid()).children(recursive=True):
        with contextlib.suppress(psutil.Error):  # It has ended just now.
            found.append(one.cmdline())
    return [" ".join(words) for words in found if "esptool" in words]


def test_a_chip_that_is_given_anothers_image_stays_as_it_is(
    page: Served, browser: Browser, image: Path, tmp_path: Path
) -> None:
    image.write_bytes(esp_image("ESP32-S3"))
    with EspBoard("esp32") as chip:
        with to_chip(chip) as cable:
            press_with_flash(browser, page, cable)
            assert "Nothing was written" in is_over(browser, "is for ESP32-S3")
            is_for_everybody(browser)
        assert chip.read_back(_AT, 0x100, tmp_path / "back") == _EMPTY


def test_an_image_that_is_not_what_the_catalogue_says_is_not_written(
    image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = image.read_bytes()
    monkeypatch.setenv("FIELDPOST_CACHE", str(tmp_path / "cache"))
    (tmp_path / "other").mkdir()
    with (
        ImageServer({"/image.bin": data}) as server,
        served(tmp_path / "other") as page,
        EspBoard("esp32") as chip,
    ):
        wrong = hashlib.sha256(data + b"?").hexdigest()
        entry = Entry(
            "ESP32_GENERIC", "ESP32", "1.29.0", f"{server.url}/image.bin", len(data), wrong
        )
        monkeypatch.setattr(catalogue, "load", lambda: [entry])
        with to_chip(chip) as cable, opened(page, tmp_path / "profile") as browser:
            press_with_flash(browser, page, cable)
            is_over(browser, "SHA-256")
        assert chip.read_back(_AT, 0x100, tmp_path / "back") == _EMPTY
    assert not list((tmp_path / "cache").rglob("*.bin"))


def test_a_chip_that_is_not_in_its_bootloader_is_to_be_put_there_by_hand(
    page: Served, browser: Browser
) -> None:
    # A port at the other end of which nobody says anything.
    ours, theirs = os.openpty()
    try:
        with Cable(lambda: os.dup(theirs)) as cable:
            press_with_flash(browser, page, cable)
            said = is_over(browser, "BOOT")
    finally:
        os.close(ours)
        os.close(theirs)
    assert "press and release its RESET" in said and "set it up again" in said


def test_a_cable_that_is_pulled_while_it_is_written_is_said_with_a_way_on(
    page: Served, browser: Browser, image: Path
) -> None:
    with EspBoard("esp32", cut_after=120_000) as chip, to_chip(chip) as cable:
        press_with_flash(browser, page, cable)
        browser.until(f"{STEPS}.includes('%')", 30)
        said = is_over(browser, "port has gone while MicroPython was brought")
        assert "plug it in, and set it up again" in said
        browser.wait_for(lambda: not tools_at_work(), "esptool ends")


def test_a_tab_that_is_closed_while_it_is_written_asks_first_and_a_new_one_writes_all(
    page: Served, image: Path, tmp_path: Path
) -> None:
    with EspBoard("esp32", hold_after=120_000) as chip, to_chip(chip) as cable:
        with opened(page, tmp_path / "first") as browser:
            press_with_flash(browser, page, cable)
            browser.wait_for(chip.is_held.is_set, "it is written to")
            # The browser asks who closes it whether that is meant.
            assert not browser.evaluate(
                "dispatchEvent(new Event('beforeunload', { cancelable: true }))"
            )
        with opened(page, tmp_path / "second") as browser:
            browser.wait_for(lambda: not tools_at_work(), "esptool ends")
            press_with_flash(browser, page, cable)
            browser.until(f"{STEPS}.includes('the MD5 of the flash')", 60)
        assert chip.verify(_AT, image)


def test_a_port_that_another_tab_has_is_told_of(page: Served, browser: Browser) -> None:
    with (
        EspBoard("esp32") as chip,
        to_chip(chip) as cable,
        connect(f"ws://127.0.0.1:{cable.port}", proxy=None) as other,
    ):
        other.recv(10)
        press_with_flash(browser, page, cable)
        is_over(browser, "the other tab")


def test_more_boards_at_once_than_are_taken_are_told_to_wait(
    page: Served, browser: Browser
) -> None:
    with EspBoard("esp32") as chip, to_chip(chip) as cable:
        browser.before_each_page(serial(cable.port, goes=False))
        browser.open(f"{page.url}#/set-up")
        browser.evaluate(
            "Promise.all([1, 2, 3, 4].map(() => new Promise((done) => {"
            "const one = new WebSocket(`ws://${location.host}/api/board`); one.onopen = done;"
            "(window.others ||= []).push(one); }))).then(() => true)"
        )
        browser.until("document.querySelector('.config')")
        browser.type("node", "bench-7")
        browser.type("secrets.wifi[0].ssid", "desk")
        browser.type("mqtt.host", "mqtt://192.168.1.10")
        browser.click(GO)
        is_over(browser, "wait until one of them is done")
