"""An MQTT connection on paho-mqtt: every wait is bounded, every failure is explained."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Sequence
from typing import Any

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.reasoncodes import ReasonCode

from fieldpost.errors import CommandError, Usage
from fieldpost.mqtt import tls as certs_client
from fieldpost.mqtt.bounded import BoundedClient
from fieldpost.mqtt.limits import TIMEOUT_S as TIMEOUT_S
from fieldpost.mqtt.url import BrokerAddress

KEEPALIVE_S = 30
_GOODBYE_S = 2.0
OnMessage = Callable[[paho.MQTTMessage], None]

_REFUSALS = {
    "Unsupported protocol version": "it does not speak MQTT 3.1.1",
    "Client identifier not valid": "it does not accept the client id",
    "Server unavailable": "it says that it is unavailable; try again later",
}
# Return codes 4 and 5: brokers do not agree on which of them a wrong password is.
_CREDENTIALS = ("Bad user name or password", "Not authorized")


class Away(CommandError):
    """There is no connection with the broker."""

    code = "broker_away"


class Refused(Away):
    """The broker does not let us in: another login or client id is needed."""

    code = "broker_refused"


class Untrusted(Away):
    """There is no TLS with the broker, or its certificate is not to be trusted."""

    code = "broker_untrusted"


class Lost(CommandError):
    """The connection ended before the broker had answered."""

    code = "broker_lost"


class Silent(CommandError):
    """The broker did not answer in time."""

    code = "broker_silent"


class Denied(CommandError):
    """The broker does not let us subscribe."""

    code = "broker_denied"


class Connection:
    """One session with a broker; paho's thread calls `on_message` and `on_lost`.

    on_message: each message that arrives. on_lost: told why when a connection ends that
    nobody asked to end; paho then dials again. on_connected: after every CONNACK that accepts.
    client_id: with `clean` False, the broker keeps the session under it.
    retry_s: the longest pause between two attempts to connect again; None: one that ends is over.
    will: topic and payload that the broker publishes if this vanishes, with QoS 1, retained.
    timeout_s: for each answer of the broker, where a call does not say another.
    `unnamed`: how many messages were left out, as their topics are no text in UTF-8.
    `has_session`: whether the broker had kept a session under this client_id.
    """

    def __init__(
        self,
        address: BrokerAddress,
        *,
        on_message: OnMessage | None = None,
        on_lost: Callable[[str], None] | None = None,
        on_connected: Callable[[], None] | None = None,
        client_id: str = "",
        clean: bool = True,
        keepalive_s: int = KEEPALIVE_S,
        retry_s: float | None = 10.0,
        will: tuple[str, bytes] | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self.address = address
        self._on_message = on_message
        self._on_lost = on_lost
        self._on_connected = on_connected
        self._keepalive_s = keepalive_s
        self._timeout_s = timeout_s
        self.unnamed = 0
        self._changed = threading.Condition()
        self._answer: ReasonCode | None = None
        self._lost: str | None = None
        self._delivered: set[int] = set()
        self._granted: dict[int, bool] = {}
        # The number of a subscription, and whom to tell.
        self._answers_to: dict[int, Callable[[bool], None]] = {}
        self._closing = False
        self._client = BoundedClient(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            clean_session=clean,
            reconnect_on_failure=retry_s is not None,
        )
        self.has_session = False
        if retry_s is not None:
            self._client.reconnect_delay_set(min(1.0, retry_s), retry_s)  # pyright: ignore[reportArgumentType]
        if will:
            self._client.will_set(*will, qos=1, retain=True)
        if address.user is not None:
            self._client.username_pw_set(address.user, address.password)
        if address.tls:
            self._client.tls_set_context(address.tls.context())
        self._client.on_socket_open = _without_delay
        self._client.on_connect = self._connected
        self._client.on_disconnect = self._disconnected
        self._client.on_publish = self._published
        self._client.on_subscribe = self._subscribed
        self._client.on_message = self._message

    def open(self, timeout_s: float | None = None) -> None:
        """Connect and wait for the broker's yes. Raises CommandError saying why there is none."""
        timeout_s = timeout_s or self._timeout_s
        self._dial(timeout_s)
        self._client.loop_start()
        with self._changed:
            self._changed.wait_for(lambda: self._answer or self._lost, timeout_s)
            answer, lost = self._answer, self._lost
        if answer is not None and not answer.is_failure:
            return
        self.close()
        if answer is not None:
            raise Refused(
                f"the broker at {self.address} refused us: {refusal(str(answer), self.address)}"
            )
        if lost:
            tls = self.address.tls
            doubt = certs_client.closed(tls) if tls else "is it an MQTT broker?"
            kind = Untrusted if tls else Away
            raise kind(f"{self.address} closed the connection at once: {doubt}")
        raise Away(
            f"{self.address} accepted the connection but did not answer within {timeout_s:g} s: "
            "is it an MQTT broker?"
        )

    def publish(
        self,
        topic: str,
        message: bytes,
        *,
        qos: int,
        retain: bool,
        timeout_s: float | None = None,
    ) -> None:
        """Publish and wait until it is delivered: QoS 0 sent, QoS 1 and 2 acknowledged.

        Raises CommandError if the connection ends first, or at the deadline.
        """
        timeout_s = timeout_s or self._timeout_s
        info = self._client.publish(topic, message, qos, retain)
        if info.rc not in (MQTTErrorCode.MQTT_ERR_SUCCESS, MQTTErrorCode.MQTT_ERR_NO_CONN):
            raise Usage(f"cannot publish: {paho.error_string(info.rc)}")
        with self._changed:
            self._changed.wait_for(lambda: info.mid in self._delivered or self._lost, timeout_s)
            if info.mid in self._delivered:
                return
            if self._lost:
                raise Lost(f"not delivered: the connection was lost ({self._lost})")
        raise Silent(f"not delivered: {self.address} did not acknowledge within {timeout_s:g} s")

    def publish_all(self, topic: str, messages: Sequence[bytes], *, timeout_s: float) -> None:
        """Publish with QoS 1, many at a time, and wait until all are acknowledged.

        Raises CommandError if the connection ends first, or at the deadline.
        """
        sent = {self._client.publish(topic, message, 1).mid for message in messages}
        with self._changed:
            self._changed.wait_for(lambda: sent <= self._delivered or self._lost, timeout_s)
            left = len(sent - self._delivered)
            if left and self._lost:
                raise Lost(f"{left} not delivered: the connection was lost ({self._lost})")
        if left:
            raise Silent(f"{self.address} did not acknowledge {left} within {timeout_s:g} s")

    def subscribe(self, topic: str, qos: int, timeout_s: float | None = None) -> None:
        """Subscribe and wait for the broker's grant. Raises CommandError if there is none."""
        timeout_s = timeout_s or self._timeout_s
        code, mid = self._client.subscribe(topic, qos)
        if code != MQTTErrorCode.MQTT_ERR_SUCCESS or mid is None:
            raise Usage(f"cannot subscribe to {topic}: {paho.error_string(code)}")
        with self._changed:
            self._changed.wait_for(lambda: mid in self._granted or self._lost, timeout_s)
            granted = self._granted.get(mid)
            lost = self._lost
        if granted is None and lost:
            raise Lost(f"{self.address} ended the connection at the subscription to {topic}")
        if granted is None:
            raise Silent(f"{self.address} did not answer the subscription to {topic}")
        if not granted:
            raise Denied(f"{self.address} does not let us subscribe to {topic}")

    def resubscribe(
        self, topic: str, qos: int, on_answer: Callable[[bool], None] | None = None
    ) -> None:
        """Subscribe without waiting, from `on_connected`. on_answer: told whether the broker lets
        us."""
        _, mid = self._client.subscribe(topic, qos)
        if on_answer and mid is not None:
            self._answers_to[mid] = on_answer

    def close(self) -> None:
        """Say goodbye, if there is anybody to say it to. Never raises."""
        self._closing = True
        self._client.disconnect()
        # A broker that reads nothing more would keep paho at what is still to be sent.
        cut = threading.Timer(_GOODBYE_S, self._shut)
        cut.daemon = True
        cut.start()
        self._client.loop_stop()
        cut.cancel()

    def is_lost(self) -> bool:
        """Whether it has ended, and nobody asked for that."""
        return self._lost is not None

    def vanish(self) -> None:
        """End it as a power cut would, so that the broker publishes the will. Never raises."""
        self._closing = True
        self._shut()
        self._client.loop_stop()

    def _shut(self) -> None:
        with contextlib.suppress(OSError, AttributeError):
            self._client.socket().shutdown(socket.SHUT_RDWR)  # type: ignore[union-attr]

    def _dial(self, timeout_s: float) -> None:
        """TCP. In a thread, because nothing bounds the look-up of a name."""
        failure: list[OSError] = []

        def dial() -> None:
            try:
                self._client.connect_timeout = timeout_s
                self._client.connect(
                    self.address.host, self.address.port, keepalive=self._keepalive_s
                )
            except OSError as error:
                failure.append(error)

        thread = threading.Thread(target=dial, daemon=True)
        thread.start()
        thread.join(timeout_s + 0.5)
        if thread.is_alive():
            failure.append(TimeoutError())
        if failure:
            kind = Untrusted if isinstance(failure[0], ssl.SSLError) else Away
            raise kind(explain(failure[0], self.address, timeout_s))

    def _connected(self, *given: Any) -> None:
        answer: ReasonCode = given[3]
        self.has_session = bool(given[2].session_present)
        with self._changed:
            self._answer = answer
            if not answer.is_failure:
                self._lost = None
            self._changed.notify_all()
        if not answer.is_failure and self._on_connected:
            self._on_connected()

    def _disconnected(self, *given: Any) -> None:
        if self._closing:
            return
        reason = str(given[3])
        with self._changed:
            refused = self._answer is not None and self._answer.is_failure
            self._lost = "the broker closed it" if reason == "Unspecified error" else reason
            lost = self._lost
            self._changed.notify_all()
        if self._on_lost and self._answer is not None and not refused:
            self._on_lost(lost)

    def _published(self, *given: Any) -> None:
        with self._changed:
            self._delivered.add(given[2])
            self._changed.notify_all()

    def _subscribed(self, *given: Any) -> None:
        with self._changed:
            is_granted = not any(code.is_failure for code in given[3])
            self._granted[given[2]] = is_granted
            self._changed.notify_all()
        if tell := self._answers_to.pop(given[2], None):
            tell(is_granted)

    def _message(self, _client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
        try:
            _ = message.topic
        except UnicodeDecodeError:
            self.unnamed += 1
            return
        if self._on_message:
            self._on_message(message)


def _without_delay(_client: paho.Client, _data: Any, sock: Any) -> None:
    """What is published in several packets goes at once: TCP would wait for the acknowledgement of
    the first, which the other side delays."""
    with contextlib.suppress(OSError, AttributeError):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def forget_session(address: BrokerAddress, client_id: str) -> None:
    """Have the broker forget the session of this client, and what it keeps in it. Raises
    CommandError if it does not let us in."""
    last = Connection(address, client_id=client_id, retry_s=None)
    last.open()
    last.close()


def check_topic(topic: str) -> None:
    """Raise CommandError unless one can publish to `topic` (MQTT 3.1.1, section 4.7)."""
    _check_length(topic)
    if "+" in topic or "#" in topic:
        raise Usage(
            f"one publishes to one topic, and {topic} is a pattern: + and # are for listen"
        )


def check_filter(topic: str) -> None:
    """Raise CommandError unless one can subscribe to `topic` (section 4.7.1)."""
    _check_length(topic)
    levels = topic.split("/")
    misplaced = any("+" in level and level != "+" for level in levels) or any(
        "#" in level and (level != "#" or place < len(levels) - 1)
        for place, level in enumerate(levels)
    )
    if misplaced:
        raise Usage(
            f"{topic} is no topic filter: + stands for one whole level, "
            "and # for all the rest, as the last level"
        )


def _check_length(topic: str) -> None:
    if not 1 <= len(topic.encode()) <= 65535 or "\0" in topic:
        raise Usage("a topic has 1 to 65535 bytes of UTF-8, none of them zero")


def refusal(reason: str, address: BrokerAddress) -> str:
    """Why the broker has not let us in, by the text of its reason, and what to do."""
    if reason not in _CREDENTIALS:
        return _REFUSALS.get(reason, reason)
    if address.user is None:
        return "it wants a user and a password: give mqtt://user:password@host"
    return (
        f"wrong password, or no user {address.user} there, or one that may not connect "
        "(in the address, write @ : / ? # of a password as %40 %3A %2F %3F %23)"
    )


def explain(error: OSError, address: BrokerAddress, timeout_s: float) -> str:
    """Why there is no connection, and what to do."""
    if isinstance(error, socket.gaierror):
        return f"no host is named {address.host}: check the spelling, or give its IP address"
    if isinstance(error, ssl.SSLError) and address.tls:
        return certs_client.explain(error, str(address), address.tls)
    if isinstance(error, ConnectionRefusedError):
        return (
            f"nothing listens at {address}: start a broker there (`fieldpost broker` does for a "
            "bench), or say where it is with --broker"
        )
    if isinstance(error, TimeoutError):
        return (
            f"no answer from {address} within {timeout_s:g} s: "
            "check the address, the network and the broker's firewall"
        )
    return f"cannot reach {address}: {error.strerror or error}"
