"""Whether a broker would lose what comes while a collector is away: it is tried.

A session of our own is left, more messages are published than brokers keep by themselves, and what
is handed over afterwards is counted. Their topic is under the nodes' base, and no node's.
"""

import contextlib
import secrets
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

from fieldpost.collect.intake import Intake
from fieldpost.collect.message import Reader
from fieldpost.collect.sources.mqtt.dial import RECEIVE_MAX
from fieldpost.collect.sources.mqtt.source import MqttSource
from fieldpost.doctor.check import Check
from fieldpost.errors import CommandError
from fieldpost.mqtt.client import Connection
from fieldpost.mqtt.url import BrokerAddress

_LIMIT_S = 5.0
_PUBLISH_S = 30.0
# So long without a message is the end of them.
_QUIET_S = 1.0
_FIRST_S = 3.0
_PROBE = b'{"test":"fieldpost stores doctor"}'
_MOSQUITTO = "in mosquitto.conf: max_queued_messages 100000, and max_queued_bytes 0"


@dataclass(frozen=True)
class Trial:
    """collector: the account that collects. publisher: one that may publish, None for the same.
    count: how many messages are left with the broker. a_minute: readings that come to the store,
    None where that is not known."""

    collector: BrokerAddress
    publisher: BrokerAddress | None
    base: str
    count: int
    a_minute: float | None = None


def broker(trial: Trial) -> list[Check]:
    """Whether it lets a collector in, read all that it wants, and keeps what comes meanwhile."""
    connection = Connection(trial.collector, retry_s=None)
    try:
        connection.open(_LIMIT_S)
    except CommandError as error:
        return [Check("broker", "missing", str(error))]
    connection.close()
    return [
        Check("broker", "ok", f"{trial.collector} took us in"),
        *_rights(trial),
        *_queue(trial),
    ]


def _rights(trial: Trial) -> list[Check]:
    """One connection for each topic, as some brokers end it over one that is not allowed."""
    found = []
    for place, topic in enumerate(Reader(trial.base).topics()):
        connection = Connection(trial.collector, retry_s=None)
        try:
            connection.open(_LIMIT_S)
            connection.subscribe(topic, 1, _LIMIT_S)
        except CommandError as error:
            state = "missing" if place == 0 else "note"
            fix = f"permit the collector's account to read {topic}"
            found.append(Check("rights", state, str(error), fix))
        finally:
            connection.close()
    return found or [Check("rights", "ok", "all topics of nodes may be read, as the broker says")]


def _queue(trial: Trial) -> list[Check]:
    name = f"doctor-{secrets.token_hex(4)}"
    topic = f"{trial.base}/{name}/probe"
    try:
        return _tried(trial, name, topic)
    except CommandError as error:
        return [Check("queue", "note", f"could not be tried: {error}")]
    finally:
        _forget(trial.collector, name)


def _tried(trial: Trial, name: str, topic: str) -> list[Check]:
    publisher = Connection(trial.publisher or trial.collector, retry_s=None)
    publisher.open(_LIMIT_S)
    try:
        if not _arrives(trial.collector, name, topic, publisher):
            text = "could not be tried: what this account publishes does not arrive"
            fix = "name one that may publish everything with --publisher"
            return [Check("queue", "note", text, fix)]
        publisher.publish_all(topic, [_PROBE] * trial.count, timeout_s=_PUBLISH_S)
    finally:
        publisher.close()
    arrived = _what_was_kept(trial.collector, name, topic)
    if not arrived.count:
        text = "nothing was kept while we were away: all that comes then is lost"
        fix = "permit persistent sessions to this account, or take a broker that has them"
        return [Check("queue", "missing", text, fix)]
    return [*_kept(trial, arrived.count), _window(arrived.at_once)]


def _kept(trial: Trial, count: int) -> list[Check]:
    if count >= trial.count:
        return [Check("queue", "ok", f"all of {count} messages were kept while we were away")]
    lasts = ""
    if trial.a_minute:
        minutes = count / trial.a_minute
        lasts = f": {minutes:.0f} minutes, at {trial.a_minute:.3g} readings in each"
    text = f"{count} of {trial.count} messages were kept while we were away, the rest lost{lasts}"
    return [Check("queue", "missing", text, f"let it keep more; {_MOSQUITTO}")]


def _window(at_once: int) -> Check:
    if at_once >= RECEIVE_MAX:
        return Check("window", "ok", f"{at_once} messages come before the first is acknowledged")
    text = f"{at_once} messages come before the first is acknowledged: a commit for each so many"
    fix = "in mosquitto.conf: max_inflight_messages 1000" if at_once < 20 else ""
    return Check("window", "ok" if at_once >= 10 else "note", text, fix)


@dataclass
class Arrived:
    """count: of all. at_once: how many came before any was acknowledged."""

    count: int = 0
    at_once: int = 0


def _arrives(address: BrokerAddress, name: str, topic: str, publisher: Connection) -> bool:
    """Whether a message comes to the session `name` while it is connected."""
    with _session(address, name, topic) as (session, intake):
        publisher.publish(topic, _PROBE, qos=1, retain=False, timeout_s=_LIMIT_S)
        some = intake.take(1, _FIRST_S)
        session.acknowledge([one.receipt for one in some if one.receipt])
        return bool(some)


def _what_was_kept(address: BrokerAddress, name: str, topic: str) -> Arrived:
    arrived = Arrived()
    with _session(address, name, topic) as (session, intake):
        arrived.at_once = _settled(intake)
        last = time.monotonic()
        while time.monotonic() - last < _QUIET_S:
            some = intake.take(1000, _QUIET_S)
            if some:
                last = time.monotonic()
                arrived.count += len(some)
                session.acknowledge([one.receipt for one in some if one.receipt])
    return arrived


@contextlib.contextmanager
def _session(address: BrokerAddress, name: str, topic: str) -> Iterator[tuple[MqttSource, Intake]]:
    """One that runs, of the kind that a collector has."""
    intake = Intake(waiting_max=1_000_000)
    session = MqttSource(address, name, [topic], intake, lambda _text: None)
    thread = threading.Thread(target=session.run, daemon=True)
    try:
        session.open()
        thread.start()
        yield session, intake
    finally:
        session.stop()
        if thread.is_alive():
            thread.join(_LIMIT_S)
        session.close()


def _settled(intake: Intake) -> int:
    """How many there are when no more come."""
    end = time.monotonic() + _FIRST_S
    before = -1
    while time.monotonic() < end:
        now = len(intake)
        if now and now == before:
            break
        before = now
        time.sleep(_QUIET_S / 2)
    return len(intake)


def _forget(address: BrokerAddress, name: str) -> None:
    """Leave nothing at the broker."""
    last = Connection(address, client_id=name, retry_s=None)
    try:
        last.open(_LIMIT_S)
    except CommandError:
        return
    last.close()
