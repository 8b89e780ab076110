"""Which pack runs, as boot.py left it, and what of a pack is read before it is proven."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest

from fakes.flash import FakeFlash
from fieldpost.deploy import pack
from firmware.update import place


@pytest.mark.parametrize(
    ("module", "path"),
    [
        (None, None),
        (SimpleNamespace(), None),
        (SimpleNamespace(mounted=None), None),
        (SimpleNamespace(mounted=SimpleNamespace(path="/firmware.pack")), "/firmware.pack"),
    ],
)
def test_the_pack_that_runs_is_the_one_that_is_mounted_if_any(
    monkeypatch: pytest.MonkeyPatch, module: Any, path: str | None
) -> None:
    monkeypatch.setitem(sys.modules, "module_pack", module)
    assert place.running_pack() == path
    if path:
        place.moved("/other.pack")
        assert place.running_pack() == "/other.pack"


@pytest.mark.parametrize("mount", ["/.pack", "/.trial"])
def test_a_firmware_is_on_trial_where_boot_mounted_it_for_one(
    monkeypatch: pytest.MonkeyPatch, mount: str
) -> None:
    monkeypatch.setattr(sys, "path", [mount, *sys.path])
    assert place.is_on_trial() == (mount == "/.trial")


def test_of_a_pack_its_head_is_read_and_of_anything_else_nothing() -> None:
    flash = FakeFlash()
    whole = pack.make({"firmware/app.mpy": b"M" * 900})
    for name, data in {"a": whole, "b": b"FPK2" + whole[4:], "d": b"FPK1", "e": b""}.items():
        flash.files[name] = data
    for name, count in (("most", 500), ("too many", 501)):
        flash.files[name] = b"FPK1" + count.to_bytes(4, "little") + bytes(16 * 501)
    assert place.head_of("a", flash) == whole[: pack.head_size(whole)]
    assert len(place.head_of("most", flash)) == 8 + 16 * 500 + 4
    assert [place.head_of(name, flash) for name in ("b", "too many", "e", "none")] == [b""] * 4
