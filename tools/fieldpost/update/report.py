"""What a node tells of its firmware and of an update, on `…/update`."""

from dataclasses import dataclass
from typing import Any

from fieldpost.keys.history import COUNTER_MAX
from fieldpost.keys.public import KEYS_MAX
from fieldpost.messages import payload
from fieldpost.messages.payload import Unreadable

# A node that is not asked anything, and what may become of an offer.
STATES = ("idle", "fetching", "trial", "done", "refused", "failed", "back")
# It has judged an offer, and will not look at it again.
FAILURES = ("refused", "failed", "back")
_TEXT_MAX = 300
_SHA_DIGITS = 16
_BYTES_MAX = 2**31


@dataclass(frozen=True)
class Firmware:
    """One that runs, or that was offered. counter: None for one that came by cable. sha: what the
    SHA-256 of its pack begins with."""

    version: str
    counter: int | None
    sha: str
    attempt: int = 0

    def words(self) -> str:
        """For people: "0.2.0 (17)"."""
        return self.version if self.counter is None else f"{self.version} ({self.counter})"


@dataclass(frozen=True)
class Report:
    """state: one of STATES. have, of: bytes of what it fetches. What a node did not tell is None,
    or empty. keys: `node_id` of those that it takes updates of."""

    state: str
    installed: Firmware | None = None
    offer: Firmware | None = None
    have: int | None = None
    of: int | None = None
    error: str = ""
    platform: str = ""
    mpy: int | None = None
    micropython: tuple[int, ...] = ()
    chip: str | None = None
    keys: tuple[str, ...] = ()

    def words(self) -> str:
        """What runs, for people."""
        return self.installed.words() if self.installed else "?"

    def judges(self, sha: str) -> bool:
        """Whether it says why it does not run what has this hash."""
        return self.state in FAILURES and self.offer is not None and self.offer.sha == sha


def read(message: bytes | bytearray) -> Report:
    """Raises Unreadable, and nothing else, for whatever is there."""
    told = payload.read(message)
    state = told.get("state")
    if state not in STATES:
        raise Unreadable("no state of an update")
    version = told.get("micropython")
    numbers = version if isinstance(version, list) and len(version) <= 8 else []
    return Report(
        state=state,
        installed=_firmware(told.get("installed")),
        offer=_firmware(told.get("offer")),
        have=_whole(told.get("have"), _BYTES_MAX),
        of=_whole(told.get("of"), _BYTES_MAX),
        error=_text(told.get("error")),
        platform=_text(told.get("platform")),
        mpy=_whole(told.get("mpy"), 0xFFFF),
        micropython=tuple(number for one in numbers if (number := _whole(one, 9999)) is not None),
        chip=_text(told.get("chip")) or None,
        keys=_texts(told.get("keys")),
    )


def _firmware(told: Any) -> Firmware | None:
    if not isinstance(told, dict):
        return None
    return Firmware(
        version=_text(told.get("version")) or "?",
        counter=_whole(told.get("counter"), COUNTER_MAX),
        sha=_text(told.get("sha"))[:_SHA_DIGITS],
        attempt=_whole(told.get("attempt"), 255) or 0,
    )


def _texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) > KEYS_MAX:
        return ()
    return tuple(text for one in value if (text := _text(one)))


def _text(value: Any) -> str:
    return value[:_TEXT_MAX] if isinstance(value, str) else ""


def _whole(value: Any, most: int) -> int | None:
    found = payload.number(value, 0, most)
    return found if isinstance(found, int) else None
