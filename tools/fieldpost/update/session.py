"""The connection of an update: what the broker keeps of the nodes, and what goes to and fro."""

import queue
import re
import sys
import time
from collections.abc import Callable, Sequence
from typing import Self

from fieldpost.errors import NoNode
from fieldpost.messages.arrivals import Arrivals
from fieldpost.mqtt import url as mqtt_url
from fieldpost.mqtt.client import Connection, Lost, Silent, check_topic
from fieldpost.mqtt.tls import ClientFiles
from fieldpost.terminal.wrapping import fit
from fieldpost.update import rollout
from fieldpost.update.node import Node
from fieldpost.update.rollout import HEARD, OFFER, Rollout

# As firmware/config/keys.py has it for the key `node`.
_NAME = re.compile(r"[a-z0-9_-]{1,32}")
_NODES_MAX = 10_000
# What is retained comes at once, behind the answer to the subscription.
_QUIET_S = 0.5
_GATHER_S = 10.0
_TICK_S = 0.25
# A broker that is restarted, or a network that is repaired.
_AWAY_S = 3600.0
# Of what nodes send at once, the rest is asked for again.
_WAITING_MAX = 10_000
_EVERY = "+"


class Session:
    """names: the nodes; None: all that the broker knows. Use it in a `with`.

    also: a topic below each node's to hear, for `on_also`. will: as of a Connection. `nodes`: in
    the order of `names`, or of the alphabet.
    """

    def __init__(
        self,
        names: Sequence[str] | None,
        *,
        broker: str = mqtt_url.DEFAULT_URL,
        base: str = "fieldpost",
        tls: ClientFiles | None = None,
        also: str | None = None,
        will: tuple[str, bytes] | None = None,
    ) -> None:
        self.nodes: list[Node] = []
        self._also = also
        self._heard = HEARD if also is None else (*HEARD, also)
        self._names = None if names is None else list(dict.fromkeys(names))
        self._base = base
        self._arrived = Arrivals(_WAITING_MAX)
        self._found: dict[str, Node] = {name: Node(name) for name in self._names or ()}
        self._is_again = False
        self._topics = [
            f"{base}/{name}/{topic}" for name in self._names or [_EVERY] for topic in self._heard
        ]
        for one in self._names or ():
            check_topic(f"{base}/{one}/{OFFER}")
        self._connection = Connection(
            mqtt_url.parse(broker, tls),
            on_message=self._arrived.put,
            on_connected=self._resubscribe,
            on_lost=_say_lost,
            will=will,
        )

    def __enter__(self) -> Self:
        self._connection.open()
        try:
            for one in self._topics:
                self._connection.subscribe(one, 1)
            self._gather()
        except BaseException:
            self._connection.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def publish(self, node: str, topic: str, message: bytes, is_kept: bool) -> None:
        """An offer with QoS 1, a piece with QoS 0. What a broken connection swallows is asked for
        again, or offered again."""
        if not self._send(f"{self._base}/{node}/{topic}", message, is_kept):
            self._is_again = self._is_again or is_kept

    def keep(self, topic: str, message: bytes) -> bool:
        """Publish what the broker is to keep, with QoS 1: whether it has it."""
        return self._send(topic, message, is_kept=True)

    def run(
        self,
        wanted: Rollout,
        on_step: Callable[[], None],
        on_again: Callable[[], None] = lambda: None,
        on_also: Callable[[str, bytes], None] = lambda name, message: None,
    ) -> None:
        """Until it is over. on_step: called a few times a second. on_again: after a new
        connection. on_also: told of a node's name and of what came under `also`. Raises
        CommandError if the broker stays away."""
        wanted.begin(time.monotonic())
        there_at = time.monotonic()
        while not wanted.is_over():
            on_step()
            if self._connection.is_lost():
                if time.monotonic() - there_at > _AWAY_S:
                    raise Lost("the broker stays away. Nodes keep what they have")
                time.sleep(_TICK_S)
                continue
            there_at = time.monotonic()
            if self._is_again:
                self._is_again = False
                wanted.repeat_offers(there_at)
                on_again()
            wanted.step(there_at)
            end = time.monotonic() + _TICK_S
            while found := self._next(end - time.monotonic()):
                name, topic, message, is_kept = found
                if topic != self._also:
                    wanted.hear(name, topic, message, is_kept=is_kept, now=time.monotonic())
                elif not is_kept:
                    on_also(name, message)
                if time.monotonic() > end:
                    break
        on_step()

    def _send(self, topic: str, message: bytes, is_kept: bool) -> bool:
        try:
            self._connection.publish(topic, message, qos=int(is_kept), retain=is_kept)
        except (Lost, Silent):
            return False
        return True

    def _gather(self) -> None:
        end = time.monotonic() + _GATHER_S
        while time.monotonic() < end and (found := self._next(_QUIET_S)):
            name, topic, message, is_kept = found
            if self._names is None and _NAME.fullmatch(name) and len(self._found) < _NODES_MAX:
                self._found.setdefault(name, Node(name))
            if name in self._found:
                rollout.hear(
                    self._found[name], topic, message, is_kept=is_kept, now=time.monotonic()
                )
        found_names = sorted(self._found) if self._names is None else self._names
        self.nodes = [
            self._found[name] for name in found_names if self._names or self._found[name].known
        ]
        unknown = [one.name for one in self.nodes if not one.known]
        if unknown:
            raise NoNode(
                f"no node {', '.join(unknown)} has ever reported to this broker: is the name "
                "right?"
            )
        if not self.nodes:
            raise NoNode("no node has ever reported to this broker")

    def _next(self, limit_s: float) -> tuple[str, str, bytes, bool] | None:
        """(node, topic below it, message, whether the broker kept it); None: nothing came."""
        end = time.monotonic() + max(limit_s, 0.0)
        while True:
            try:
                message = self._arrived.get(timeout=max(end - time.monotonic(), 0.0))
            except queue.Empty:
                return None
            begin = self._base + "/"
            if message.topic.startswith(begin):
                name, _, topic = message.topic.removeprefix(begin).partition("/")
                if topic in self._heard:
                    return name, topic, bytes(message.payload), bool(message.retain)

    def _resubscribe(self) -> None:
        # Called at the first connection, too, before there is anything to repeat.
        if self.nodes:
            for one in self._topics:
                self._connection.resubscribe(one, 1)
            self._is_again = True


def _say_lost(reason: str) -> None:
    print(fit(f"connection lost: {reason}", sys.stderr), file=sys.stderr)
