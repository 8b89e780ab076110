"""What real brokers do that the standard lets them do, or does not rule out.

    broker = Broker(world, habits=Habits(subscribe_denied=("+/+/cmd",), on_subscribe="close"))

A client that meets them did nothing wrong: what they cost it is no violation. The tests compare
the habits of Mosquitto with Mosquitto.
"""

from dataclasses import dataclass

from fakes import mqtt_packets as mqtt


class Unwanted(Exception):
    """A packet that the standard allows, and that this broker closes the connection on."""


@dataclass(frozen=True)
class Habits:
    """The habits of one broker; by default it takes everything, and at once.

    Permissions. `publish_denied`, `subscribe_denied`: topic filters.
    `on_publish`: what becomes of a denied PUBLISH: "acknowledge" (and drop it), "close" or
    "ignore" (never acknowledged). `on_subscribe`: of a denied SUBSCRIBE: "refuse" (0x80),
    "grant" (and deliver nothing), "close" or "ignore".

    Limits. `packet_max`: remaining length and one, as Mosquitto counts `max_packet_size`;
    a larger packet closes. `retained_max`: bytes of a retained payload, -1 for no retained
    messages at all; `qos_max`: 0 to 2. A PUBLISH beyond them closes, and so does a CONNECT whose
    will is, without CONNACK. `unread_resets`: a connection that is closed while bytes of the
    client are unread ends in a reset, as the kernel does it for a broker that reads packet by
    packet; some ports then forget what came before it.

    Packets before CONNACK. `early`: "take", "drop" (never taken, never answered),
    "answer" (before CONNACK) or "hang" (nothing is answered any more, CONNECT included);
    `early_max`: one more of them closes.

    Messages. `queue_delay_ms`: what waited in the session comes so long after CONNACK;
    `queue_retain`: with RETAIN set. `lost_publish`: the chance that a PUBLISH with QoS 1 gets
    lost without an answer, as in a relay.
    """

    publish_denied: tuple[str, ...] = ()
    on_publish: str = "acknowledge"
    subscribe_denied: tuple[str, ...] = ()
    on_subscribe: str = "refuse"
    packet_max: int = 1 << 20
    retained_max: int = 1 << 20
    qos_max: int = 2
    unread_resets: bool = False
    early: str = "take"
    early_max: int = 1 << 20
    queue_delay_ms: int = 0
    queue_retain: bool = False
    lost_publish: float = 0.0

    def __post_init__(self) -> None:
        assert self.on_publish in ("acknowledge", "close", "ignore"), self.on_publish
        assert self.on_subscribe in ("refuse", "grant", "close", "ignore"), self.on_subscribe
        assert self.early in ("take", "drop", "answer", "hang"), self.early

    def check_will(self, connect: mqtt.Connect) -> None:
        """Raises Unwanted for a will that this broker would not take as a message."""
        if connect.will_topic is not None:
            self.check_limits(connect.will_qos, connect.will_retain, connect.will_payload)

    def check_limits(self, qos: int, retain: bool, payload: bytes) -> None:
        """Raises Unwanted for a message beyond the limits."""
        if qos > self.qos_max:
            raise Unwanted(f"QoS {qos}")
        if retain and len(payload) > self.retained_max:
            raise Unwanted("a retained message")

    def may_publish(self, topic: str) -> bool:
        """False: the message is to be dropped. Raises Unwanted if this broker closes on it."""
        if not _covered(self.publish_denied, topic):
            return True
        if self.on_publish == "close":
            raise Unwanted(f"a PUBLISH to {topic}")
        return False

    def allows_will(self, topic: str) -> bool:
        """Whether a will on `topic` is published."""
        return not _covered(self.publish_denied, topic)

    def may_subscribe(self, pattern: str) -> bool:
        """The same for one topic filter of a SUBSCRIBE."""
        if not _covered(self.subscribe_denied, pattern):
            return True
        if self.on_subscribe == "close":
            raise Unwanted(f"a SUBSCRIBE to {pattern}")
        return False

    def may_read(self, topic: str) -> bool:
        """Whether a message on `topic` reaches who has subscribed to it."""
        return self.on_subscribe != "grant" or not _covered(self.subscribe_denied, topic)


def _covered(filters: tuple[str, ...], topic: str) -> bool:
    return any(mqtt.matches(one, topic) for one in filters)
