"""Gives nodes the pieces that they ask for: for `fieldpost update`, and for whatever else serves.

Whoever may publish in a node's name may ask for anything. Only what a node was offered is given,
never faster than any board could write it, and not without an end.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from fieldpost.messages import payload
from fieldpost.release.folder import Artefact

# What a node asks for at once, and how long a piece is.
ASKED_MAX = 4
PIECE_MAX = 2048
_ASK_BYTES_MAX = 512
# A board writes some 40 kB/s to its flash.
_PIECES_PER_S = 200.0
_BURST = 64.0
# Each byte so often: a lossy Wi-Fi takes some twice.
_TIMES_MAX = 20


@dataclass
class _Offered:
    artefact: Artefact
    given: int = 0
    reached: int = 0
    spare: float = _BURST
    refilled: float = 0.0


class Pieces:
    """What was offered to whom. now: as time.monotonic."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._offered: dict[str, _Offered] = {}
        self.refused = 0

    def offer(self, node: str, artefact: Artefact) -> None:
        """From now on, this node may ask for that."""
        self._offered[node] = _Offered(artefact, refilled=self._now())

    def withdraw(self, node: str) -> None:
        """It may no longer."""
        self._offered.pop(node, None)

    def reached(self, node: str) -> int:
        """How many bytes into it the node has asked."""
        found = self._offered.get(node)
        return found.reached if found else 0

    def exhausted(self, node: str) -> bool:
        """Whether it has had every byte so often that it is given no more."""
        found = self._offered.get(node)
        return found is not None and found.given > _TIMES_MAX * len(found.artefact.data)

    def answer(self, node: str, ask: bytes) -> list[bytes]:
        """The messages for `…/update/piece`, in the order in which they were asked for; [] for
        what is not to be answered."""
        found = self._offered.get(node)
        wanted = _read(ask, found.artefact) if found else None
        if not found or wanted is None or self.exhausted(node):
            self.refused += 1
            return []
        return [one for part in wanted if (one := self._piece(found, *part))]

    def _piece(self, found: _Offered, offset: int, size: int) -> bytes | None:
        now = self._now()
        found.spare = min(_BURST, found.spare + (now - found.refilled) * _PIECES_PER_S)
        found.refilled = now
        if found.spare < 1:
            self.refused += 1
            return None
        found.spare -= 1
        data = found.artefact.data[offset : offset + size]
        found.given += len(data)
        found.reached = max(found.reached, offset + len(data))
        head = bytes.fromhex(found.artefact.manifest.sha16) + offset.to_bytes(4, "little")
        return head + data


def _read(ask: bytes, artefact: Artefact) -> list[tuple[int, int]] | None:
    """(offset, size) of each piece; None if it is not about this, or out of its bounds."""
    if len(ask) > _ASK_BYTES_MAX:
        return None
    try:
        told = payload.read(ask)
    except payload.Unreadable:
        return None
    wanted = told.get("at")
    if told.get("sha") != artefact.manifest.sha16 or not isinstance(wanted, list):
        return None
    if not 0 < len(wanted) <= ASKED_MAX:
        return None
    found = []
    for one in wanted:
        if not isinstance(one, list) or len(one) != 2:
            return None
        offset = payload.number(one[0], 0, len(artefact.data) - 1)
        size = payload.number(one[1], 1, PIECE_MAX)
        if not isinstance(offset, int) or not isinstance(size, int):
            return None
        found.append((offset, size))
    return found
