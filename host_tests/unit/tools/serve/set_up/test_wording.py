"""What went wrong is said on the page in the page's words: nobody there has typed a command."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from fakes.board_images import esp_image
from fieldpost.board.link import open_link
from fieldpost.errors import CommandError
from fieldpost.flash import catalogue, esp, images
from fieldpost.serve.set_up.wording import on_page

PORT = "socket://127.0.0.1:5"
_OF_A_COMMAND = re.compile(r"(?<!fieldpost flash )--[a-z]|socket:|the command|esptool|\bbaud\b")


@pytest.mark.parametrize(
    "reason",
    ["Failed to connect to Espressif device: No serial data received", "The chip stopped"],
)
def test_of_the_bootloader(reason: str) -> None:
    text = on_page(esp._explain(PORT, reason, False, tried=[115_200])[0], PORT)
    assert not _OF_A_COMMAND.search(text) and "set it up again" in text, text
    assert text.startswith(reason)


def test_of_an_image_for_another_chip(tmp_path: Path) -> None:
    file = tmp_path / "image.bin"
    file.write_bytes(esp_image("ESP32-S3"))
    with pytest.raises(CommandError) as refused:
        images.check_fits(images.examine(file), "ESP32-C3", PORT)
    text = on_page(str(refused.value), PORT)
    assert text == "image.bin is for ESP32-S3, and the board has ESP32-C3. Nothing was written."


def test_of_a_chip_that_the_catalogue_does_not_know() -> None:
    with pytest.raises(CommandError) as refused:
        catalogue.choose(chip="ESP32-P4")
    assert not _OF_A_COMMAND.search(on_page(str(refused.value), PORT)), refused.value


def test_of_a_board_that_is_silent() -> None:
    ours, theirs = os.openpty()
    port = os.ttyname(theirs)
    try:
        with pytest.raises(CommandError) as silent:
            open_link(port, 0.5)
    finally:
        os.close(ours)
        os.close(theirs)
    text = on_page(str(silent.value), port)
    assert "fieldpost flash" not in text and "choose above that it gets MicroPython" in text, text
