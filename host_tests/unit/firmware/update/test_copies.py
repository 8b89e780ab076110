"""What a new pack has in common with the running one is copied: modules, and its names."""

from __future__ import annotations

import random

import pytest

from fieldpost.deploy import pack
from firmware.update.copies import planned

_NEW = -0x40000000


def _head(whole: bytes) -> bytes:
    return whole[: pack.head_size(whole)]


def _modules(rng: random.Random) -> dict[str, bytes]:
    names = ["lib/a_first.mpy", *(f"firmware/m{n}.mpy" for n in range(12))]
    return {name: rng.randbytes(rng.randrange(1, 900)) for name in names}


def _stretches(new: bytes, old: bytes) -> list[tuple[int, int]]:
    found = planned(_head(new), _head(old), len(new), len(old), _NEW)
    return list(zip(found[::2], found[1::2], strict=True))


@pytest.mark.parametrize("seed", range(12))
def test_all_but_the_head_and_the_changed_module_is_in_the_running_pack(seed: int) -> None:
    rng = random.Random(seed)
    before = _modules(rng)
    path = rng.choice(sorted(before))
    changed = rng.randbytes(rng.randrange(1, 900))
    old, new = pack.make(before), pack.make({**before, path: changed})
    begin = asked = 0
    for end, distance in _stretches(new, old):
        if distance == _NEW:
            asked += end - begin
        else:
            assert new[begin:end] == old[begin + distance : end + distance]
        begin = end
    assert begin == len(new)
    assert asked == len(_head(new)) + len(changed)


def test_names_are_asked_for_where_they_are_others_or_the_running_pack_is_cut_short() -> None:
    before = _modules(random.Random(1))
    old = pack.make(before)
    renamed = pack.make({path.replace("m1.", "n1."): data for path, data in before.items()})
    assert len(renamed) == len(old)
    names_begin = int.from_bytes(_head(old)[-4:], "little")
    assert _stretches(renamed, old)[-1][0] == names_begin
    found = planned(_head(old), _head(old), len(old), len(old) - 1, _NEW)
    assert (found[-2], found[-1]) == (names_begin, 0)


def test_a_hash_that_is_another_modules_as_well_copies_nothing_of_another_size() -> None:
    before = _modules(random.Random(2))
    old, new = pack.make(before), pack.make({**before, "firmware/m5.mpy": bytes(1000)})
    count = len(_head(new)) // 16
    hashes = slice(8 + 8 * count, 8 + 16 * count)
    head = bytearray(_head(old))
    head[hashes] = _head(new)[hashes]
    found = planned(_head(new), bytes(head), len(new), len(old), _NEW)
    begin = new.index(bytes(1000))
    at = list(found[::2]).index(begin + 1000)
    assert found[2 * at + 1] == _NEW and found[2 * at - 2] == begin


def test_names_of_which_one_is_another_are_asked_for() -> None:
    whole = pack.make(_modules(random.Random(3)))
    count = len(_head(whole)) // 16
    names_begin = int.from_bytes(_head(whole)[-4:], "little")
    assert _stretches(whole, whole)[-1] == (len(whole), 0)
    for n in range(count):
        for byte in range(4):
            head = bytearray(_head(whole))
            head[8 + 8 * n + byte] ^= 1
            found = planned(_head(whole), bytes(head), len(whole), len(whole), _NEW)
            assert list(found[-2:]) == [names_begin, 0], "the rest is asked for"


def test_a_hash_that_begins_within_the_one_before_is_found() -> None:
    whole = pack.make(_modules(random.Random(4)))
    head, count = bytearray(_head(whole)), len(_head(whole)) // 16
    at = 8 + 8 * count + 8 * 5
    head[at - 1 : at + 8] = bytes(9)
    found = planned(bytes(head), bytes(head), len(whole), len(whole), _NEW)
    assert list(found) == [len(head), _NEW, len(whole), 0]
