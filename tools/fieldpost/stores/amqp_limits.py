"""What of RabbitMQ's settings would lose readings, as far as a collector's account can ask."""

import secrets
import time
from collections.abc import Sequence
from typing import Any

import pika
from pika import exceptions

from fieldpost.collect.message import Reader
from fieldpost.collect.sources.address import ClusterAddress
from fieldpost.collect.sources.amqp import asked as amqp_asked
from fieldpost.collect.sources.amqp import dial as amqp_dial
from fieldpost.collect.sources.amqp.flaws import of_queue
from fieldpost.collect.sources.amqp.topics import binding
from fieldpost.doctor.check import Check
from fieldpost.errors import CommandError
from fieldpost.stores.flawed import checked

_NAME = "fieldpost stores doctor"
_GOODBYE_S = 2.0
# So long a node may think about a message of ours.
_ALARM_S = 1


def cluster(address: ClusterAddress, base: str, queue: str) -> list[Check]:
    """Whether its queue gets all that nodes publish, and keeps it. Nothing is left behind, and
    nothing is published that would be stored."""
    connections, found = _reached(address)
    if not connections:
        return found
    try:
        found += _one_cluster([amqp_asked.told_of(one, "cluster_name") for one in connections])
        found += _in_time(connections[0], base, queue)
        found += _alarm(connections[-1], base)
    finally:
        for one in connections:
            amqp_dial.leave(one, _GOODBYE_S)
    return [*found, _unseen(queue)]


def _reached(address: ClusterAddress) -> tuple[list["pika.BlockingConnection"], list[Check]]:
    """Two connections to one node, and one to each other that is there."""
    connections, found = [], []
    for host, port in (*address.hosts, address.hosts[-1]):
        try:
            connections.append(amqp_dial.dial(address, host, port, _NAME))
        except CommandError as error:
            fix = "start it: with one more away of three, none is taken"
            found.append(Check("broker", "note", str(error), fix))
    if not connections:
        return [], [Check(one.name, "missing", one.text) for one in found[:-1]]
    version = amqp_asked.version(connections[0])
    ok = Check("broker", "ok", f"{address} took us in, RabbitMQ {version}")
    return connections, [ok, *dict.fromkeys(found)]


def _one_cluster(names: Sequence[str]) -> list[Check]:
    """names: what each node that was reached calls its cluster."""
    if len(set(names)) < 2:
        return []
    text = (
        f"these hosts are {len(set(names))} clusters ({', '.join(dict.fromkeys(names))}): what "
        "nodes publish at one never comes to a collector at another"
    )
    return [Check("cluster", "missing", text, "name one cluster's hosts, and collect from each")]


def _in_time(connection: "pika.BlockingConnection", base: str, queue: str) -> list[Check]:
    try:
        return amqp_dial.in_time(lambda: _queue(connection, base, queue))
    except TimeoutError:
        text = f"no answer to what was asked about the queue {queue}: most of its nodes are away"
        return [Check("queue", "missing", text, f"rabbitmq-queues quorum_status {queue}")]
    except amqp_dial.FAILURES as error:
        return [Check("queue", "missing", f"the connection ended: {amqp_dial.why(error)}")]


def _queue(connection: "pika.BlockingConnection", base: str, queue: str) -> list[Check]:
    count = amqp_asked.count(connection, queue)
    if not isinstance(count, amqp_asked.Counted):
        if count.reply_code != amqp_asked.NOT_FOUND:
            return [Check("queue", "missing", f"it can't be read: {count.reply_text}")]
        text = f"there is no queue {queue}: RabbitMQ acknowledges what nodes publish, and drops it"
        return [Check("queue", "missing", text, "start a collector before the first node")]
    asked = amqp_asked.settings(connection, queue)
    flaws = of_queue(queue, asked.known or {}, amqp_asked.version(connection))
    found = [*_counted(count), *(checked(flaws) if asked.known is not None else [])]
    if asked.unknown is not None:
        text = f"not all settings of the queue can be seen: {asked.unknown.reply_text}"
        fix = "rabbitmqctl list_queues name type durable auto_delete arguments"
        found.append(Check("settings", "note", text, fix))
    elif not flaws:
        found.append(Check("settings", "ok", "the queue was made with none that lose readings"))
    return [*found, *_rights(connection, base, queue)]


def _counted(count: amqp_asked.Counted) -> list[Check]:
    text = f"{count.messages} messages wait, {count.collectors} collectors read"
    if count.collectors:
        return [Check("queue", "ok", text)]
    return [Check("queue", "note", text, "start one: until then the disk fills")]


def _rights(connection: "pika.BlockingConnection", base: str, queue: str) -> list[Check]:
    """With names of no node's. A binding that is there can't be seen, and is made at each start of
    a collector that may."""
    topics = Reader(base).topics()
    refused = []
    for place, topic in enumerate(topics):
        key = binding(topic).replace("*", f"doctor-{secrets.token_hex(4)}")
        closed = amqp_asked.may_bind(connection, queue, key)
        if closed is not None:
            refused.append((place, f"{topic}: {closed.reply_text}"))
    if not refused:
        return [Check("binding", "ok", "a collector binds the queue to all topics at its start")]
    text = "a collector may not bind the queue to " + "; nor to ".join(one for _, one in refused)
    fix = f"look whether somebody else has: rabbitmqctl list_bindings | grep {queue}"
    return [Check("binding", "note", f"{text}. What is not bound is dropped", fix)]


def _alarm(connection: "pika.BlockingConnection", base: str) -> list[Check]:
    """RabbitMQ tells of one when something is published, even by who may not. Nobody has bound
    anything to this topic, and who has gets a message of no node's."""
    reasons: list[str] = []

    def blocked(_connection: object, frame: Any) -> None:
        reasons.append(str(frame.method.reason))

    def look() -> None:
        connection.add_on_connection_blocked_callback(blocked)
        channel = connection.channel()
        topic = f"{base}/doctor-{secrets.token_hex(4)}/probe"
        channel.basic_publish(amqp_asked.EXCHANGE, binding(topic), b"")
        end = time.monotonic() + _ALARM_S
        while not reasons and channel.is_open and time.monotonic() < end:
            connection.process_data_events(_ALARM_S)

    try:
        amqp_dial.in_time(look)
    except (TimeoutError, *amqp_dial.FAILURES) as error:
        if not reasons and not isinstance(error, exceptions.ChannelClosedByBroker):
            return [Check("alarm", "note", f"could not be asked for: {amqp_dial.why(error)}")]
    if not reasons:
        return [Check("alarm", "ok", "it takes what is published: it has disk and memory")]
    text = f"it takes nothing from any node, and says: {reasons[0]}. Nodes keep their readings"
    return [Check("alarm", "missing", text, "make room; rabbitmq-diagnostics alarms says where")]


def _unseen(queue: str) -> Check:
    text = (
        "what AMQP does not tell: policies, which can set max-length, message-ttl, expires and "
        "delivery-limit; how many members the queue has, which should be three; and what it is "
        "bound to"
    )
    fix = (
        "rabbitmqctl list_queues name policy effective_policy_definition; "
        f"rabbitmq-queues quorum_status {queue}; rabbitmqctl list_bindings"
    )
    return Check("not seen", "note", text, fix)
