"""What a pack of modules holds comes out of it again, and only what changed is sent."""

from __future__ import annotations

import random
import zlib

import pytest

from fieldpost.deploy import pack
from fieldpost.deploy.pack import Copied


def _modules(count: int, rng: random.Random) -> dict[str, bytes]:
    folders = ("firmware", "firmware/net", "lib", "lib/umqtt")
    return {
        f"{rng.choice(folders)}/m{n}.mpy": rng.randbytes(rng.randrange(1, 3000))
        for n in range(count)
    }


def _put_together(pieces: pack.Pieces, old: bytes) -> bytes:
    return b"".join(
        old[one.offset : one.offset + one.size] if isinstance(one, Copied) else one
        for one in pieces
    )


def _head(whole: bytes) -> bytes:
    return whole[: pack.head_size(whole[: pack.START_BYTES])]


@pytest.mark.parametrize("seed", range(20))
def test_a_pack_is_put_together_of_what_is_sent_and_what_the_old_one_has(seed: int) -> None:
    rng = random.Random(seed)
    before = _modules(rng.randrange(1, 40), rng)
    after = {path: data for path, data in before.items() if rng.random() < 0.8}
    fresh = _modules(rng.randrange(5), rng)
    after |= fresh
    old, new = pack.make(before), pack.make(after)
    pieces = pack.pieces(new, _head(old))
    assert _put_together(pieces, old) == new
    sent = sum(len(one) for one in pieces if not isinstance(one, Copied))
    names = len("\n".join(pack.names(new))) + 1
    bodies = sum(len(data) for path, data in fresh.items())
    whole = len(_head(new)) + names + bodies
    assert sent == whole if pack.names(new) != pack.names(old) else sent <= whole
    assert pack.changed(new, _head(old)) == len(fresh)
    for size in (0, 1, len(new) // 3, len(new)):
        assert new[:size] + _put_together(pack.without_start(pieces, size), old) == new


@pytest.mark.parametrize("seed", range(20))
def test_of_one_changed_module_only_it_and_where_each_begins_is_sent(seed: int) -> None:
    rng = random.Random(seed)
    before = _modules(40, rng)
    path = rng.choice(sorted(before))
    changed = rng.randbytes(rng.randrange(1, 3000))
    old, new = pack.make(before), pack.make({**before, path: changed})
    pieces = pack.pieces(new, _head(old), len(old))
    assert _put_together(pieces, old) == new
    sent = sum(len(one) for one in pieces if not isinstance(one, Copied))
    count = len(pack.names(new))
    # Around its own hash a run may be too short to be worth its name.
    assert sent <= len(changed) + 8 + count * 8 + 3 * 32 + 4


def test_what_only_seems_to_have_the_same_names_is_sent() -> None:
    old, new = (pack.make({f"lib/{name}.mpy": b"a" * 50}) for name in ("one", "two"))
    damaged = _head(new)[:-1]
    for head, size in ((_head(old), len(old)), (damaged, len(new)), (_head(new), len(new) + 1)):
        assert bytes(pack.pieces(new, head, size)[-1]).endswith(b"/two.mpy\n")


def test_names_are_as_import_looks_for_them() -> None:
    made = pack.make({"firmware/net/link.mpy": b"a", "lib/wire.mpy": b"b"})
    assert pack.names(made) == [
        "/firmware",
        "/firmware/net",
        "/firmware/net/link.mpy",
        "/wire.mpy",
    ]
    assert made == pack.make({"lib/wire.mpy": b"b", "firmware/net/link.mpy": b"a"}), "its order"


@pytest.mark.parametrize("start", [b"", b"FPK1", b"FPK1\xff\xff\xff\xff" * 3, b"MZ" * 40])
def test_what_is_no_pack_gives_nothing_to_copy(start: bytes) -> None:
    new = pack.make({"lib/wire.mpy": b"b"})
    assert _put_together(pack.pieces(new, start), b"") == new


def test_names_that_import_could_take_for_each_other_are_refused() -> None:
    # Two names of one CRC-32, found by trying.
    seen: dict[int, str] = {}
    rng = random.Random(1)
    while True:
        name = f"/m{rng.randrange(10**9)}.mpy"
        other = seen.setdefault(zlib.crc32(name.encode()), name)
        if other != name:
            break
    with pytest.raises(ValueError, match="the same CRC-32"):
        pack.make({"lib" + name: b"a", "lib" + other: b"b"})
