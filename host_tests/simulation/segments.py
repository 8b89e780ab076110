"""Reads the outbox's files as docs/reliability.md describes them, without the firmware's code."""

import struct
import zlib

_HEAD = struct.Struct("<HI")
_KEY = struct.Struct("<II")


def records(data: bytes) -> list[bytes]:
    """The whole records at the front of one segment."""
    found = []
    at = 0
    while at + _HEAD.size <= len(data):
        size, checksum = _HEAD.unpack_from(data, at)
        record = data[at + _HEAD.size : at + _HEAD.size + size]
        if not 0 < size <= 1024 or len(record) < size or zlib.crc32(record) != checksum:
            break
        found.append(record)
        at += _HEAD.size + size
    return found


def key(record: bytes) -> tuple[int, int]:
    """(boot, seq) of a record."""
    return _KEY.unpack_from(record)


def keys(files: dict[str, bytes]) -> set[tuple[int, int]]:
    """(boot, seq) of every reading on a flash with these files."""
    return {
        key(record)
        for path, data in files.items()
        if path.endswith(".seg")
        for record in records(data)
    }
