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
# Of each module or folder in the head.
RECORD_BYTES = _RECORD.size + _HASH_BYTES
# What is copied in its place is named to the board in some fifteen bytes.
_RUN_BYTES = 32


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


def pieces(pack: bytes, head: bytes, size: int = 0) -> Pieces:
    """`pack`, of what is to be sent and what a board has in its pack, whose head is given (b"" if
    it has none). What the head says is proven by the new pack's hash alone. size: of the board's
    pack, without which the names are sent."""
    there = {(digest, end - begin): begin for digest, begin, end in _modules(head)}
    known = [
        (begin, end, offset)
        for digest, begin, end in _modules(pack)
        if (offset := there.get((digest, end - begin))) is not None
    ]
    found: Pieces = []
    at = 0
    for begin, end, offset in [*_same_hashes(pack, head), *known, *_same_names(pack, head, size)]:
        before = found[-1] if found else None
        if at < begin:
            found.append(pack[at:begin])
        elif isinstance(before, Copied) and before.offset + before.size == offset:
            found[-1] = Copied(before.offset, before.size + end - begin)
            at = end
            continue
        found.append(Copied(offset, end - begin))
        at = end
    return [*found, pack[at:]] if at < len(pack) else found


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
    return pack[_end(pack) :].decode().splitlines()


def _modules(pack: bytes) -> list[tuple[bytes, int, int]]:
    """(hash, begin, end) of each, in the order of the file. The head is enough."""
    size = head_size(pack)
    if size is None or len(pack) < size:
        return []
    count = _count(pack)
    hashes = START_BYTES + count * _RECORD.size
    found = []
    for n in range(count):
        begin = _RECORD.unpack_from(pack, START_BYTES + n * _RECORD.size)[1]
        at = hashes + n * _HASH_BYTES
        if begin:
            found.append((begin, pack[at : at + _HASH_BYTES]))
    found.sort()
    ends = [begin for begin, _ in found[1:]]
    ends.append(_end(pack))
    return [(digest, begin, end) for (begin, digest), end in zip(found, ends, strict=True)]


def _same_names(pack: bytes, head: bytes, size: int) -> list[tuple[int, int, int]]:
    """(begin, end, where the board has it) of the names, if these are the same."""
    if not _has_same_names(pack, head):
        return []
    begin, offset = (_end(one) for one in (pack, head))
    return [(begin, len(pack), offset)] if size - offset == len(pack) - begin > 0 else []


def _same_hashes(pack: bytes, head: bytes) -> list[tuple[int, int, int]]:
    """The same of runs of hashes: they take as much of the line as they have bytes."""
    if not _has_same_names(pack, head):
        return []
    end = len(head) - 4
    found = []
    at = end - _count(pack) * _HASH_BYTES
    while at < end:
        begin = at
        while at < end and pack[at : at + _HASH_BYTES] == head[at : at + _HASH_BYTES]:
            at += _HASH_BYTES
        if at - begin >= _RUN_BYTES:
            found.append((begin, at, begin))
        at = max(at, begin + _HASH_BYTES)
    return found


def _has_same_names(pack: bytes, head: bytes) -> bool:
    """Whether the head is of a pack with the very names, by their CRC-32."""
    if not head or len(head) != head_size(pack):
        return False
    starts = range(START_BYTES, START_BYTES + _count(pack) * _RECORD.size, _RECORD.size)
    return all(pack[at : at + 4] == head[at : at + 4] for at in starts)


def _count(pack: bytes) -> int:
    return int.from_bytes(pack[4:START_BYTES], "little")


def _end(pack: bytes) -> int:
    """Of the bytecode. The head is enough."""
    return struct.unpack_from("<I", pack, (head_size(pack) or 0) - 4)[0]


def _head_size(count: int) -> int:
    return START_BYTES + count * RECORD_BYTES + 4


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
