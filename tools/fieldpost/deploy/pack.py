"""The one file that holds the firmware's modules on a board: lib/module_pack.py imports from it.

All numbers are unsigned, of 4 bytes, the lowest first:

    "FPK1", n
    n records, sorted by name: the CRC-32 of a name, and where its bytecode begins; 0 for a folder
    n times 8 bytes, in the same order: what the SHA-256 of the bytecode begins with
    where the bytecode ends
    the modules' bytecode, one after the other
    the names, a line each

A name is a path from a root of sys.path: "/firmware/app.mpy", "/wire.mpy". The names themselves
are for people: the board needs none, and a deployment finds what is equal by its hash.
"""

import hashlib
import struct
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

MAGIC = b"FPK1"
PATH = "firmware.pack"
# What says how long the head is.
START_BYTES = 8
_RECORD = struct.Struct("<II")
_HASH_BYTES = 8


@dataclass(frozen=True)
class Copied:
    """`size` bytes from `offset` on, of the pack that is on the board already."""

    offset: int
    size: int


# What a new pack is put together of: bytes that are sent, and bytes that the board has.
Pieces = list[bytes | Copied]


def make(modules: Mapping[str, bytes]) -> bytes:
    """The pack of these: bytecode by path in the tree, such as "lib/wire.mpy".

    Raises ValueError if import could take one name for another.
    """
    bodies = {"/" + path.removeprefix("lib/"): data for path, data in modules.items()}
    names = sorted({*bodies, *_folders(bodies)})
    _check(names)
    at = _head_size(len(names))
    records = hashes = content = b""
    for name in names:
        body = bodies.get(name)
        records += _RECORD.pack(zlib.crc32(name.encode()), 0 if body is None else at)
        hashes += _hash(body or b"")
        content += body or b""
        at += len(body or b"")
    head = MAGIC + len(names).to_bytes(4, "little") + records + hashes + at.to_bytes(4, "little")
    return head + content + "\n".join(names).encode() + b"\n"


def head_size(start: bytes) -> int | None:
    """How many bytes hold all that stands before the bytecode, by the first `START_BYTES` of a
    pack; None for what is none."""
    if len(start) < START_BYTES or start[:4] != MAGIC:
        return None
    return _head_size(int.from_bytes(start[4:START_BYTES], "little"))


def pieces(pack: bytes, head: bytes) -> Pieces:
    """`pack`, of what is to be sent and what a board has in its pack, whose head is given (b"" if
    it has none). What the head says is proven by the new pack's hash alone."""
    there = {(digest, end - begin): begin for digest, begin, end in _modules(head)}
    found: Pieces = []
    at = 0
    for digest, begin, end in _modules(pack):
        offset = there.get((digest, end - begin))
        if offset is None:
            continue
        if at < begin:
            found.append(pack[at:begin])
        before = found[-1] if found else None
        if isinstance(before, Copied) and before.offset + before.size == offset:
            found[-1] = Copied(before.offset, before.size + end - begin)
        else:
            found.append(Copied(offset, end - begin))
        at = end
    return [*found, pack[at:]]


def without_start(whole: Pieces, size: int) -> Pieces:
    """What follows the first `size` bytes."""
    rest: Pieces = []
    for piece in whole:
        length = piece.size if isinstance(piece, Copied) else len(piece)
        skipped = min(size, length)
        size -= skipped
        if skipped == length:
            continue
        if isinstance(piece, Copied):
            rest.append(Copied(piece.offset + skipped, piece.size - skipped))
        else:
            rest.append(piece[skipped:])
    return rest


def changed(pack: bytes, head: bytes) -> int:
    """How many modules of `pack` are not in the pack whose head is given."""
    there = {digest for digest, _, _ in _modules(head)}
    return sum(digest not in there for digest, _, _ in _modules(pack))


def names(pack: bytes) -> list[str]:
    """Of its modules and folders."""
    (end,) = struct.unpack_from("<I", pack, (head_size(pack) or 0) - 4)
    return pack[end:].decode().splitlines()


def _modules(pack: bytes) -> list[tuple[bytes, int, int]]:
    """(hash, begin, end) of each, in the order of the file. The head is enough."""
    size = head_size(pack)
    if size is None or len(pack) < size:
        return []
    count = int.from_bytes(pack[4:START_BYTES], "little")
    hashes = START_BYTES + count * _RECORD.size
    found = []
    for n in range(count):
        begin = _RECORD.unpack_from(pack, START_BYTES + n * _RECORD.size)[1]
        at = hashes + n * _HASH_BYTES
        if begin:
            found.append((begin, pack[at : at + _HASH_BYTES]))
    found.sort()
    ends = [begin for begin, _ in found[1:]]
    ends += struct.unpack_from("<I", pack, size - 4)
    return [(digest, begin, end) for (begin, digest), end in zip(found, ends, strict=True)]


def _head_size(count: int) -> int:
    return START_BYTES + count * (_RECORD.size + _HASH_BYTES) + 4


def _hash(body: bytes) -> bytes:
    return hashlib.sha256(body).digest()[:_HASH_BYTES]


def _folders(paths: Iterable[str]) -> set[str]:
    found = set()
    for path in paths:
        parts = path.split("/")
        found |= {"/".join(parts[:n]) for n in range(2, len(parts))}
    return found


def _check(known: list[str]) -> None:
    """Whatever import looks for on its way to a module has a CRC-32 of its own."""
    asked = {
        name.removesuffix(".mpy") + ending for name in known for ending in ("", ".py", ".mpy")
    }
    seen: dict[int, str] = {}
    for name in sorted(asked):
        other = seen.setdefault(zlib.crc32(name.encode()), name)
        if other != name:
            raise ValueError(f"{name} and {other} have the same CRC-32: rename one of them")
