"""The manifest of one pack or image: what is signed, and what a node looks at before it fetches.

JSON without spaces, with its keys sorted, in ASCII: the same for the same contents.
docs/updates.md says what each key means to a node.
"""

import json
from dataclasses import dataclass
from typing import Any, Literal

from fieldpost.errors import BadFile
from fieldpost.keys.history import COUNTER_MAX
from fieldpost.messages import payload

FORMAT = 1
# What a node takes.
BYTES_MAX = 1024
# Of MicroPython, for a pack: the oldest that all of the firmware is tested with.
LEAST = (1, 23)
_SIZE_MAX = 16 * 1024 * 1024
_TEXT_MAX = 64
_SHA256_DIGITS = 64

Kind = Literal["pack", "image"]


@dataclass(frozen=True)
class Manifest:
    """kind: "pack" of modules, for a `platform` as sys.platform has it, with `mpy` and `least`; or
    "image", all of MicroPython, for a `chip` such as "esp32c3". sha256: hex, of all `size` bytes.
    key: `node_id` of the one that signs; None in a release of before it was told.
    """

    kind: Kind
    platform: str
    version: str
    counter: int
    size: int
    sha256: str
    mpy: int | None = None
    least: tuple[int, ...] = ()
    chip: str | None = None
    key: str | None = None

    def encoded(self) -> bytes:
        """As it is signed."""
        told: dict[str, Any] = {
            "counter": self.counter,
            "format": FORMAT,
            "kind": self.kind,
            "platform": self.platform,
            "sha256": self.sha256,
            "size": self.size,
            "version": self.version,
        }
        if self.key is not None:
            told["key"] = self.key
        if self.kind == "pack":
            told |= {"mpy": self.mpy, "least": list(self.least)}
        else:
            told["chip"] = self.chip
        return json.dumps(told, sort_keys=True, separators=(",", ":")).encode()

    @property
    def sha16(self) -> str:
        """What names it in messages."""
        return self.sha256[:16]


def parse(data: bytes, where: str) -> Manifest:
    """Raises CommandError for what this did not write."""
    try:
        found = _checked(payload.read(data))
    except payload.Unreadable as error:
        raise BadFile(f"{where} is no manifest: {error}") from None
    if len(data) > BYTES_MAX or found.encoded() != data:
        raise BadFile(f"{where} is no manifest of this version of Fieldpost")
    return found


def _checked(told: dict[str, Any]) -> Manifest:
    kind = told.get("kind")
    if told.get("format") != FORMAT or kind not in ("pack", "image"):
        raise payload.Unreadable("of another format, or a newer one")
    sha256 = _text(told, "sha256")
    if len(sha256) != _SHA256_DIGITS or set(sha256) - set("0123456789abcdef"):
        raise payload.Unreadable("sha256 is none")
    is_pack = kind == "pack"
    least = told.get("least") if is_pack else []
    if not isinstance(least, list) or len(least) > 3:
        raise payload.Unreadable("least is no version")
    return Manifest(
        kind=kind,
        platform=_text(told, "platform"),
        version=_text(told, "version"),
        counter=_whole(told.get("counter"), 1, COUNTER_MAX),
        size=_whole(told.get("size"), 1, _SIZE_MAX),
        sha256=sha256,
        mpy=_whole(told.get("mpy"), 0, 255) if is_pack else None,
        least=tuple(_whole(one, 0, 999) for one in least),
        chip=None if is_pack else _text(told, "chip"),
        key=_text(told, "key") if "key" in told else None,
    )


def _text(told: dict[str, Any], key: str) -> str:
    value = told.get(key)
    if not isinstance(value, str) or not 0 < len(value) <= _TEXT_MAX or not value.isprintable():
        raise payload.Unreadable(f"{key} is no short text")
    return value


def _whole(value: Any, least: int, most: int) -> int:
    found = payload.number(value, least, most)
    if not isinstance(found, int):
        raise payload.Unreadable("a number is out of its range, or none")
    return found
