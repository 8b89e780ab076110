"""What is published under a node's topics is shown or counted as unreadable, and harms nothing."""

from __future__ import annotations

import io
import json
import queue
import random
import time
import tracemalloc
from typing import Any

import pytest
from paho.mqtt.client import MQTTMessage

from fieldpost.demo.state import DemoState
from fieldpost.errors import CommandError
from fieldpost.messages import cmd, dialogue, patience, payload, verify
from fieldpost.messages.arrivals import Arrivals
from fieldpost.messages.telemetry import Verifier
from fieldpost.monitor.events import TEXT_MAX, Event, Events
from fieldpost.monitor.screen import Screen
from fieldpost.monitor.sources import MqttSource
from fieldpost.mqtt.url import BrokerAddress

_NUMBERS = ["1e30", "-1e30", "1e999", "NaN", "Infinity", "-Infinity", "9" * 400, "9" * 5000]
_NUMBERS += ["-0", "true", "null", str(2**63), str(2**63 - 1), str(-(2**63)), "1e308", "0.5"]
_TEXTS = ['""', '"\\u001b[2J"', '"\\ud800"', '"\\u202e"', '"asleep"', '"online"', '"x\\n"']
_NESTS = ["[" * 2000, "[" * 900 + "]" * 900, '{"a":' * 900 + "1" + "}" * 900, "{}", "[]", "[1,{}]"]
_KEYS = [
    *("state", "until", "for_s", "id", "ok", "error", "boot", "seq", "ts", "age_s", "uptime_s"),
    *("do", "reset", "rssi", "crash", "dropped", "sensor_errors", "temperature"),
]
_KINDS = ["telemetry", "status", "health", "cmd", "cmd/result", "x"]


def hostile(rng: random.Random) -> bytes:
    values = _NUMBERS + _TEXTS + _NESTS
    if rng.random() < 0.2:
        return rng.choice([*values, "", "\0", "{", "}" * 100]).encode()
    if rng.random() < 0.1:
        return rng.randbytes(rng.randrange(200))
    fields = [f'"{rng.choice(_KEYS)}":{rng.choice(values)}' for _ in range(rng.randrange(1, 6))]
    return ("{" + ",".join(fields) + "}").encode()


def message(topic: str, data: bytes, retain: bool = False) -> MQTTMessage:
    made = MQTTMessage(topic=topic.encode())
    made.payload = data
    made.retain = retain
    return made


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"\xff", "UTF-8"),
        (b"", "not JSON"),
        (b"7", "object"),
        (b"[" * 2000, "nested"),
        (b'{"a":' * 40 + b"1" + b"}" * 40, "nested"),
        (b'{"a":NaN}', "NaN"),
        (b'{"a":1e400}', "too large"),
        (b'{"a":' + b"9" * 400 + b"}", "too large"),
        (b'{"a":' + b"9" * 5000 + b"}", "too large"),
        (b'{"a":"' + b"x" * 70_000 + b'"}', "longer"),
    ],
)
def test_what_no_node_sends_is_unreadable_with_a_reason(text: bytes, why: str) -> None:
    with pytest.raises(payload.Unreadable, match=why):
        payload.read(text)


def test_what_nodes_send_is_read() -> None:
    told = {"id": "1", "ok": True, "log": ["a", "\U0001f600"], "value": {"a": [{"b": [1, -2.5]}]}}
    assert payload.read(json.dumps(told).encode()) == told


@pytest.mark.parametrize("seed", range(20))
def test_any_payload_is_shown_or_counted_by_every_command(
    seed: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = random.Random(seed)
    verifier, state = Verifier(), DemoState("b", "mqtt://h", "n", "")
    file = io.StringIO()
    screen = Screen("fieldpost", None, file, 100)
    for n in range(60):
        data, topic = hostile(rng), f"fieldpost/n/{rng.choice(_KINDS)}"
        verdict = verifier.feed("fieldpost/n/telemetry", data)
        verify._print(verdict, data, as_json=bool(n % 2))
        before = file.tell()
        screen.show(Event("mqtt", data.decode(errors="replace"), topic, at=1.8e9))
        assert file.tell() > before
        state.broker_sent(topic.replace("/n/", "/demo/"), data)
        try:
            status = payload.read(data)
        except payload.Unreadable:
            continue
        assert 0 <= patience.of_status("n", status, 0)[0] < 1e8
    verify._account(verifier, as_json=False)
    assert sum(verifier.totals.values()) == 60
    shown = file.getvalue() + capsys.readouterr().out
    assert not [c for c in shown if not c.isprintable() and c != "\n"]


class Broker:
    """Stands in for a connection: delivers `script` when a command was published."""

    script: list[tuple[str, bytes, bool]] = []
    sent: list[bytes] = []

    def __init__(self, address: BrokerAddress, on_message: Any, **_: Any) -> None:
        self._on_message = on_message

    def open(self) -> None:
        for topic, data, retain in self.script:
            self._on_message(message("fieldpost/n/" + topic, data, retain))

    def subscribe(self, topic: str, qos: int) -> None:
        pass

    def publish(self, topic: str, data: bytes, qos: int, retain: bool) -> None:
        self.sent.append(data)

    def close(self) -> None:
        pass


def asleep(for_s: float) -> bytes:
    return json.dumps({"state": "asleep", "for_s": for_s}).encode()


@pytest.mark.parametrize(
    "status", [b'{"state":"asleep","until":1e30}', b'{"state":"asleep","until":[1]}', b"[" * 2000]
)
def test_cmd_ends_in_words_for_a_status_that_cannot_be(
    status: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dialogue, "Connection", Broker)
    monkeypatch.setattr(patience, "TIMEOUT_S", 0.05)
    monkeypatch.setattr(patience, "_OVERDUE_S", 0.1)
    monkeypatch.setattr(Broker, "script", [("status", status, True)])
    with pytest.raises(CommandError, match="did not answer"):
        cmd.send("n", "log", {})


def test_cmd_takes_what_a_broker_sends_unasked_of_another_node_for_no_word_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dialogue, "Connection", Broker)
    monkeypatch.setattr(patience, "TIMEOUT_S", 0.05)
    monkeypatch.setattr(Broker, "script", [("status", asleep(5000), True)])
    with pytest.raises(CommandError, match="no node m has ever reported"):
        cmd.send("m", "log", {})


def test_cmd_to_a_sleeper_that_never_got_it_ends_after_the_wakes_that_it_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    wakes = [("status", asleep(5000), False)] * 3
    monkeypatch.setattr(dialogue, "Connection", Broker)
    monkeypatch.setattr(patience, "TIMEOUT_S", 0.2)
    monkeypatch.setattr(Broker, "script", [("status", asleep(5000), True), *wakes])
    began = time.monotonic()
    with pytest.raises(CommandError, match="woke 3 times without an answer"):
        cmd.send("n", "log", {})
    assert time.monotonic() - began < 5
    first, *_, last = capsys.readouterr().err.splitlines()
    assert "3 wakes of it at most" in first and "1 wake of it at most" in last


def test_cmd_sends_the_characters_themselves_for_a_board_joins_no_escapes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dialogue, "Connection", Broker)
    monkeypatch.setattr(patience, "TIMEOUT_S", 0.05)
    monkeypatch.setattr(Broker, "sent", [])
    place = "K\u00fcche \U0001f600"
    with pytest.raises(CommandError, match="no node"):
        cmd.send("n", "set", cmd.parse_arguments(["key=mqtt.base", f"value={place}"]))
    (sent,) = Broker.sent
    assert place.encode() in sent
    with pytest.raises(CommandError, match="no text in UTF-8"):
        cmd.send("n", "set", {"value": "\ud83d"})


def test_a_payload_of_any_size_is_cut_for_the_monitor() -> None:
    events = Events()
    source = MqttSource(BrokerAddress("h"), "#", events)
    source._arrived(message("t" * 60_000, b"x" * 5_000_000))
    event = events.get(1)
    assert event and len(event.text) < TEXT_MAX + 100 and "5000000 bytes" in event.text
    assert len(event.topic) == 1000


def test_messages_that_nobody_reads_are_counted_and_take_bounded_memory() -> None:
    arrived = Arrivals(bytes_max=1_000_000)
    tracemalloc.start()
    try:
        for n in range(300):
            arrived.put(message("t", bytes([n % 256]) * 100_000))
        assert tracemalloc.get_traced_memory()[0] < 2_000_000
    finally:
        tracemalloc.stop()
    waiting = 300 - arrived.missed
    assert 5 <= waiting <= 10
    assert [arrived.get(1).payload[0] for _ in range(waiting)] == list(range(waiting))
    with pytest.raises(queue.Empty):
        arrived.get(0.01)
