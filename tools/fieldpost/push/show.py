"""What a push is about to change, in words."""

from typing import TYPE_CHECKING

from fieldpost.node_start.tell import say

if TYPE_CHECKING:
    from fieldpost.config.changes import Change


def differences(told: "list[Change]", cautions: list[str], what: str) -> None:
    """A line for each key, then what may be wrong. what: "board" or "node"."""
    for one in told:
        say(f"  {one}")
    if not told:
        say(f"  nothing to change: the {what} has all of it")
    for text in cautions:
        say(f"  note: {text}")
