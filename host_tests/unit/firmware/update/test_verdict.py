"""What stays of an update that is over: the marks of those that were judged."""

from __future__ import annotations

from typing import Any

from fakes.flash import FakeFlash
from firmware.update.verdict import clear, judge


def test_the_last_eight_offers_that_were_judged_are_known_and_the_same_one_once() -> None:
    record: dict[str, Any] = {}
    for n in range(12):
        judge(record, f"mark {n}", "refused", {})
    assert record["done"] == [f"mark {n}" for n in range(4, 12)]
    judge(record, "mark 6", "refused", {})
    assert record["done"] == [f"mark {n}" for n in (4, 5, 7, 8, 9, 10, 11, 6)]


def test_of_what_is_staged_all_goes_but_what_is_still_wanted() -> None:
    flash = FakeFlash()
    flash.mkdir(".deploy")
    staged = [f".deploy/{n:016x}" for n in range(3)]
    others = [".deploy/trial", ".deploy/offer"]
    for name in staged + others:
        flash.files[name] = b"x"
    clear(flash, staged[1].removeprefix(".deploy/"))
    assert sorted(flash.files) == sorted([staged[1], *others])
    clear(flash)
    assert sorted(flash.files) == [".deploy/trial"]
