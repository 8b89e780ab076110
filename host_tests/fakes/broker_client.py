"""The broker's side of one client's connection."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from fakes import mqtt_packets as mqtt
from fakes.broker_session import Message, Session
from fakes.habits import Unwanted

if TYPE_CHECKING:
    from fakes.broker import Broker
    from fakes.net import Connection


_REFUSED = 0x80  # SUBACK's return code (3.9.3)


class Client:
    """A connection's handler (see `fakes.net`): parses, obeys, answers."""

    def __init__(self, broker: "Broker", connection: "Connection") -> None:
        self.broker = broker
        self.connection = connection
        self.session = Session("", True)  # nobody's until CONNECT
        self.connect: mqtt.Connect | None = None
        self.client_id = ""
        self.open = True
        self._rest = b""
        self._heard_us = broker.world.now_us
        self._keepalive_s = 0
        self._answered_us = -1  # when CONNACK leaves
        self._connack = b""  # until it is sent
        self._early = 0  # packets before it
        self._unread = False  # bytes behind the packet at hand
        self._hangs = False
        self._batching = False
        self._out: list[bytes] = []
        self._acknowledgements: list[bytes] = []

    # -- what the network says -----------------------------------------------------------------

    def received(self, data: bytes) -> None:
        self._heard_us = self.broker.world.now_us
        if self._rest:
            data = self._rest + data
            self._rest = b""
        position = 0
        size = len(data)
        self._batching = True
        try:
            while self.open and position < size:
                header = mqtt.read_length(data, position + 1)
                if header is None:
                    break
                length, start = header
                self._unread = size > start
                if length > self.broker.largest_packet:
                    raise mqtt.Malformed("packet too large")
                if length >= self.broker.habits.packet_max:
                    raise Unwanted("a packet too large")
                if start + length > size:
                    self._check_start(data[position])
                    break
                first = data[position]
                position = start + length
                self._unread = size > position
                self._packet(first, data[start:position])
        except mqtt.Malformed as error:
            self._flush()
            self.broker.violated(self.client_id, str(error))
            self.end(str(error), self._closing())
        except Unwanted as error:
            self._flush()
            self.end(str(error), self._closing())
        except mqtt.Refused as error:
            self._answer("CONNACK", bytes((0x20, 2, 0, error.code)))
            self._flush()
            self.end("refused", self._closing())
        self._flush()
        self._batching = False
        if self.open:
            self._rest = data[position:]

    def closed(self, reason: str) -> None:
        """The client's connection ended without DISCONNECT."""
        self.end(reason, None)

    def _check_start(self, first: int) -> None:
        """The first packet can be judged before all of it is here."""
        if self.connect is None and first != mqtt.CONNECT << 4:
            raise mqtt.Malformed("a packet before CONNECT")

    def _closing(self) -> str:
        """How the kernel ends the connection for a broker that closes it now."""
        return "reset" if self._unread and self.broker.habits.unread_resets else "close"

    # -- packets -------------------------------------------------------------------------------

    def _packet(self, first: int, body: bytes) -> None:
        kind = first >> 4
        if kind != mqtt.PUBLISH:
            flags = mqtt.FLAGS.get(kind)
            if flags is None:
                raise mqtt.Malformed(f"packet type {kind} from a client")
            if flags != first & 0x0F:
                raise mqtt.Malformed("reserved flags")
        if self.connect is None:
            if kind != mqtt.CONNECT:
                raise mqtt.Malformed("a packet before CONNECT")
            self._connect(body)
            return
        if self._hangs:
            return
        if self.broker.world.now_us <= self._answered_us and not self._takes_early():
            return
        if kind == mqtt.PUBLISH:
            self._publish(first, body)
        elif kind == mqtt.PUBACK:
            self.session.acknowledged(self.broker, mqtt.read_acknowledgement(body))
        elif kind == mqtt.SUBSCRIBE:
            self._subscribe(body)
        elif kind == mqtt.UNSUBSCRIBE:
            pid, patterns = mqtt.read_unsubscribe(body)
            for pattern in patterns:
                self.broker.unsubscribe(self.session, pattern)
            self._answer("UNSUBACK", b"\xb0\x02" + pid.to_bytes(2, "big"))
        elif kind == mqtt.PINGREQ:
            if body:
                raise mqtt.Malformed("bad remaining length")
            self._answer("PINGRESP", b"\xd0\x00")
        elif kind == mqtt.DISCONNECT:
            if body:
                raise mqtt.Malformed("bad remaining length")
            self.connect = self.connect._replace(will_topic=None)
            self.end("disconnect", "close")
        elif kind == mqtt.PUBREL:
            pid = mqtt.read_acknowledgement(body)
            self.session.incoming_qos2.discard(pid)
            self._answer("PUBCOMP", b"\x70\x02" + pid.to_bytes(2, "big"))
        elif kind == mqtt.CONNECT:
            raise mqtt.Malformed("a second CONNECT")
        else:
            mqtt.read_acknowledgement(body)  # PUBREC, PUBCOMP: nothing was sent with QoS 2

    def _takes_early(self) -> bool:
        """Whether a packet that came before CONNACK is taken."""
        habits = self.broker.habits
        if not self.broker.early:
            raise mqtt.Malformed("a packet before CONNACK")
        self._early += 1
        if self._early > habits.early_max:
            raise Unwanted("packets before CONNACK")
        return habits.early in ("take", "answer")

    def _connect(self, body: bytes) -> None:
        broker = self.broker
        habits = broker.habits
        connect = mqtt.read_connect(body)
        self.client_id = connect.client_id
        client_id = broker.admit(connect)
        habits.check_will(connect)
        self.client_id = client_id
        other = broker.clients.get(client_id)
        if other is not None:
            other.end("taken over", "close")
        self.connect = connect
        self.session, present = broker.session_for(client_id, connect.clean)
        self.session.client = self
        broker.clients[client_id] = self
        broker.world.note("CONNECT", client_id)
        delay_ms = _value(broker.connack_delay_ms)
        self._answered_us = broker.world.now_us + int(delay_ms * 1000)
        self._hangs = self._unread and habits.early == "hang"
        self._connack = bytes((0x20, 2, present, 0))
        if not self._unread or habits.early != "answer":
            self._answer_connect()
        self._keepalive_s = connect.keepalive_s
        if connect.keepalive_s and broker.enforce_keepalive:
            broker.world.at(self._keepalive_ends_us(), self._check_keepalive)
        if not present:
            return
        if habits.queue_delay_ms:
            broker.world.after_ms(
                delay_ms + habits.queue_delay_ms, self.session.resume, broker, self
            )
        else:
            self.session.resume(broker, self)

    def _answer_connect(self) -> None:
        connack, self._connack = self._connack, b""
        if connack:
            self._answer("CONNACK", connack)

    def _publish(self, first: int, body: bytes) -> None:
        qos = first >> 1 & 3
        dup = first & 8 != 0
        if qos == 3:
            raise mqtt.Malformed("QoS 3")
        if dup and qos == 0:
            raise mqtt.Malformed("DUP on QoS 0")
        start = 2 + int.from_bytes(body[:2], "big")
        pid = 0
        name = body[2:start]
        if qos:
            start += 2
            pid = int.from_bytes(body[start - 2 : start], "big")
        if len(body) < max(start, 2):
            raise mqtt.Malformed("packet too short")
        topic = mqtt.topic_name(name)
        if qos and pid == 0:
            raise mqtt.Malformed("packet id 0")
        message = Message(topic, body[start:], qos, first & 1 == 1)
        broker = self.broker
        habits = broker.habits
        habits.check_limits(qos, message.retain, message.payload)
        taken = habits.may_publish(topic)
        if qos and not taken and habits.on_publish == "ignore":
            return
        if qos == 1 and habits.lost_publish and broker.rng.random() < habits.lost_publish:
            return
        if qos == 1:
            if taken:
                broker.route(self.client_id, message, dup)
            self._acknowledge(b"\x40\x02" + pid.to_bytes(2, "big"))
        elif qos == 0:
            if taken:
                broker.route(self.client_id, message, dup)
        else:
            if pid not in self.session.incoming_qos2:
                self.session.incoming_qos2.add(pid)
                if taken:
                    broker.route(self.client_id, message, dup)
            self._answer("PUBREC", b"\x50\x02" + pid.to_bytes(2, "big"))

    def _subscribe(self, body: bytes) -> None:
        """Grants at most QoS 1 (3.9.3 allows less than was asked for)."""
        pid, wanted = mqtt.read_subscribe(body)
        granted = bytearray()
        retained = []
        broker, habits = self.broker, self.broker.habits
        for pattern, qos in wanted:
            if not habits.may_subscribe(pattern) and habits.on_subscribe != "grant":
                granted.append(_REFUSED)
                continue
            qos = min(qos, 1, habits.qos_max)
            granted.append(qos)
            for message in broker.subscribe(self.session, pattern, qos):
                if habits.may_read(message.topic):
                    retained.append((message, min(qos, message.qos)))
        if _REFUSED in granted and habits.on_subscribe == "ignore":
            return
        self._answer("SUBACK", mqtt.packet(0x90, pid.to_bytes(2, "big") + granted))
        for message, qos in retained:
            self.session.deliver(self.broker, message, qos, retain=True)

    # -- what it sends -------------------------------------------------------------------------

    def send_publish(self, message: Message, pid: int, dup: bool) -> None:
        topic, payload, qos, retain = message
        self._answer("PUBLISH", mqtt.publish(topic, payload, qos, retain, dup, pid))

    def _acknowledge(self, data: bytes) -> None:
        broker = self.broker
        if broker.shuffle_pubacks:
            self._acknowledgements.append(data)
            return
        delay_ms = _value(broker.puback_delay_ms)
        if delay_ms:
            broker.world.after_ms(delay_ms, self._answer, "PUBACK", data)
        else:
            self._answer("PUBACK", data)

    def _answer(self, name: str, data: bytes) -> None:
        broker = self.broker
        if broker.mute or self._hangs or not self.open:
            return
        if broker.answer is not None:
            changed = broker.answer(name, data)
            if changed is None:
                return
            data = changed
        if broker.world.now_us < self._answered_us:
            broker.world.at(self._answered_us, self._send, data)  # nothing overtakes CONNACK
        elif self._batching:
            self._out.append(data)
        else:
            self.connection.send(data)

    def _send(self, data: bytes) -> None:
        if self.open:
            self.connection.send(data)

    def _flush(self) -> None:
        self._flush_acknowledgements()
        self._answer_connect()
        if self._out:
            out, self._out = self._out, []
            if self.open:
                self.connection.send(b"".join(out))

    def _flush_acknowledgements(self) -> None:
        if self._acknowledgements:
            late, self._acknowledgements = self._acknowledgements, []
            self.broker.rng.shuffle(late)
            for data in late:
                self._answer("PUBACK", data)

    # -- its end -------------------------------------------------------------------------------

    def _keepalive_ends_us(self) -> int:
        return self._heard_us + self._keepalive_s * 1_500_000

    def _check_keepalive(self) -> None:
        if self.open:
            ends_us = self._keepalive_ends_us()
            if ends_us <= self.broker.world.now_us:
                self.end("keepalive", "close")
            else:
                self.broker.world.at(ends_us, self._check_keepalive)

    def end(self, reason: str, how: str | None) -> None:
        """Close ("close", "reset") or, with None, note that it is closed; publish the will."""
        if not self.open:
            return
        if how is not None:
            self._flush()
        self.gone()
        if how == "reset":
            self.connection.reset()
        elif how is not None:
            self.connection.close()
        if self.connect is None:
            return
        broker = self.broker
        broker.world.note("end", self.client_id, reason)
        if broker.clients.get(self.client_id) is self:
            del broker.clients[self.client_id]
        connect = self.connect
        if connect.will_topic is not None:
            will = Message(
                connect.will_topic, connect.will_payload, connect.will_qos, connect.will_retain
            )
            if broker.habits.allows_will(will.topic):
                broker.route(self.client_id, will, dup=False)

    def gone(self) -> None:
        """The connection is no more; the session may be."""
        self.open = False
        session = self.session
        if session.client is self:
            session.client = None
            if session.clean:
                self.broker.forget(session)


def _value(setting: float | Callable[[], float]) -> float:
    return setting if isinstance(setting, int | float) else setting()
