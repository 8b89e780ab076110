"""What an offer is made of: `FPU1`, the attempt, a signature, and the manifest that is signed."""

import json

from micropython import const

_MAGIC = b"FPU1"
_HEAD_BYTES = const(5)
_SIGNATURE_BYTES = const(384)
_MANIFEST_MAX = const(1024)
_TEXT_MAX = const(64)


def parts(offer):
    """(attempt, signature, manifest as bytes) of an offer. ValueError if it is none."""
    end = _HEAD_BYTES + _SIGNATURE_BYTES
    size = len(offer) - end
    if offer[:4] != _MAGIC or not 0 < size <= _MANIFEST_MAX:
        raise ValueError("this is no offer")
    return offer[4], offer[_HEAD_BYTES:end], offer[end:]


def manifest_of(text):
    """The manifest as a dict with plausible `version`, `counter`, `sha256`, `size`; ValueError."""
    found = json.loads(text)
    if not isinstance(found, dict):
        raise ValueError("the manifest is no object")
    for name, kind in (("version", str), ("sha256", str), ("counter", int), ("size", int)):
        value = found.get(name)
        is_text = isinstance(value, str)
        if (
            not isinstance(value, kind)
            or isinstance(value, bool)
            or (is_text and not 0 < len(value) <= _TEXT_MAX)
        ):
            raise ValueError("the manifest has no " + name)
    sha = found["sha256"]
    if len(sha) != 2 * 32 or sha.lower() != sha or len(bytes.fromhex(sha)) != 32:
        raise ValueError("the manifest has no sha256")
    if found["size"] <= 0:
        raise ValueError("the manifest has no size")
    return found


def about(manifest, attempt):
    """Of an offer, what tells it from others."""
    return {
        "version": manifest["version"],
        "counter": manifest["counter"],
        "sha": manifest["sha256"][:16],
        "attempt": attempt,
    }
