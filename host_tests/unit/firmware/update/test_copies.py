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
    return {f"firmware/m{n}.mpy": rng.randbytes(rng.randrange(1, 900)) for n in range(12)}


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
    assert _stretches(renamed, old)[-1] == (len(renamed), _NEW)
    found = planned(_head(old), _head(old), len(old), len(old) - 1, _NEW)
    assert (found[-2], found[-1]) == (len(old), _NEW)
