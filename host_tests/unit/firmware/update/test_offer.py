"""What an offer is made of is checked to the byte, before anything in it is believed."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from firmware.update.offer import manifest_of, parts
from firmware.update.record import mark

_HEAD = b"FPU1\x07" + b"s" * 384


@pytest.mark.parametrize("size", [1, 1024])
def test_a_manifest_has_one_byte_to_1024(size: int) -> None:
    assert parts(_HEAD + b"m" * size) == (7, b"s" * 384, b"m" * size)


@pytest.mark.parametrize("size", [-1, 0, 1025])
def test_what_has_no_manifest_or_too_long_a_one_is_no_offer(size: int) -> None:
    with pytest.raises(ValueError, match="no offer"):
        parts((_HEAD + b"m" * 1025)[: len(_HEAD) + size])


def _manifest(**given: Any) -> bytes:
    sha = hashlib.sha256(b"release").hexdigest()
    return json.dumps({"version": "1", "sha256": sha, "counter": 1, "size": 1, **given}).encode()


@pytest.mark.parametrize(
    "given",
    [
        {"version": ""},
        {"sha256": ""},
        {"sha256": "AB" * 32},
        {"sha256": "ab" * 31},
        {"sha256": "ab" * 31 + "  "},
        {"size": -1},
    ],
)
def test_a_manifest_without_a_version_a_hash_or_a_size_is_refused(given: dict[str, Any]) -> None:
    assert manifest_of(_manifest())
    with pytest.raises(ValueError, match=f"no {next(iter(given))}"):
        manifest_of(_manifest(**given))


def test_a_mark_is_the_same_in_every_version() -> None:
    """One firmware notes what it has judged, and the next must know it again."""
    assert mark(_HEAD) == hashlib.sha256(_HEAD).hexdigest()[:16]
