"""A setting of a broker's that costs readings which it has acknowledged, or holds them back."""

from dataclasses import dataclass
from typing import Literal

Grade = Literal[
    "unreadable",  # no collector can read so
    "loses",
    "note",  # costs no reading that was acknowledged, but is worth knowing
]


@dataclass(frozen=True)
class Flaw:
    """setting: as the broker calls it. text: what it is, and what it costs. fix: what to do."""

    setting: str
    text: str
    fix: str
    grade: Grade = "loses"


def shown_s(seconds: float) -> str:
    """A length of time, for a sentence."""
    for unit, length_s in ("days", 86_400), ("hours", 3600), ("minutes", 60):
        if seconds >= 2 * length_s:
            return f"{seconds / length_s:.3g} {unit}"
    return f"{seconds:.3g} s"
