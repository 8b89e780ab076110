"""Points and lengths of time, as they are typed."""

import re
import time
from datetime import datetime

from fieldpost.errors import Usage

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_LENGTH = re.compile(r"(\d{1,7})([smhdw])")


def length_s(text: str) -> int:
    """Seconds of 90s, 10m, 1h, 7d or 2w. Raises CommandError for another text."""
    found = _LENGTH.fullmatch(text)
    if not found or not int(found[1]):
        raise Usage(f"{text} is no length of time: write 90s, 10m, 1h, 7d or 2w")
    return int(found[1]) * _SECONDS[found[2]]


def age_s(text: str) -> int:
    """The same where less than a day makes no sense: a reading that is removed so soon could come
    a second time from its broker, and would be counted twice."""
    seconds = length_s(text)
    if seconds < _SECONDS["d"]:
        raise Usage(f"{text} is less than a day, and readings are kept for one at least")
    return seconds


def point_s(text: str, now_s: float | None = None) -> float:
    """Unix seconds of 2026-11-27T14:00 in this machine's zone, of one with an offset, or of a
    length of time, 7d, that is so long ago."""
    if _LENGTH.fullmatch(text):
        return (time.time() if now_s is None else now_s) - length_s(text)
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError, OSError):
        raise Usage(
            f"{text} is no point in time: write 2026-11-27, 2026-11-27T14:00, or 7d for a week ago"
        ) from None
