"""What a collector needs of whatever it reads from."""

from collections.abc import Sequence
from typing import Protocol

from fieldpost.collect.intake import Receipt


class Source(Protocol):
    """It lasts over connections. What arrives goes into an intake, and nothing is acknowledged
    before `acknowledge` has been told that it is stored; what was not comes again.

    It reads nothing more while the intake has no room. What it has to say to the user it says
    through a function that it was given.

    is_connected: to a broker. unnamed: messages whose topics are no text in UTF-8.
    """

    is_connected: bool
    unnamed: int

    def open(self) -> None:
        """Connect, and ask for what is to come. Raises CommandError if that is not to be had."""
        ...

    def run(self) -> None:
        """Read and acknowledge until `stop`, over all connections that it takes. To be called in a
        thread of its own. Raises CommandError if it never will again."""
        ...

    def acknowledge(self, receipts: Sequence[Receipt]) -> None:
        """What they stand for is stored. From any thread."""
        ...

    def hold(self) -> None:
        """Read nothing more. From any thread."""
        ...

    def stop(self) -> None:
        """End `run`. From any thread."""
        ...

    def close(self) -> None:
        """Send what is to be acknowledged, and say goodbye. After `run` has ended, or without it.
        Never raises."""
        ...
