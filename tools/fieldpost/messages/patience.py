"""How long the answer of one node is waited for, and what is said of that meanwhile."""

import sys
import time
from typing import Any

from fieldpost.messages import payload
from fieldpost.mqtt.client import TIMEOUT_S
from fieldpost.terminal.wrapping import fit

# Beyond the time that a sleeping node has announced: it may have had to try again.
_OVERDUE_S = 60.0
# A sleeper that goes back to sleep so often without an answer has not got the command. Not once:
# it may have been awake, and done with listening, when the command was sent; and the verdict on a
# setting on trial comes one wake later.
WAKES_MAX = 3
# No node sleeps longer: sample_s and deliver_every at their largest.
_SLEEP_MAX_S = 86_400 * 1000
# After a word of the node its answer comes at once, if at all; nothing is to be said before that.
_ANSWER_S = 1.5


class Patience:
    """timeout_s: what the user has said; None: as long as the node's own status says.

    `wakes`: of a sleeper, in vain.
    """

    def __init__(self, node: str, timeout_s: float | None) -> None:
        now = time.monotonic()
        self.wakes = 0
        self._end = now + (timeout_s or TIMEOUT_S)
        self._node = node
        self._timeout_s = timeout_s
        self._text = ""  # yet to be said
        self._say_at = now

    def left_s(self) -> float:
        """Seconds until there is something to say, or until the end; 0: it is over."""
        now = time.monotonic()
        if self._text and now >= self._say_at:
            self._say()
        return max(min(self._end, self._say_at if self._text else self._end) - now, 0.0)

    def answered(self) -> None:
        """One of several answers has come: the next has all of its time."""
        self._end = max(self._end, time.monotonic() + (self._timeout_s or TIMEOUT_S))

    def goes_on(self, status: dict[str, Any]) -> None:
        """That status is of a node that has answered just now."""
        self._wait_for(status)
        self._say_at = time.monotonic() + _ANSWER_S

    def hear(self, status: dict[str, Any], is_retained: bool) -> None:
        """The node has said, or the broker has kept, that status."""
        self._say()
        if status.get("state") == "asleep" and not is_retained:
            self.wakes += 1
        if self.wakes >= WAKES_MAX and self._timeout_s is None:
            # An answer of this wake is on its way by now.
            self._end = min(self._end, time.monotonic() + TIMEOUT_S)
            return
        self._wait_for(status)
        self._say_at = time.monotonic() + (0.0 if is_retained else _ANSWER_S)
        if is_retained:
            self._say()

    def _wait_for(self, status: dict[str, Any]) -> None:
        patience_s, self._text = of_status(self._node, status, self.wakes, self._timeout_s)
        if self._timeout_s is None:
            self._end = max(self._end, time.monotonic() + patience_s)

    def _say(self) -> None:
        if self._text:
            print(fit(self._text, sys.stderr), file=sys.stderr)
            self._text = ""


def of_status(
    node: str, status: dict[str, Any], wakes: int, timeout_s: float | None = None
) -> tuple[float, str]:
    """How long to wait for a node in this state, and words for it, if it needs any."""
    if status.get("state") == "offline":
        limit_s = timeout_s or TIMEOUT_S
        return 0.0, f"{node} is offline now: waiting {limit_s:g} s, in case it comes back"
    if status.get("state") != "asleep":
        return 0.0, ""
    left_s = _sleep_s(status)
    if left_s is None:
        return _OVERDUE_S, f"{node} is asleep, and names no time to wake that can be"
    due = "now" if left_s <= 0 else f"in {left_s:.0f} s"
    left = "1 wake" if wakes + 1 == WAKES_MAX else f"{WAKES_MAX - wakes} wakes"
    limit = f"{left} of it at most, and for each until it is {_OVERDUE_S:.0f} s late"
    if timeout_s is not None:
        limit = f"{timeout_s:g} s"
    text = f"{node} is asleep, and due {due}: waiting for {limit} (Ctrl-C ends)"
    return left_s + _OVERDUE_S, text


def _sleep_s(status: dict[str, Any]) -> float | None:
    """For how long the node that said this sleeps on; None: it names no time that can be."""
    now = time.time()
    if status.get("until") is None:
        return payload.number(status.get("for_s", 0), 0, _SLEEP_MAX_S)
    until = payload.number(status["until"], 0, now + _SLEEP_MAX_S)
    return None if until is None else max(until - now, 0.0)
