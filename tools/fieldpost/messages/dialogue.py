"""Commands to one node and its answers, with the patience that a node asks for that sleeps.

The broker keeps a command for a node that sleeps, in the node's persistent session; how long to
wait for the answer its own status says. A node that has just connected may have missed what was
sent before: it is told again, and by its `id` nothing is done twice.
"""

import collections
import json
import queue
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from paho.mqtt.client import MQTTMessage

from fieldpost.errors import CommandError, NoNode, Usage
from fieldpost.messages import payload
from fieldpost.messages.arrivals import Arrivals
from fieldpost.messages.patience import WAKES_MAX, Patience
from fieldpost.mqtt import url as mqtt_url
from fieldpost.mqtt.client import TIMEOUT_S, Connection
from fieldpost.mqtt.tls import ClientFiles

# States of a node that begins each session afresh.
_FRESH = ("online", "safe_mode")
# What a node takes; of more it keeps nothing, and its refusal cannot say which command it was.
BYTES_MAX = 512
# Of what may wait in a node's inbox, which takes eight: others may send commands, too.
_SENT_MAX = 6
_SIZE_MAX = 65_536
# What a node's refusal ends with that will take the same command a moment later: the one before is
# about to end its connection, or flash did not answer.
_AGAIN = ": send it again"
_AGAIN_MAX = 3
_AGAIN_AFTER_S = 1.0
_READINGS_MAX = 1000


class Unanswered(CommandError):
    """The node did not answer in time."""

    code = "node_silent"


class Senseless(CommandError):
    """What the node says makes no sense."""

    code = "node_senseless"


class Refused(CommandError):
    """The node has refused a command, in its own words."""

    code = "node_refused"


@dataclass
class Question:
    """One command, and what the node has answered; `name` is its id. `is_sent`: perhaps not yet
    taken by the broker. `repeated`: how often the node has asked for it again."""

    do: str
    arguments: dict[str, Any]
    name: str = field(default_factory=lambda: secrets.token_hex(4))
    answers: list[dict[str, Any]] = field(default_factory=list)
    is_sent: bool = False
    repeated: int = 0

    def payload(self) -> bytes:
        """As it is sent. Raises CommandError if no node can take it."""
        told = {"id": self.name, "do": self.do, **self.arguments}
        try:
            # The characters themselves: the board does not join a pair of \\u escapes to one.
            asked = json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()
        except UnicodeEncodeError:
            raise Usage("the command has a character that is no text in UTF-8") from None
        if len(asked) > BYTES_MAX:
            raise Usage(
                f"the command has {len(asked)} bytes, and a node takes {BYTES_MAX}: a longer "
                "setting goes to it in parts, by fieldpost config push --node"
            )
        return asked

    def is_answered(self) -> bool:
        """Whether the answer is there; of one in pieces, the last of them."""
        return self.answer() is not None

    def answer(self) -> dict[str, Any] | None:
        """The answer, with the `value` that its pieces make. None: it is not all there."""
        if not self.answers or not _is_piece(self.answers[0]):
            return self.answers[0] if self.answers else None
        first = self.answers[0]
        text = ""
        for one in sorted(filter(_is_piece, self.answers), key=lambda one: one["at"]):
            if one["at"] == len(text):
                text += one["text"]
        if len(text) < first["size"]:
            return None
        try:
            value: Any = payload.read(text)
        except payload.Unreadable as error:
            raise Senseless(f"what the node has told of itself is {error}") from None
        about = {key: one for key, one in first.items() if key not in ("at", "size", "text")}
        return {**about, "value": value}


def _is_piece(answer: dict[str, Any]) -> bool:
    numbers = (payload.number(answer.get(key), 0, _SIZE_MAX) for key in ("at", "size"))
    return None not in numbers and isinstance(answer.get("text"), str)


def _is_to_repeat(question: Question) -> bool:
    if question.repeated == _AGAIN_MAX or len(question.answers) != 1:
        return False
    (answer,) = question.answers
    return answer.get("ok") is False and str(answer.get("error")).endswith(_AGAIN)


class Dialogue:
    """A connection for the commands to `node`, to be used in a `with`.

    timeout_s: for each call of `ask`. None waits 10 s for a node that is awake; for one that
    sleeps, until it has woken WAKES_MAX times without an answer, or is _OVERDUE_S late.
    also: more topics of the node's to hear. `status`, `health`: the last that it said, None: not
    heard. `readings`: the last that came, oldest first, if `also` has "telemetry".
    """

    def __init__(
        self,
        node: str,
        *,
        broker: str = mqtt_url.DEFAULT_URL,
        base: str = "fieldpost",
        timeout_s: float | None = None,
        tls: ClientFiles | None = None,
        also: Sequence[str] = (),
    ) -> None:
        self.node = node
        self.status: dict[str, Any] | None = None
        self.health: dict[str, Any] | None = None
        self.readings: collections.deque[dict[str, Any]] = collections.deque(maxlen=_READINGS_MAX)
        self._root = f"{base}/{node}/"
        self._topics = [self._root + name for name in ("status", "cmd/result", *also)]
        self.timeout_s = timeout_s
        self._arrived = Arrivals()
        self._unreadable = 0
        self._is_known = self._has_kept = False
        self._asked: dict[str, Question] = {}
        self._sent: list[Question] = []
        self.address = mqtt_url.parse(broker, tls)
        self._connection = Connection(
            self.address,
            on_message=self._arrived.put,
            on_connected=self._resubscribe,
            timeout_s=min(timeout_s or TIMEOUT_S, TIMEOUT_S),
        )

    def __enter__(self) -> Self:
        self._connection.open()
        try:
            for one in self._topics:
                self._connection.subscribe(one, 1)
        except BaseException:
            self._connection.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def hear(self, until: Callable[[], bool], limit_s: float) -> bool:
        """Listen until that is so; False if it is not within `limit_s`."""
        end = time.monotonic() + limit_s
        while not until():
            if (left_s := end - time.monotonic()) <= 0 or not self._hear(left_s, None):
                return until()
        return True

    def ask(self, *questions: Question) -> list[dict[str, Any]]:
        """The answers, in the order of the questions. Raises Unanswered without all of them."""
        waiting = list(questions)
        for one in waiting:
            one.payload()  # What no node can take is said before anything is sent.
            self._asked[one.name] = one
        self._sent = []
        patience = Patience(self.node, self.timeout_s)
        if self.status:
            patience.goes_on(self.status)
        while True:
            self._sent = [one for one in self._sent if not one.is_answered()]
            while waiting and len(self._sent) < _SENT_MAX:
                self._sent.append(waiting.pop(0))
                self._publish(self._sent[-1])
            if not self._sent:
                return [one.answer() or {} for one in questions]
            left_s = patience.left_s()
            if not left_s:
                raise self._unanswered(patience)
            before = sum(len(one.answers) for one in self._sent)
            self._hear(left_s, patience)
            if sum(len(one.answers) for one in self._sent) > before:
                patience.answered()
            self._repeat()

    def _repeat(self) -> None:
        """Send again what the node has asked for again."""
        again = [one for one in self._sent if _is_to_repeat(one)]
        if again:
            # By then the node has had the acknowledgement for which it keeps the connection.
            time.sleep(_AGAIN_AFTER_S)
        for one in again:
            one.answers.clear()
            one.repeated += 1
            self._publish(one)

    def _hear(self, limit_s: float, patience: Patience | None) -> bool:
        """Take one message; False if none came."""
        try:
            message = self._arrived.get(timeout=limit_s)
        except queue.Empty:
            return False
        # amqtt hands a new client what is retained for others, too.
        if message.topic in self._topics:
            self._take(message, message.topic.removeprefix(self._root), patience)
        return True

    def _take(self, message: MQTTMessage, name: str, patience: Patience | None) -> None:
        self._is_known = self._is_known or name == "status"
        try:
            told = payload.read(message.payload)
        except payload.Unreadable:
            self._unreadable += 1
            return
        if name == "health":
            self.health = told
        elif name == "telemetry":
            if not message.retain:
                self.readings.append(told)
        elif name == "status":
            self.status = told
            if not message.retain and told.get("state") in _FRESH:
                for one in self._sent:
                    self._publish(one)
            # What is retained comes once; a node that is believed each time is waited for without
            # an end.
            is_again = bool(message.retain and self._has_kept)
            self._has_kept = self._has_kept or bool(message.retain)
            if patience and not is_again:
                patience.hear(told, bool(message.retain))
        elif isinstance(told.get("id"), str) and told["id"] in self._asked:
            self._asked[told["id"]].answers.append(told)

    def tell(self, question: Question) -> None:
        """Send it, and wait for no answer."""
        self._publish(question)

    def _publish(self, question: Question) -> None:
        question.is_sent = True
        self._connection.publish(self._root + "cmd", question.payload(), qos=1, retain=False)

    def _resubscribe(self) -> None:
        for one in self._topics:
            self._connection.resubscribe(one, 1)

    def _unanswered(self, patience: Patience) -> CommandError:
        node = self.node
        if not self._is_known:
            return NoNode(f"no node {node} has ever reported to this broker: is the name right?")
        count = self._unreadable
        noise = f" ({count} messages in its name could not be read)" if count else ""
        if patience.wakes >= WAKES_MAX:
            return Unanswered(
                f"{node} woke {patience.wakes} times without an answer{noise}: this broker may "
                "keep nothing for a node that is away, or the node takes no commands. Send the "
                "command again, or wait longer with --timeout SECONDS"
            )
        return Unanswered(
            f"{node} did not answer{noise}; it may do so yet, on {self._root}cmd/result"
        )
