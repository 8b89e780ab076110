"""The image of an emulated board is the one that is here, and else is fetched once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes.board_images import uf2_image
from fakes.image_server import ImageServer
from fieldpost.emulator.image import find_or_fetch
from fieldpost.emulator.pico_w import PICO_W
from fieldpost.errors import CommandError
from fieldpost.flash import catalogue
from fieldpost.flash.catalogue import Entry

_NAME = "RPI_PICO_W-20250415-v1.25.0.uf2"
_DATA = uf2_image(version="1.25.0", blocks=1_500)


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ImageServer]:
    monkeypatch.setenv("FIELDPOST_CACHE", str(tmp_path))
    with ImageServer({"/" + _NAME: _DATA}) as one:
        digest = hashlib.sha256(_DATA).hexdigest()
        entries = [
            Entry("RPI_PICO_W", "RP2040", version, f"{one.url}/{name}", len(_DATA), digest)
            for version, name in (("1.29.0", "not-there.uf2"), ("1.25.0", _NAME))
        ]
        monkeypatch.setattr(catalogue, "load", lambda: entries)
        yield one


def test_the_version_that_was_tried_in_the_emulator_is_fetched_once(
    server: ImageServer, tmp_path: Path
) -> None:
    assert find_or_fetch(PICO_W) == tmp_path / "images" / _NAME
    assert find_or_fetch(PICO_W, "1.25").read_bytes() == _DATA
    assert len(server.asked) == 1


def test_an_image_that_does_not_come_is_told_with_what_else_to_do(server: ImageServer) -> None:
    with pytest.raises(CommandError, match=r"(?s)is not there.*By hand: .*Download RPI_PICO_W"):
        find_or_fetch(PICO_W, "1.29.0")


def test_a_file_that_was_named_is_never_replaced_by_another(server: ImageServer) -> None:
    with pytest.raises(CommandError, match="there is no image"):
        find_or_fetch(PICO_W, "./mine.uf2")
    with pytest.raises(CommandError, match="neither an image's path nor a version"):
        find_or_fetch(PICO_W, "latest")
    assert not server.asked
