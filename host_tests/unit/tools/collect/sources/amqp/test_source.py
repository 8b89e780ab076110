"""A collector at what is no RabbitMQ, or not one that lets it in: what it says, and when."""

from __future__ import annotations

import importlib.util
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from fieldpost.collect.intake import Arrival, Intake, Receipt
from fieldpost.collect.message import Message, Reader, rejected
from fieldpost.collect.sources import choose
from fieldpost.collect.sources.address import ClusterAddress, parse
from fieldpost.collect.sources.amqp import source as amqp
from fieldpost.collect.sources.amqp.source import AmqpSource
from fieldpost.errors import CommandError


def source(url: str, intake: Intake | None = None) -> AmqpSource:
    address = parse(url)
    assert isinstance(address, ClusterAddress)
    topics = Reader("fieldpost").topics()
    intake = Intake() if intake is None else intake
    return AmqpSource(address, "me", topics, "fieldpost", intake, lambda _text: None)


def failure(url: str) -> CommandError:
    opened = source(url)
    with pytest.raises(CommandError) as raised:
        opened.open()
    opened.close()
    return raised.value


@contextmanager
def answering(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """A port at which each connection is served so."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def run() -> None:
            while True:
                try:
                    one, _ = server.accept()
                except OSError:
                    return
                with one:
                    one.settimeout(5)
                    serve(one)

        threading.Thread(target=run, daemon=True).start()
        yield server.getsockname()[1]


def test_every_host_is_tried_and_named_where_nothing_listens() -> None:
    with socket.socket() as one, socket.socket() as two:
        ports = []
        for taken in one, two:
            taken.bind(("127.0.0.1", 0))
            ports.append(taken.getsockname()[1])
        found = failure(f"amqp://127.0.0.1:{ports[0]},127.0.0.1:{ports[1]}")
    assert found.code == "broker_away"
    for port in ports:
        assert f"nothing listens at amqp://127.0.0.1:{port}" in str(found)


def test_a_name_of_no_host_is_told() -> None:
    assert "no host is named nowhere.invalid" in str(failure("amqp://nowhere.invalid"))


def close_at_once(one: socket.socket) -> None:
    one.recv(100)


def speak_otherwise(one: socket.socket) -> None:
    """As RabbitMQ does to whoever speaks another version."""
    one.recv(100)
    one.sendall(b"AMQP\x00\x00\x09\x02")


def speak_nonsense(one: socket.socket) -> None:
    one.recv(100)
    one.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 10)


@pytest.mark.parametrize("serve", [close_at_once, speak_otherwise, speak_nonsense])
def test_what_is_no_rabbitmq_is_not_taken_for_one(serve: Callable[[socket.socket], None]) -> None:
    with answering(serve) as port:
        found = failure(f"amqp://127.0.0.1:{port}")
    assert found.code in ("broker_away", "broker_lost")
    assert f"127.0.0.1:{port}" in str(found)


def test_a_missing_package_is_named_with_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    wanted = choose.Wanted(parse("amqp://h"), "me", ["b/+/telemetry"])
    with pytest.raises(CommandError, match=r"install .*pika==") as raised:
        choose.source(wanted, Intake(), lambda _text: None)
    assert raised.value.code == "missing_tool"


class Channel:
    """Notes what is acknowledged on it."""

    is_closed = False

    def __init__(self) -> None:
        self.acknowledged: list[tuple[int, bool]] = []
        self.consumers = 0

    def basic_ack(self, tag: int, multiple: bool = False) -> None:
        self.acknowledged.append((tag, multiple))

    def basic_consume(self, _queue: str, _callback: Any) -> None:
        self.consumers += 1


def test_what_is_stored_in_a_row_is_acknowledged_at_once_and_the_rest_alone() -> None:
    one = source("amqp://h")
    channel: Any = Channel()
    one._channel, one._number = channel, 2
    one.acknowledge([Receipt(1, 1), *(Receipt(2, tag) for tag in (1, 2, 3, 5, 7))])
    one._send_receipts()
    assert channel.acknowledged == [(5, False), (7, False), (3, True)]
    one.acknowledge([Receipt(2, 4), Receipt(1, 9)])
    one._send_receipts()
    assert channel.acknowledged[3:] == [(4, True)]


def test_nothing_is_asked_for_while_there_is_no_room() -> None:
    """Each new channel brings all that is under way once more."""
    intake = Intake(waiting_max=1)
    intake.put(Arrival(Message("t", b"", 0.0), None))
    one = source("amqp://h", intake)
    channel: Any = Channel()
    one._channel = channel
    one._consume_if_room()
    assert channel.consumers == 0
    intake.take(1, 0)
    one._consume_if_room()
    one._consume_if_room()
    assert channel.consumers == 1


def test_of_a_message_that_is_too_long_the_beginning_is_held_and_its_size_told() -> None:
    class Method:
        delivery_tag = 1
        routing_key: Any = "fieldpost.n.telemetry"

    intake = Intake()
    one = source("amqp://h", intake)
    method: Any = Method()
    channel: Any = Channel()
    one._delivered(channel, method, None, b"x" * 1_000_000)  # type: ignore[arg-type]
    method.routing_key = b"fieldpost.\xff.telemetry"
    one._delivered(channel, method, None, b"{}")  # type: ignore[arg-type]
    long, unnamed = intake.take(2, 0)
    assert len(long.message.payload) < 70_000
    assert long.message.topic == "fieldpost/n/telemetry"
    assert rejected(long.message, "why").size == 1_000_000
    assert (unnamed.message.topic, one.unnamed) == ("", 1)


def test_a_broker_that_says_nothing_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(amqp, "ANSWER_S", 0.3)
    release = threading.Event()
    with answering(lambda _one: (release.wait(10), None)[1]) as port:
        found = failure(f"amqp://127.0.0.1:{port}")
        release.set()
    assert found.code == "broker_silent"
