"""Commands from the page to nodes. The answer comes as every event of a node's: by the store.

Nobody waits here. A node that sleeps finds its command at its next delivery, hours later perhaps.
A node that has just connected may have missed what was sent before, so it is told again; by the
id nothing is done twice.
"""

import json
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from fieldpost.errors import CommandError, Usage
from fieldpost.messages.dialogue import Question
from fieldpost.mqtt.client import Connection
from fieldpost.mqtt.url import BrokerAddress
from fieldpost.store.rows import Event, Row

# What the page has a button for. The rest is for `fieldpost cmd`, where more is typed.
DOES = ("identify", "sample", "deliver", "restart", "set")
_FRESH = ("online", "safe_mode")
_WAITING_MAX = 200
_WAITS_S = 86_400.0
_DIAL_S = 5.0


@dataclass
class _Asked:
    node: str
    question: Question
    at: float


class Commands:
    """Sends what is asked for to nodes under `base`. `note`: rows that came into the store."""

    def __init__(
        self, address: BrokerAddress, base: str, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._address = address
        self._base = base
        self._now = now
        self._lock = threading.Lock()
        # Of its own: a broker that does not answer holds up no collector that notes its rows.
        self._dialling = threading.Lock()
        self._connection: Connection | None = None
        self._waiting: dict[str, _Asked] = {}
        self._again: list[_Asked] = []
        self._has_again = threading.Event()
        self._is_closed = False
        threading.Thread(target=self._tell_again, daemon=True).start()

    def ask(self, node: str, do: str, arguments: dict[str, Any]) -> str:
        """Send it; the id that its answer will have. Raises CommandError if that can't be done."""
        if do not in DOES:
            raise Usage(f"the page sends no {do[:40]}: fieldpost cmd does")
        if any(one in node for one in "/+#\0") or not node:
            raise Usage("no node has such a name")
        asked = _Asked(node, Question(do, arguments), self._now())
        asked.question.payload()
        self._send(asked)
        with self._lock:
            self._forget_old()
            self._waiting[asked.question.name] = asked
        return asked.question.name

    def note(self, rows: Iterable[Row]) -> None:
        """From any thread, and at once."""
        for row in rows:
            if not isinstance(row, Event) or row.kind not in ("status", "result") or not row.body:
                continue
            told = json.loads(row.body)
            with self._lock:
                if row.kind == "result":
                    name = told.get("id")
                    self._waiting.pop(name if isinstance(name, str) else "", None)
                elif told.get("state") in _FRESH:
                    self._again += [one for one in self._waiting.values() if one.node == row.node]
            self._has_again.set()

    def close(self) -> None:
        """Never raises."""
        self._is_closed = True
        self._has_again.set()
        if self._connection:
            self._connection.close()

    def _tell_again(self) -> None:
        while not self._is_closed:
            self._has_again.wait()
            self._has_again.clear()
            with self._lock:
                asked, self._again = self._again, []
            for one in asked:
                try:
                    self._send(one)
                except CommandError:
                    pass  # The node connects again, too, and then it is told.

    def _send(self, asked: _Asked) -> None:
        topic = f"{self._base}/{asked.node}/cmd"
        self._open().publish(topic, asked.question.payload(), qos=1, retain=False)

    def _open(self) -> Connection:
        with self._dialling:
            if self._connection is None:
                connection = Connection(self._address, retry_s=1.0)
                connection.open(_DIAL_S)
                self._connection = connection
            return self._connection

    def _forget_old(self) -> None:
        now = self._now()
        kept = [one for one in self._waiting.values() if now - one.at < _WAITS_S]
        self._waiting = {one.question.name: one for one in kept[-_WAITING_MAX + 1 :]}
