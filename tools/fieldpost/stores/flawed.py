"""Flaws of a cluster's settings, as this command reports them."""

from collections.abc import Iterable

from fieldpost.collect.sources.flaws import Flaw
from fieldpost.doctor.check import Check


def checked(flaws: Iterable[Flaw]) -> list[Check]:
    """A note stays one; all others lose readings, or never let them come."""
    return [
        Check(one.setting, "note" if one.grade == "note" else "missing", one.text, one.fix)
        for one in flaws
    ]
