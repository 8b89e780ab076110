"""What a message of a node is to a store: a reading, an event, or something that can't be read."""

from dataclasses import dataclass
from typing import Any

from fieldpost.messages import payload as any_payload
from fieldpost.store.opened import KEPT_BYTES
from fieldpost.store.rows import INTEGER_MAX, Event, Reading, Rejected, Row, in_order

# What is behind the node's name in its topics, and what it is called in a store.
EVENTS = {"status": "status", "health": "health", "cmd/result": "result", "update": "update"}
READINGS = "telemetry"
# A node's name has at most 32 characters.
NAME_MAX = 64
_OF_THE_READING = ("boot", "seq", "ts", "age_s")


@dataclass(frozen=True)
class Message:
    """As it arrived. received: Unix seconds. size: of all of it in bytes, where `payload` is the
    beginning alone of one that is too long to be read."""

    topic: str
    payload: bytes
    received: float
    size: int | None = None


class Reader:
    """Reads messages of nodes under `base`."""

    def __init__(self, base: str) -> None:
        self._prefix = f"{base}/"

    def topics(self) -> list[str]:
        """To subscribe to, the readings' first."""
        return [f"{self._prefix}+/{one}" for one in (READINGS, *EVENTS)]

    def read(self, message: Message) -> Row:
        """Never raises for what a stranger may publish."""
        try:
            node, kind = self._place(message.topic)
            if kind == READINGS:
                return _reading(node, message)
            return _event(node, EVENTS[kind], message)
        except any_payload.Unreadable as error:
            return rejected(message, str(error))

    def _place(self, topic: str) -> tuple[str, str]:
        if not topic.startswith(self._prefix):
            raise any_payload.Unreadable("it is under no topic of a node's")
        node, _, kind = topic.removeprefix(self._prefix).partition("/")
        if kind != READINGS and kind not in EVENTS:
            raise any_payload.Unreadable("it is under no topic of a node's")
        if not 1 <= len(node) <= NAME_MAX:
            raise any_payload.Unreadable("the node's name is too long, or there is none")
        if not node.isprintable():
            raise any_payload.Unreadable("the node's name is not printable")
        return node, kind


def rejected(message: Message, why: str) -> Rejected:
    """Kept for who wants to know what it was."""
    kept = message.payload[:KEPT_BYTES]
    topic = message.topic.replace("\0", "\ufffd")[:1000]
    size = len(message.payload) if message.size is None else message.size
    return Rejected(topic, message.received, kept, size, why)


def _reading(node: str, message: Message) -> Reading:
    told = any_payload.read(message.payload)
    values = {name: value for name, value in told.items() if name not in _OF_THE_READING}
    return Reading(
        node=node,
        boot=_number_of(told, "boot"),
        seq=_number_of(told, "seq"),
        ts=_seconds_of(told, "ts"),
        age_s=_seconds_of(told, "age_s"),
        received=message.received,
        payload=message.payload,
        fields=_as_text(values),
        values=values,
    )


def _event(node: str, kind: str, message: Message) -> Event:
    if not message.payload:  # What was retained has been cleared.
        return Event(node, kind, message.received, None)
    return Event(node, kind, message.received, _as_text(any_payload.read(message.payload)))


def _number_of(told: dict[str, Any], name: str) -> int:
    value = told.get(name)
    if type(value) is not int or not 0 <= value <= INTEGER_MAX:
        raise any_payload.Unreadable("boot or seq is missing, or no number")
    return value


def _seconds_of(told: dict[str, Any], name: str) -> int | None:
    value = told.get(name)
    if value is None:
        return None
    if type(value) not in (int, float) or not 0 <= value <= INTEGER_MAX / 2:
        raise any_payload.Unreadable(f"{name} is no number of seconds")
    return int(value)


def _as_text(values: dict[str, Any]) -> str:
    """JSON with its keys in order. What no database keeps in JSON, a NUL and half of a pair of
    surrogates, is replaced; the payload beside it has all."""
    text = in_order(values)
    if "\\u0000" in text or "\\ud" in text:
        text = in_order(_storable(values))
    return text


def _storable(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\0", "\ufffd").encode("utf-16", "replace").decode("utf-16")
    if isinstance(value, dict):
        return {_storable(name): _storable(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_storable(one) for one in value]
    return value
