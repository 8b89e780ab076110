"""The messages of NATS that are here and not acknowledged, and where each is acknowledged."""

import itertools
import time
from collections.abc import Iterable
from dataclasses import dataclass

# Which message of the stream it is: its number there, and its time.
_Key = tuple[str, str]


@dataclass
class _Message:
    key: _Key
    reply: str
    since: float


class Held:
    """By numbers of our own. A message that comes again, as the server has forgotten that it is
    here, is known."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._messages: dict[int, _Message] = {}
        self._number_of: dict[_Key, int] = {}

    def __len__(self) -> int:
        return len(self._messages)

    def add(self, reply: str) -> int | None:
        """The number of a message with this subject for its acknowledgement; None if it is here
        already."""
        key = _key(reply)
        number = self._number_of.get(key)
        if number is not None:
            self._messages[number].reply = reply
            return None
        number = next(self._numbers)
        self._number_of[key] = number
        self._messages[number] = _Message(key, reply, time.monotonic())
        return number

    def replies(self, numbers: Iterable[int]) -> list[str]:
        """Of those that are here."""
        return [self._messages[one].reply for one in numbers if one in self._messages]

    def older(self, age_s: float = 0.0) -> list[str]:
        """The replies of those that have been here for so long."""
        before = time.monotonic() - age_s
        return [one.reply for one in self._messages.values() if one.since <= before]

    def remove(self, number: int) -> None:
        """It is done with. One that is not here is none."""
        message = self._messages.pop(number, None)
        if message:
            del self._number_of[message.key]


def _key(reply: str) -> _Key:
    """In either form of $JS.ACK: without, and with a domain and an account."""
    parts = reply.split(".")
    at = 5 if len(parts) == 9 else 7
    return parts[at], parts[at + 2]
