"""A pack beside the one that runs: what it asks for, and what a power cut costs it."""

from __future__ import annotations

import random
from hashlib import sha256

import pytest

from fakes.flash import FakeFlash
from fieldpost.deploy import pack
from firmware.update.pack_target import PackTarget

_NAME = "a" * 16
_STAGED = f".deploy/{_NAME}"
_RUNNING = "/firmware.pack"


def _packs() -> tuple[bytes, bytes, int]:
    """(what runs, what is to, how many of its bytes are in no other's); one module is new."""
    rng = random.Random(1)
    before = {f"firmware/m{n}.mpy": rng.randbytes(rng.randrange(1, 9000)) for n in range(160)}
    changed = rng.randbytes(3000)
    new = pack.make({**before, "firmware/m70.mpy": changed})
    return pack.make(before), new, pack.head_size(new) + len(changed)  # type: ignore[operator]


def _target(old: bytes, new: bytes) -> tuple[FakeFlash, PackTarget]:

    flash = FakeFlash(capacity_bytes=4 << 20)
    flash.mkdir(".deploy")
    flash.files["firmware.pack"] = old
    target = PackTarget(flash, _RUNNING, _NAME, sha256(new).hexdigest(), len(new))
    target.begin()
    return flash, target


@pytest.mark.parametrize("piece_bytes", [7, 1000, 1024])
def test_all_that_the_running_pack_has_is_copied_and_a_power_cut_costs_8_kib(
    piece_bytes: int,
) -> None:
    old, new, lacking = _packs()
    flash, target = _target(old, new)
    asked = 0
    while target.have < target.size:
        have = target.have
        is_copied = target.copy()
        assert is_copied == (target.have > have)
        if not is_copied:
            assert not [file for file in flash.open_files if file.path == "firmware.pack"]
            wanted = target.wanted()
            if have < pack.head_size(new):  # type: ignore[operator]
                assert wanted <= 2048, "more may be in the running pack"
            count = min(wanted, piece_bytes)
            target.write(new[have : have + count])
            asked += count
        assert target.have - len(flash.files[_STAGED]) < 8192
    assert lacking <= asked < lacking + piece_bytes, "what a piece of the head ends with at most"
    assert not target.copy()
    found = None
    while found is None:
        found = target.read_back()
    assert found and flash.files[_STAGED] == new


def test_a_running_pack_that_is_shorter_than_its_head_says_is_an_error_of_flash() -> None:
    old, new, _ = _packs()
    flash, target = _target(old, new)
    target.write(new[: pack.head_size(new)])
    flash.files["firmware.pack"] = old[: pack.head_size(old)]
    with pytest.raises(OSError, match=r"^5$"):
        target.copy()
