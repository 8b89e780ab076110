"""What of NATS's settings would lose readings, as far as a collector's account can ask."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from fieldpost.collect.message import Reader
from fieldpost.collect.sources.address import ClusterAddress
from fieldpost.collect.sources.nats import consumer as nats_consumer
from fieldpost.collect.sources.nats import flaws as nats_flaws
from fieldpost.collect.sources.nats.consumer import STREAM, Consumer
from fieldpost.collect.sources.nats.dial import FAILURES, Link
from fieldpost.doctor.check import Check
from fieldpost.errors import CommandError
from fieldpost.mqtt.client import Denied
from fieldpost.stores.flawed import checked

_NAME = "fieldpost stores doctor"
# Of what this account may store; more is a matter of time.
_MUCH = 0.8


def cluster(address: ClusterAddress, base: str, queue: str) -> list[Check]:
    """Whether its consumer gets all that nodes publish, and its stream keeps it. Nothing is
    published and nothing changed."""
    return asyncio.run(_cluster(address, Consumer(queue, Reader(base).topics(), _unheard)))


def _unheard(_text: str) -> None:
    pass


async def _cluster(address: ClusterAddress, consumer: Consumer) -> list[Check]:
    link, found = await _reached(address)
    if link is None:
        return found
    try:
        found += await _asked("consumer", lambda: _consumer(link, consumer))
        found += await _asked("stream", lambda: _stream(link, consumer))
        found += await _asked("room", lambda: _room(link))
    finally:
        await link.close()
    return [*found, _unseen()]


async def _reached(address: ClusterAddress) -> tuple[Link | None, list[Check]]:
    """A link to the first server that is there, after each was tried."""
    first, found = None, []
    for host, port in address.hosts:
        link = Link(address, host, port, _unheard)
        try:
            await link.open(_NAME)
        except CommandError as error:
            fix = "start it: with one more away of three, none is taken"
            found.append(Check("broker", "note", str(error), fix))
            continue
        if first:
            await link.close()
        first = first or link
    if first is None:
        return None, [Check(one.name, "missing", one.text) for one in found]
    version = first.client.connected_server_version
    return first, [Check("broker", "ok", f"{first.named} took us in, NATS {version}"), *found]


async def _asked(name: str, ask: Callable[[], Awaitable[list[Check]]]) -> list[Check]:
    try:
        return await ask()
    except Denied as denied:
        return [Check(name, "note", f"can't be seen: {denied}", _COMMANDS[name])]
    except (CommandError, *FAILURES) as error:
        return [Check(name, "missing", str(error), _COMMANDS[name])]


async def _consumer(link: Link, consumer: Consumer) -> list[Check]:
    told = await consumer.asked(link)
    code = nats_consumer.code_of(told)
    if code == nats_consumer.NO_CONSUMER:
        text = f"there is no consumer {consumer.name}: NATS acknowledges what nobody wants, and "
        fix = f"start a collector before the first node, or: {consumer.command()}"
        return [Check("consumer", "missing", f"{text}drops it", fix)]
    if code == nats_consumer.NO_STREAM:
        text = f"there is no stream {STREAM}: NATS makes it when the first client connects by MQTT"
        fix = "connect one, of the nodes' account; then start a collector, then the nodes"
        return [Check("consumer", "missing", text, fix)]
    if code is not None:
        return [Check("consumer", "missing", str(told["error"].get("description")))]
    flaws = nats_flaws.of_consumer(consumer.name, told, consumer.subjects)
    return [*_counted(told), *(checked(flaws) or [_sound("consumer")])]


def _counted(told: dict[str, Any]) -> list[Check]:
    waits = told.get("num_pending", 0) + told.get("num_ack_pending", 0)
    if told.get("num_waiting"):
        return [Check("consumer", "ok", f"{waits} messages wait, and collectors ask for more")]
    text = f"{waits} messages wait, and no collector asks for any"
    return [Check("consumer", "note", text, "start one: until then the disk fills")]


async def _stream(link: Link, consumer: Consumer) -> list[Check]:
    told = await nats_consumer.stream(link)
    if nats_consumer.code_of(told) == nats_consumer.NO_STREAM:
        return []  # The consumer has said so.
    if nats_consumer.code_of(told) is not None:
        return [Check("stream", "missing", str(told["error"].get("description")))]
    return checked(nats_flaws.of_stream(told, consumer.subjects)) or [_sound("stream")]


def _sound(what: str) -> Check:
    return Check(what, "ok", f"the {what} has no setting that loses readings")


async def _room(link: Link) -> list[Check]:
    told = await nats_consumer.account(link)
    if nats_consumer.code_of(told) is not None:
        return [Check("room", "note", str(told["error"].get("description")))]
    most, used = told.get("limits", {}).get("max_storage", -1), told.get("storage", 0)
    if most < 0:
        return [Check("room", "ok", f"{used} bytes stored, and no limit for this account")]
    text = f"{used} bytes stored of {most} that this account may: with more it takes no reading"
    if used < _MUCH * most:
        return [Check("room", "ok", text)]
    return [Check("room", "missing", text, _COMMANDS["room"])]


_COMMANDS = {
    "consumer": "nats consumer info '$MQTT_msgs' shows it to an administrator",
    "stream": "nats stream info '$MQTT_msgs' shows it to an administrator",
    "room": "nats account info, and nats server report jetstream, show it",
}


def _unseen() -> Check:
    text = (
        "what JetStream does not tell: sync_interval, by which a power cut of all servers can "
        "cost two minutes; and how much disk is free"
    )
    fix = "look into the servers' configuration; nats server report jetstream"
    return Check("not seen", "note", text, fix)
