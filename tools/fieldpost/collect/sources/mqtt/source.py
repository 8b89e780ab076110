"""The collector's session with a broker: it lasts over connections, and nothing in it is
acknowledged before it is stored.

One thread does all that concerns the socket. So a receipt can't slip from the connection to which
it belongs into the next one, where its number may stand for a message that is not stored.

MQTT 5 is asked for first. There we say how many messages we take before the first is acknowledged
(Receive Maximum), how long the session lasts, and how long a message may be.
"""

import collections
import random
import select
import socket
import ssl
import struct
import time
from collections.abc import Callable, Sequence
from typing import Any

from paho.mqtt import MQTTException
from paho.mqtt import client as paho
from paho.mqtt.enums import MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.reasoncodes import ReasonCode

from fieldpost.collect.intake import Arrival, Intake, Receipt
from fieldpost.collect.message import Message
from fieldpost.collect.sources.mqtt import dial as mqtt_dial
from fieldpost.collect.sources.orders import Orders
from fieldpost.errors import CommandError
from fieldpost.mqtt.bounded import BoundedClient
from fieldpost.mqtt.client import (
    TIMEOUT_S,
    Away,
    Denied,
    Refused,
    Silent,
    Untrusted,
    explain,
    refusal,
)
from fieldpost.mqtt.tls import closed
from fieldpost.mqtt.url import BrokerAddress

_RETRY_FIRST_S, _RETRY_MOST_S = 0.5, 15.0
_TURN_S = 0.5
# A broker that does not know MQTT 5 may say nothing at all.
_ANSWER_5_S = 3.0
_GOODBYE_S = 2.0
# A connection that ends sooner, several times, is one that somebody ends.
_SHORT_S = 5.0
_SHORT_TIMES = 5
# One that ends at a topic, so often in a row, does so because of it.
_ENDS_AT_TOPIC = 3
_TAKEN_OVER = 142
# A packet that ends too early, a code that there is not, bytes that are no text.
_SENSELESS = (ValueError, LookupError, TypeError, AssertionError, struct.error, MQTTException)


class TakenOver(CommandError):
    """Another client has come to the broker under our id."""

    code = "broker_lost"


class _Unsupported(Exception):
    """The broker does not speak MQTT 5."""


class MqttSource:
    """What arrives goes into `intake`; `acknowledge` what is stored. tell: given each sentence for
    the user. Topics: the first is needed, and the rest the broker may refuse.

    leaves: it takes the subscriptions of its session back, so that what comes is what the broker
    has kept for it until then.
    """

    def __init__(
        self,
        address: BrokerAddress,
        client_id: str,
        topics: Sequence[str],
        intake: Intake,
        tell: Callable[[str], None],
        *,
        leaves: bool = False,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._address = address
        self._client_id = client_id
        self._topics = list(topics)
        self._intake = intake
        self._tell = tell
        self._leaves = leaves
        self._now = now
        self._version = MQTTProtocolVersion.MQTTv5
        self._wake_read, self._wake_write = socket.socketpair()
        self._wake_read.setblocking(False)
        self._wake_write.setblocking(False)
        self._orders = Orders(self._wake)
        # From any thread, as in `Source`.
        self.acknowledge, self.hold = self._orders.acknowledge, self._orders.hold
        self.stop = self._orders.stop
        self._connection = 0
        self._to_subscribe: collections.deque[str] = collections.deque()
        self._asked: dict[int, str] = {}
        self._first = True
        self._is_subscribed = False
        # By topic: how many connections in a row have ended before the broker had answered it.
        self._ended_at: collections.Counter[str] = collections.Counter()
        self._denied: CommandError | None = None
        self._answer: ReasonCode | None = None
        self._since = 0.0
        self._short = 0
        self.is_connected = False
        self.unnamed = 0
        self._client = self._new_client()

    def open(self) -> None:
        """Connect and subscribe. Raises CommandError if the broker does not let us."""
        try:
            self._first_connection()
        except _Unsupported:
            self._version = MQTTProtocolVersion.MQTTv311
            self._client = self._new_client()
            self._first_connection()

    def run(self) -> None:
        """Read and acknowledge until `stop`. To be called in a thread of its own."""
        retry_s = _RETRY_FIRST_S
        while not self._orders.ends.is_set():
            if self.is_connected or self._client.socket() is not None:
                self._careful_turn()
                if self.is_connected and time.monotonic() - self._since > _SHORT_S:
                    retry_s = _RETRY_FIRST_S
                continue
            if self._denied:
                raise self._denied
            self._orders.ends.wait(retry_s * random.uniform(0.7, 1.0))
            retry_s = min(retry_s * 2, _RETRY_MOST_S)
            if not self._orders.ends.is_set():
                self._dial_again()

    def close(self) -> None:
        """Send what is to be acknowledged, and say goodbye; the broker keeps the session. After
        `run` has ended. Never raises."""
        self.hold()
        self.stop()
        end = time.monotonic() + _GOODBYE_S
        while self.is_connected and time.monotonic() < end:
            self._turn(0.0)
            if not self._client.want_write():
                break
        self._client.disconnect()
        while self._client.want_write() and time.monotonic() < end:
            if self._client.loop_write() != MQTTErrorCode.MQTT_ERR_SUCCESS:
                break
        self._client._sock_close()
        self._wake_read.close()
        self._wake_write.close()

    def _wake(self) -> None:
        try:
            self._wake_write.send(b"\0")
        except OSError:
            pass  # It is awake, or it has ended.

    def _new_client(self) -> BoundedClient:
        client = mqtt_dial.new_client(self._address, self._client_id, self._version)
        client.on_connect = self._connected
        client.on_disconnect = self._disconnected
        client.on_subscribe = self._subscribed
        client.on_unsubscribe = self._unsubscribed
        client.on_message = self._message
        return client

    def _dial(self) -> None:
        self._answer = None
        mqtt_dial.dial(self._client, self._address, self._version)

    def _first_connection(self) -> None:
        try:
            self._dial()
        except OSError as error:
            kind = Untrusted if isinstance(error, ssl.SSLError) else Away
            raise kind(explain(error, self._address, TIMEOUT_S)) from None
        is_5 = self._version == MQTTProtocolVersion.MQTTv5
        begin = time.monotonic()
        end = begin + TIMEOUT_S
        while not self._is_open() and not self._denied and time.monotonic() < end:
            if self._client.socket() is None:
                if self._answer is None or self._answer.is_failure:
                    break
                # It ended at a topic. Some brokers do that over one that is not allowed.
                time.sleep(_RETRY_FIRST_S / 2)
                self._dial_again()
                continue
            if is_5 and self._answer is None and time.monotonic() - begin > _ANSWER_5_S:
                raise _Unsupported
            try:
                self._turn(0.1)
            except _SENSELESS:
                self._client._sock_close()
        if self._denied:
            raise self._denied
        answer = self._answer
        if answer is not None and answer.is_failure:
            if is_5 and "protocol version" in str(answer):
                raise _Unsupported
            told = refusal(str(answer), self._address)
            raise Refused(f"the broker at {self._address} refused us: {told}")
        if self._is_open():
            self._first = False
            return
        if answer is None and is_5:
            raise _Unsupported
        tls = self._address.tls
        if answer is None and tls and self._client.socket() is None:
            raise Untrusted(f"{self._address} closed the connection at once: {closed(tls)}")
        if answer is None:
            raise Away(
                f"{self._address} does not answer as an MQTT broker does: is it one?",
            )
        raise Silent(f"{self._address} did not answer the subscriptions within {TIMEOUT_S:g} s")

    def _is_open(self) -> bool:
        """Whether the broker has answered all that it was asked."""
        return self.is_connected and self._is_subscribed

    def _dial_again(self) -> None:
        try:
            self._dial()
        except (OSError, CommandError):
            self._client._sock_close()

    def _careful_turn(self) -> None:
        """What the broker sends may make no sense, and paho then raises whatever comes of it."""
        try:
            self._turn(_TURN_S)
        except _SENSELESS as error:
            self._tell(f"the broker sent what makes no sense ({type(error).__name__})")
            self._client._sock_close()
            self.is_connected = False
            self._asked.clear()

    def _turn(self, timeout_s: float) -> None:
        """What there is to do at the socket, waiting at most so long for it."""
        client = self._client
        sock: Any = client.socket()
        if sock is None:
            return
        wants = not self.is_connected or (self._orders.reads and self._intake.has_room())
        pending = wants and hasattr(sock, "pending") and sock.pending() > 0
        try:
            readable, writable, _ = select.select(
                [self._wake_read, *([sock] if wants else [])],
                [sock] if client.want_write() else [],
                [],
                0 if pending else timeout_s,
            )
        except (OSError, ValueError):  # It was closed meanwhile.
            client.loop_misc()
            return
        if self._wake_read in readable:
            try:
                self._wake_read.recv(4096)
            except OSError:
                pass
        if pending or sock in readable:
            client.loop_read()
        self._send_receipts()
        if writable and client.socket() is not None:
            client.loop_write()
        client.loop_misc()

    def _send_receipts(self) -> None:
        while self._orders.receipts:
            receipt = self._orders.receipts.popleft()
            if self.is_connected and receipt.connection == self._connection:
                self._client.ack(receipt.number, 1)

    def _connected(self, *given: Any) -> None:
        answer: ReasonCode = given[3]
        self._answer = answer
        if answer.is_failure:
            if not self._first:
                self._tell(
                    f"the broker refused us: {refusal(str(answer), self._address)}; trying again"
                )
            return
        self._connection += 1
        self.is_connected = True
        self._since = time.monotonic()
        kept = bool(given[2].session_present)
        if self._first or not kept or not self._is_subscribed:
            self._is_subscribed = False
            self._to_subscribe = collections.deque(self._topics)
            self._ask_next()
        self._tell(f"connected to {self._address}")
        if not self._first and not kept:
            self._tell("the broker had not kept the session: what came meanwhile was not seen")

    def _disconnected(self, *given: Any) -> None:
        reason: ReasonCode = given[3]
        was = self.is_connected
        self.is_connected = False
        unanswered = list(self._asked.values())
        self._asked.clear()
        if not was:
            return
        if reason.value == _TAKEN_OVER:
            self._denied = TakenOver(
                f"another client has come to the broker under the id {self._client_id}: "
                "does a second collector run? Give it a --client-id of its own"
            )
            return
        if self._orders.ends.is_set():
            return
        self._tell(f"connection lost: {_why(reason)}")
        for topic in unanswered:
            self._ended_at[topic] += 1
            if self._ended_at[topic] < _ENDS_AT_TOPIC:
                continue
            if topic == self._topics[0]:
                self._denied = Denied(f"{self._address} ends the connection at {topic}")
            else:
                self._leave_out(topic, "ends the connection at it")
        self._short = self._short + 1 if time.monotonic() - self._since < _SHORT_S else 0
        if self._short == _SHORT_TIMES:
            self._tell(
                f"the connection ends soon, each time: does another client use the id "
                f"{self._client_id}?"
            )

    def _ask_next(self) -> None:
        """One topic at a time, so that it is known at which one a connection ended."""
        if self._to_subscribe:
            topic = self._to_subscribe.popleft()
            if self._leaves:
                code, packet_id = self._client.unsubscribe(topic)
            else:
                code, packet_id = self._client.subscribe(topic, 1)
            if code == MQTTErrorCode.MQTT_ERR_SUCCESS and packet_id is not None:
                self._asked[packet_id] = topic
        else:
            self._is_subscribed = True

    def _subscribed(self, *given: Any) -> None:
        topic = self._asked.pop(given[2], None)
        if topic is None:
            return
        del self._ended_at[topic]
        codes: list[ReasonCode] = given[3]
        if any(code.is_failure for code in codes):
            if topic == self._topics[0]:
                self._denied = Denied(f"{self._address} does not let us subscribe to {topic}")
                self._client.disconnect()
                return
            self._leave_out(topic, "does not let us subscribe to it")
        elif codes[0].value == 0:
            self._tell(f"the broker grants {topic} without acknowledgements: some may be lost")
        self._ask_next()

    def _unsubscribed(self, *given: Any) -> None:
        topic = self._asked.pop(given[2], None)
        if topic is not None:
            del self._ended_at[topic]
            self._ask_next()

    def _leave_out(self, topic: str, why: str) -> None:
        if topic in self._topics:
            self._topics.remove(topic)
            self._tell(f"{topic} is left out: the broker {why}")

    def _message(self, _client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            self.unnamed += 1
            topic = ""
        receipt = Receipt(self._connection, message.mid) if message.qos else None
        self._intake.put(Arrival(Message(topic, bytes(message.payload), self._now()), receipt))


def _why(reason: ReasonCode) -> str:
    text = str(reason)
    return "the broker closed it" if text == "Unspecified error" else text
