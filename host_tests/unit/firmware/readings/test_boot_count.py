"""No boot number is given twice, whatever flash does."""

from __future__ import annotations

import pytest

from fakes.flash import FakeFlash
from firmware.readings.boot_count import Identity


def test_each_start_has_its_own_boot_number_and_counts_as_failed_until_proven() -> None:
    flash = FakeFlash()
    first = Identity(flash)
    assert (first.boot, first.failed_starts) == (1, 0)
    second = Identity(flash)
    assert (second.boot, second.failed_starts) == (2, 1)
    second.proven()
    third = Identity(flash)
    assert (third.boot, third.failed_starts) == (3, 0)


def test_a_count_that_cannot_be_read_is_not_a_first_start() -> None:
    flash = FakeFlash()
    Identity(flash)

    class Broken:
        def open(self, path: str, mode: str) -> object:
            if mode == "rb":
                raise OSError(5)
            return flash.open(path, mode)

        rename = staticmethod(flash.rename)

    assert Identity(Broken(), lambda: 7).boot > 1_000_000


@pytest.mark.parametrize("spoilt", [b"", b"1", b"\xff\xff", b"0 0,1", b"999999999999 0,3"])
def test_a_spoilt_count_gives_a_number_far_above_any_that_was_given(spoilt: bytes) -> None:
    flash = FakeFlash()
    with flash.open("boot.count", "wb") as file:
        file.write(spoilt)
    assert Identity(flash, lambda: 5).boot > 1_000_000
    with flash.open("boot.count", "wb") as file:
        file.write(spoilt)
    highest = Identity(flash, lambda: 0xFFFFFFFF).boot
    assert 1_000_000 < highest < 1 << 31, "no number that a database of 32 bits can't hold"


def test_a_start_whose_count_was_spoilt_counts_as_one_that_failed() -> None:
    flash = FakeFlash()
    with flash.open("boot.count", "wb") as file:
        file.write(b"spoilt")
    Identity(flash, lambda: 5)
    assert Identity(flash).failed_starts == 1


def test_a_wake_goes_on_in_its_boot_and_writes_nothing() -> None:
    flash = FakeFlash()
    before = flash.operations
    identity = Identity(flash, resume=(7, 41))
    identity.proven()
    assert (identity.boot, identity.next_seq(), identity.seq) == (7, 41, 42)
    assert flash.operations == before


def test_cold_starts_are_counted_by_their_cause() -> None:
    flash = FakeFlash()
    for cause in ("power-on", "watchdog", "watchdog"):
        Identity(flash, cause=cause)
    counted = Identity(flash, cause="power-on")
    assert counted.resets == {"power-on": 2, "watchdog": 2} and counted.boot == 4
    counted.proven()
    assert Identity(flash).resets == {"power-on": 2, "watchdog": 2}
