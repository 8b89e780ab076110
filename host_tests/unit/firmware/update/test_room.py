"""How much of flash an update may take: never what the outbox may still grow to, to the byte."""

from __future__ import annotations

import pytest

from fakes.flash import FakeFlash
from firmware.update.room import lack

_BLOCK = 4096
_SPARE = 6 * _BLOCK


def _flash(segments: int) -> FakeFlash:
    flash = FakeFlash(capacity_bytes=64 * _BLOCK)
    flash.mkdir("outbox")
    for n in range(segments):
        flash.files[f"outbox/{n:08d}.seg"] = b"r"
    return flash


def _free(flash: FakeFlash) -> int:
    stat = flash.statvfs("/")
    return stat[0] * stat[3]


@pytest.mark.parametrize(("segments", "kept"), [(0, 16), (3, 13), (16, 0), (20, 0)])
def test_all_is_there_for_it_but_what_the_outbox_and_the_file_system_need(
    segments: int, kept: int
) -> None:
    flash = _flash(segments)
    left = _free(flash) - kept * _BLOCK - _SPARE
    assert lack(flash, left, 64) is None
    words = f"it needs {left + 1} bytes of flash, and {left} are free beside the outbox"
    assert lack(flash, left + 1, 64) == words


def test_of_a_flash_that_is_full_nothing_is_free() -> None:
    assert "and 0 are free" in (lack(_flash(0), 1, 1024) or "")
