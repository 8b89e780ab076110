"""What `fieldpost doctor` finds by doing at the broker what a node does, with a node's account.

A node of that name that runs is not disturbed: its client id is not used, its retained messages
are sent again as they are, its readings are waited for and none is made up. What was left with
the broker is taken away again.
"""

import contextlib
import json
import secrets
import threading
from collections.abc import Iterator

from paho.mqtt.client import MQTTMessage

from fieldpost.doctor.check import Check
from fieldpost.doctor.node_messages import READING, Message, Topics
from fieldpost.doctor.sessions import LIMIT_S, Account, Sessions, who
from fieldpost.doctor.watcher import Watcher
from fieldpost.errors import CommandError
from fieldpost.messages import payload
from fieldpost.mqtt.client import Connection, Denied, Lost

_ECHO_S = 2.0
# A node that runs is given so long for a reading of its own.
_READING_S = 10.0
_LONG_BYTES = 1_000
_OFFLINE = b'{"state":"offline"}'
_OWNER = (
    "look on with an account that may read and write everything, yours: --owner "
    "mqtt://user:password@HOST"
)


def try_out(account: Account) -> list[Check]:
    """Every function of a node, and what the broker gives of it. Raises CommandError if the
    broker does not let the owner in."""
    return list(_Trial(account).checks())


class _Trial:
    def __init__(self, account: Account) -> None:
        self._account = account
        self._node = account.node or f"doctor-{secrets.token_hex(3)}"
        self._topics = Topics(self._node, account.base, account.prefix)
        self._sessions = Sessions(account, self._node, self._topics.status)
        # By topic, what is to be retained there again in the end; nothing: empty.
        self._before: dict[str, bytes] = {}
        self._can_connect = True
        # Topics that the owner sees nothing of, whoever publishes there.
        self._unseen: set[str] = set()

    def checks(self) -> Iterator[Check]:
        """One after the other, as they are found."""
        account = self._account
        watching = f"{self._node}-doctor-looks-on"
        with Watcher(account.owner or account.address, watching, LIMIT_S) as watcher:
            watcher.watch(*self._topics.watched())
            kept = dict(watcher.latest)
            try:
                found = list(self._connects(kept))
                yield from found
                if self._can_connect:
                    yield from self._comes(
                        watcher,
                        "commands",
                        self._topics.command,
                        "no command reaches the node",
                        f"fieldpost cmd {self._node} outbox",
                    )
                    for topic in self._topics.updates:
                        without = "no update over the air reaches the node"
                        yield from self._comes(watcher, "updates", topic, without)
                    yield from self._hears_of_home_assistant()
                    yield from self._publishes(watcher)
            finally:
                self._clean_up()
        yield from self._told_by_the_node(kept)
        yield from self._is_clean()

    def _connects(self, kept: dict[str, bytes]) -> Iterator[Check]:
        name = "connecting"
        try:
            # A will as it is told already: if it were published, nothing would change.
            self._sessions.open(will=kept.get(self._topics.status, _OFFLINE)).close()
        except CommandError:
            try:
                with self._sessions.opened():
                    pass
            except CommandError as error:
                self._can_connect = False
                yield Check(name, "missing", str(error))
                return
            fix = "let the broker take retained messages and QoS 1: a will is both"
            text = "refused with a retained will of QoS 1, as every node has, and taken without"
            yield Check(name, "missing", text, fix)
        else:
            yield Check(name, "ok", "with a will, as a node does")
        with contextlib.suppress(CommandError):
            with self._sessions.opened(clean=False):
                pass
            with self._sessions.opened(clean=False) as again:
                has_session = again.has_session
            with self._sessions.opened():
                pass  # A clean session takes the kept one away.
            if has_session:
                yield Check("kept session", "ok", "commands wait for a node that sleeps")
            else:
                text = "the broker keeps no session: no command reaches a node that sleeps"
                yield Check("kept session", "optional", text)

    def _comes(
        self, watcher: Watcher, name: str, topic: str, without: str, fix: str = ""
    ) -> Iterator[Check]:
        """One is published, and watched for: a broker may grant the subscription and pass on
        nothing. To a node that may be there none is sent. fix: how to try it then."""
        data = json.dumps({"test": f"fieldpost doctor {secrets.token_hex(4)}"}).encode()
        came = threading.Event()

        def note(message: MQTTMessage) -> None:
            if bytes(message.payload) == data:
                came.set()

        try:
            with self._sessions.opened(on_message=note) as connection:
                connection.subscribe(topic, 1, LIMIT_S)
                if self._account.node and (
                    self._topics.status in watcher.blind
                    or _runs(watcher.latest.get(self._topics.status))
                ):
                    text = (
                        f"{topic} can be subscribed to; whether one comes was not tried, for "
                        f"{self._node} would get it, too"
                    )
                    yield Check(name, "note", text, fix)
                    return
                with contextlib.suppress(CommandError):
                    # QoS 0 waits for no node that is away.
                    self._sessions.as_owner(topic, data, 0, False)
                came.wait(_ECHO_S)
        except CommandError as error:
            yield _not_subscribed(error, name, topic, without)
            return
        if came.is_set():
            yield Check(name, "ok", f"one came to {topic}")
        elif watcher.sees(topic, data, 0):
            text = f"{topic} can be subscribed to, and nothing comes: {without}"
            yield Check(
                name, "optional", text, f"permit {who(self._account.address)}: read {topic}"
            )
        elif self._account.owner:
            owner = who(self._account.owner)
            text = f"{topic} can be subscribed to; whether one comes {owner} can't try"
            yield Check(
                name, "note", text, f"permit {owner}: read and write {topic}, and look again"
            )
        else:
            text = (
                f"{topic} can be subscribed to; whether one comes this account can't try, for it "
                "may not publish one, or not read it"
            )
            yield Check(name, "note", text, _OWNER)

    def _hears_of_home_assistant(self) -> Iterator[Check]:
        name, topic = "Home Assistant's birth", self._topics.birth
        without = "after a restart of Home Assistant the node stays away until it starts again"
        try:
            with self._sessions.opened() as connection:
                connection.subscribe(topic, 1, LIMIT_S)
        except CommandError as error:
            yield _not_subscribed(error, name, topic, without)
        else:
            # Others listen there, so nothing is published to see whether it comes.
            yield Check(name, "ok", f"{topic} can be subscribed to")

    def _publishes(self, watcher: Watcher) -> Iterator[Check]:
        if self._account.node and self._topics.status in watcher.blind:
            text = (
                f"not tried, for this account can't see whether {self._node} runs, which would "
                "be disturbed"
            )
            yield Check("publishing", "note", text, _OWNER)
            return
        before = watcher.latest.get(self._topics.status)
        if _runs(before):
            if watcher.sees(self._topics.telemetry, None, _READING_S):
                yield Check(READING, "ok", f"one of {self._node} came, which runs")
            else:
                text = (
                    f"{self._node} runs, and none came within {_READING_S:g} s; none was made up, "
                    "for it would be taken for its own"
                )
                yield Check(READING, "note", text)
        else:
            yield self._published(self._topics.reading(), watcher)
        for message in self._topics.extras(watcher.latest):
            if message.retain and message.topic not in watcher.latest:
                self._before[message.topic] = b""
            yield self._published(message, watcher)
        if not _runs(before):
            self._before[self._topics.status] = before or b""
            yield from self._will_comes(watcher)

    def _published(self, message: Message, watcher: Watcher) -> Check:
        """Publish it, and see whether it comes and, if it is to be, is kept."""
        bad = "missing" if message.name == READING else "optional"
        size = f", {len(message.data)} bytes" if len(message.data) > _LONG_BYTES else ""
        what = f"{message.topic}, QoS {message.qos}{', retained' * message.retain}{size}"
        fix = f"permit it: publish to {message.topic}"
        try:
            with self._sessions.opened() as connection:
                connection.publish(
                    message.topic,
                    message.data,
                    qos=message.qos,
                    retain=message.retain,
                    timeout_s=LIMIT_S,
                )
                came = watcher.sees(message.topic, message.data, _ECHO_S)
                if not came and connection.is_lost():
                    raise Lost("ended without a word")
        except CommandError as error:
            is_lost = isinstance(error, Lost)
            how = "the broker ends the connection over it" if is_lost else str(error)
            text = f"{what}: {how}. Without it {message.without}"
            fix = f"see the broker's limits of size, QoS and retained messages, or {fix}"
            return Check(message.name, bad, text, fix)
        if not came and not self._account.owner:
            text = (
                f"{what}: taken, and not seen to arrive: this account may not publish it, or not "
                "read it"
            )
            return Check(message.name, "note", text, _OWNER)
        if not came and not self._owner_is_seen(message, watcher):
            self._unseen.add(message.topic)
            text = (
                f"{what}: taken, and whether it is passed on the owner's account can't see: what "
                "it publishes there itself does not come back either"
            )
            owner = who(self._account.owner)
            fix = f"permit {owner}: read and write {message.topic}, and look again"
            return Check(message.name, "note", text, fix)
        if not came:
            text = f"{what}: not passed on, though it was taken. Without it {message.without}"
            return Check(message.name, bad, text, fix)
        if message.retain and self._kept().get(message.topic) != message.data:
            text = f"{what}: passed on, and not kept. For who comes later, {message.without}"
            return Check(message.name, bad, text, "let the broker keep retained messages")
        return Check(message.name, "ok", what)

    def _owner_is_seen(self, message: Message, watcher: Watcher) -> bool:
        """Whether what the owner publishes there comes to the owner: SUBACK promises nothing."""
        if message.topic in watcher.blind:
            return False
        try:
            self._sessions.as_owner(message.topic, message.data, message.qos, message.retain)
        except CommandError:
            return False
        return watcher.sees(message.topic, message.data, _ECHO_S)

    def _will_comes(self, watcher: Watcher) -> Iterator[Check]:
        if self._topics.status in watcher.blind or self._topics.status in self._unseen:
            return
        name, data = "will", b'{"state":"offline","by":"the will"}'
        try:
            self._sessions.open(will=data).vanish()
        except CommandError:
            return  # told already, by what connecting said
        if watcher.sees(self._topics.status, data, _ECHO_S):
            yield Check(name, "ok", "comes when a node vanishes")
        elif self._account.owner:
            text = "does not come when a node vanishes: it looks online for ever"
            yield Check(name, "optional", text, f"permit it: publish to {self._topics.status}")

    def _kept(self) -> dict[str, bytes]:
        account = self._account
        address = account.owner or account.address
        with Watcher(address, f"{self._node}-doctor-looks-again", LIMIT_S) as again:
            again.watch(self._topics.status, self._topics.health, self._topics.discovery)
            return again.latest

    def _clean_up(self) -> None:
        """Put back what was retained: as the owner, too, who may where the node may not."""
        for address in filter(None, (self._account.address, self._account.owner)):
            for topic, data in self._before.items():
                connection = Connection(
                    address, client_id=f"{self._node}-doctor-cleans", retry_s=None
                )
                with contextlib.suppress(CommandError):
                    connection.open(LIMIT_S)
                    # QoS 0, which every broker takes; whether it arrived is seen afterwards.
                    connection.publish(topic, data, qos=0, retain=True, timeout_s=LIMIT_S)
                connection.close()

    def _is_clean(self) -> Iterator[Check]:
        kept = self._kept() if self._before else {}
        for topic, data in sorted(self._before.items()):
            if kept.get(topic, b"") != data:
                text = f"a message of this test is still retained at {topic}"
                yield Check("clean-up", "note", text, f"fieldpost publish {topic} '' --retain")

    def _told_by_the_node(self, kept: dict[str, bytes]) -> Iterator[Check]:
        """What a node that was here has found itself."""
        if self._topics.health not in kept:
            return
        name = f"{self._node} says"
        try:
            refused = payload.read(kept[self._topics.health]).get("refused")
        except payload.Unreadable as error:
            yield Check(name, "note", f"a health report that is {error}")
            return
        if isinstance(refused, list) and refused:
            listed = ", ".join(map(str, refused))
            yield Check(name, "optional", f"the broker refuses it: {listed}", "permit it")
        else:
            yield Check(name, "ok", "the broker refuses it nothing")


def _not_subscribed(error: CommandError, name: str, topic: str, without: str) -> Check:
    how = {Denied: "refused", Lost: "answered by closing the connection"}
    text = f"subscribing to {topic} is {how.get(type(error), 'not answered')}: {without}"
    return Check(name, "optional", text, f"permit it: subscribe to {topic}")


def _runs(status: bytes | None) -> bool:
    """Whether a node with this retained status may be there, awake or asleep."""
    if status is None:
        return False
    try:
        return payload.read(status).get("state") != "offline"
    except payload.Unreadable:
        return True
