"""One MQTT 3.1.1 session on an unmodified `umqtt.simple`, over a `Wire`.

Upstream builds CONNECT, checks CONNACK and parses what arrives; this adds what it lacks: QoS 1
with a window of messages in flight, packet ids that wrap, an awaited answer to the ping, and one
exception, `OSError`, for every way in which a link can be gone.
"""

from micropython import const
from umqtt import simple

from firmware.net.mqtt_in_flight import InFlight
from firmware.net.mqtt_packets import ACKNOWLEDGEMENTS, TooLarge, acknowledged, length, put

_PUBLISH = const(0x30)
_PUBACK = const(0x40)
_PINGRESP = const(0xD0)
_DUP = const(0x08)
_QOS1 = const(0x02)  # also of a SUBSCRIBE
_SUBSCRIBE = const(0x82)
_EPROTO = const(71)
_ETIMEDOUT = const(110)
# Packets taken in by one poll: a flood must not keep the node from its sensors.
_BURST = const(64)
# QoS 1 messages other than readings (status, results of commands) that may be in flight.
_OTHERS_MAX = const(16)
# How long the rest of an answered burst may lag before the peer is nudged.
_NUDGE_MS = const(5)
# A broker that did not take early packets gets no more than a quarter of their readings for 1
# connection that has so many, then for 4, 16, and 64 at most: the first time may have been an
# accident. (aedes takes 42 packets before CONNACK, and closes on the next one.)
_IN_VAIN_MAX = const(3)
_ALL = const(0xFFFF)


class Refused(Exception):
    """The broker's reason, in words, to refuse a CONNECT; it will not get better soon."""


class Session(simple.MQTTClient):
    """Open, publish many, poll, close.

    host: name or address; client_id: unique at the broker. user, password: str or None.
    keepalive_s: 1 to 65535. clean: False keeps subscriptions and queued messages at the broker.
    will: (topic, payload), published by the broker with QoS 1, retained, if the node vanishes.
    timeout_ms: bound of every operation, and of the wait for any acknowledgement.
    early: let readings travel with CONNECT (section 3.1.4), in the same segment.
    window: QoS 1 readings in flight at most. 1,024 acknowledgements fit every port's receive
    buffer, so that a burst can be sent before the first one is read.
    on_message(topic, payload, retained): bytes, bytes, bool.

    Set by the owner:
    on_acknowledged(count): the `count` oldest readings in flight have been acknowledged.
    log(text): where a topic is named that the broker does not take; `refused` lists them.
    careful: firmware/net/mqtt_careful.py after a connection that ended, or None.
    """

    def __init__(
        self,
        wire,
        client_id,
        host,
        port=1883,
        user=None,
        password=None,
        keepalive_s=60,
        clean=True,
        will=None,
        timeout_ms=10000,
        early=True,
        window=512,
        on_message=None,
    ):
        # Upstream takes len() for the number of bytes: only bytes are safe.
        super().__init__(
            client_id.encode(),
            host,
            port,
            user.encode() if user else None,
            (password or "").encode() if user else None,
            keepalive_s,
        )
        self.wire = wire
        self._rx = wire.rx
        self.clean = clean
        self.early = early
        self.timeout_ms = timeout_ms
        self.on_acknowledged = None
        self.on_message = on_message
        self.careful = None
        self.log = None
        self.refused = []
        self.granted = True  # what was acknowledged last, as far as it can be refused
        self._subscriptions = {}  # packet id -> topic, of this connection
        if will:
            self.set_last_will(will[0], will[1], True, 1)
        self.set_callback(self._received)
        self._flags = 0  # first byte of the message that comes in
        self.oversized = 0  # messages of more than READ_LIMIT bytes, which were read past
        self.in_flight = InFlight(window)
        self.others = []
        self.ping_ms = None
        # When the oldest reading in flight, and the oldest other message, was sent or became it:
        # what is answered behind one that was lost does not stand for it.
        self._reading_since_ms = self._other_since_ms = 0
        self._heard_ms = self._spoke_ms = 0
        self._sent_bytes = 0  # the wire's count when `_spoke_ms` was noted
        # Early readings that left with the last CONNECT, and one more; and whether in vain.
        self._sent_early = 0
        self.early_in_vain = False
        self._in_vain = 0  # times in a row
        self._few = _ALL  # readings that may ride on the next `_without` connections with more
        self._without = 0
        self._plain = False  # the next connection has none
        self._nudged = self._answered = False
        self.repeats = 0  # readings sent again since the start

    # Life of a connection --------------------------------------------------------------------

    def open(self, publish_early=None):
        """Connect; True if the broker kept a session. `publish_early()` has the first messages.

        They travel with CONNECT if `early`; if a broker closed on that or never answered them,
        the next try does without, later ones have fewer, and none at all if these fail, too.
        Raises `Refused`, or `OSError` within `timeout_ms`.
        """
        wire = self.wire
        simple.socket = wire
        # What was skipped while the connection before broke must not be skipped again.
        self._report()
        self.others.clear()
        self._subscriptions.clear()
        self.in_flight.sent = 0
        self.ping_ms = None
        self._nudged = False
        if self.careful:
            self.careful.restart()
        ring = self.in_flight
        _, without, few = self.early_state()
        ring.window = few if without else _ALL
        early = bool(publish_early and self.early and ring.window and not self._plain)
        self._plain = False
        self._heard_ms = self._spoke_ms = wire.now_ms()
        wire.arm(self.timeout_ms)
        wire.publish_early = publish_early if early else None
        sent_bytes = wire.sent_bytes
        try:
            kept = self._guarded(self.connect, self.clean)
        except simple.MQTTException as refusal:
            from firmware.net.mqtt_refusals import error_of

            raise error_of(refusal.args[0], Refused)
        except OSError:
            if early and wire.sent_bytes != sent_bytes:
                # Whatever its errno: a broker may close, answer them before CONNACK, or be silent.
                self._sent_early = ring.sent + 1
                self.early_in_vain = True
            raise
        self._heard_ms = wire.now_ms()
        # CONNACK is the first answer to what left with CONNECT, and to nothing else.
        self._answered = early
        self._sent_early = ring.sent + 1 if early else 0
        # Until all is answered: a broker may take some of its early packets and close on the next
        # one, or drop them all and take what follows.
        self.early_in_vain = early and self.waits()
        if without and publish_early and ring.sent >= few:
            self._without -= 1
        ring.window = _ALL
        if not early and publish_early:
            publish_early()
            wire.flush()
        return bool(kept)

    def early_state(self):
        """(times in a row that early packets left in vain, connections with more than so many
        readings that still have so many at most before CONNACK, so many), the last connection
        counted. For `resume`, by whoever keeps it over a sleep."""
        rode = self._sent_early - 1
        if self.early_in_vain:
            if rode <= self._few:
                self._few = rode >> 2
            self._without = 1 << 2 * self._in_vain
            self._in_vain = min(self._in_vain + 1, _IN_VAIN_MAX)
            self._plain = True
        elif rode > self._few or rode >= 0 == self._few:
            self._in_vain = 0
            self._few = _ALL
        self._sent_early = 0
        self.early_in_vain = False
        return self._in_vain, self._without, self._few

    def resume(self, early_state):
        """Go on with what `early_state` gave."""
        self._in_vain, self._without, self._few = early_state

    def close(self):
        """Send DISCONNECT, so that no will is published, and close in every case."""
        wire = self.wire
        if wire.is_open():
            wire.arm(self.timeout_ms)
            try:
                wire.write(b"\xe0\0")
                wire.flush()
            except OSError:
                pass  # The peer is gone: then the will is right.
        wire.close()

    def abandon(self):
        """Close without DISCONNECT: the broker publishes the will."""
        self.wire.close()

    # Publishing ------------------------------------------------------------------------------

    def publish(self, topic, msg, retain=False, qos=0):
        """Gather one PUBLISH of bytes `msg` to bytes `topic`; it leaves on `flush` or a wait.
        ValueError for a topic longer than a segment.

        QoS 1 is acknowledged in its time or the connection is given up; it is not sent again.
        """
        self._extra(retain | qos << 1, topic, msg)

    def subscribe(self, topic, qos=1):
        """Gather a SUBSCRIBE to bytes `topic`. If the broker refuses, the session goes on."""
        self._extra(_SUBSCRIBE, topic, bytes((qos,)))

    def send(self, flags, topic, body):
        """Gather what `publish` or `subscribe` made: see `put`."""
        pid = 0
        if flags & _QOS1:
            if len(self.others) >= _OTHERS_MAX:
                self._lost(OSError(_ETIMEDOUT))
            pid = self._next_pid()
        put(self.wire, flags, topic, body, pid)
        if pid:
            if not self.others:
                self._other_since_ms = self.wire.now_ms()
            self.others.append(pid)
            if flags & 0x80:
                self._subscriptions[pid] = topic

    def publish_reading(self, topic, msg):
        """Gather the next reading, QoS 1, if the window has room. In order: first those that are
        still in flight from the connection before, which keep their packet id, then new ones."""
        ring = self.in_flight
        if not ring.sent:
            self._reading_since_ms = self.wire.now_ms()
        if ring.sent == ring.count:
            pid = self._next_pid()
            ring.add(pid)
            put(self.wire, _QOS1, topic, msg, pid)
            return
        pid = ring.again()
        if pid:
            self.repeats += 1
            put(self.wire, _QOS1 | _DUP, topic, msg, pid)
        else:
            ring.release()  # Acknowledged out of order before the connection broke.

    def flush(self):
        """Send all that was gathered, within the deadline."""
        self.wire.arm(self.timeout_ms)
        self._flush()

    def waits(self):
        """Whether an acknowledgement is outstanding on this connection."""
        return bool(self.others or self.in_flight.sent or (self.careful and self.careful.held))

    # Receiving -------------------------------------------------------------------------------

    def poll(self):
        """Take in what has arrived, ping when due. `OSError` if the link is gone.

        It does not wait for anything but the rest of a packet that has begun to arrive.
        """
        wire = self.wire
        wire.arm(self.timeout_ms)
        try:
            for _ in range(_BURST):
                if not wire.available():
                    break
                self._heard_ms = wire.now_ms()
                self._answered = True
                self._take_pubacks()
                if wire.rx_start != wire.rx_end:
                    self._guarded(self._take_packet)
        finally:
            self._report()
        if self._left_ms() < 0:
            self._lost(OSError(_ETIMEDOUT))
        if self.ping_ms is None and self._quiet_ms() >= self.ping_after_ms():
            self.ask()
        elif self._may_nudge() and wire.since_ms(self._heard_ms) >= _NUDGE_MS:
            self._nudged = True
            self.ask()
        if not self.in_flight.sent:
            self._nudged = self._answered = False
        if self.careful:
            self.careful.step()
        self._flush()

    def ping_after_ms(self):
        """Silence of either side after which the peer is asked whether it is still there: half
        the keepalive, so that the answer's deadline is over before the broker gives up at one
        and a half. For the broker only what it hears counts (section 3.1.2.10)."""
        return self.keepalive * 500

    def due_ms(self):
        """Milliseconds until `poll` has something to do even if nothing arrives."""
        wire = self.wire
        due_ms = self._left_ms()
        if self.ping_ms is None:
            due_ms = min(due_ms, self.ping_after_ms() - self._quiet_ms())
            if self._may_nudge():
                due_ms = min(due_ms, _NUDGE_MS - wire.since_ms(self._heard_ms))
        return max(due_ms + 1, 0)

    # Inside ----------------------------------------------------------------------------------

    def _may_nudge(self):
        """Whether a broker under Nagle's algorithm may be sitting on its answers.

        It keeps back a PUBACK until TCP has acknowledged what it sent before, and TCP delays that
        (40 ms on Linux, 250 ms on lwIP) unless something is sent: a ping will do.
        """
        if self._nudged or self.ping_ms is not None:
            return False
        return self._answered and self.in_flight.sent > 0

    def _left_ms(self):
        """Until the first deadline of what is awaited is over; negative: it is."""
        since_ms = self.wire.since_ms
        waited_ms = 0 if self.ping_ms is None else since_ms(self.ping_ms)
        if self.in_flight.sent:
            waited_ms = max(waited_ms, since_ms(self._reading_since_ms))
        if self.others:
            waited_ms = max(waited_ms, since_ms(self._other_since_ms))
        return self.timeout_ms - waited_ms

    def ask(self):
        """Gather a ping, whose answer shows that the broker took what was sent before it."""
        self.ping()
        self.ping_ms = self.wire.now_ms()

    def _flush(self):
        wire = self.wire
        wire.flush()
        if wire.sent_bytes != self._sent_bytes:
            self._sent_bytes = wire.sent_bytes
            self._spoke_ms = wire.now_ms()

    def _quiet_ms(self):
        wire = self.wire
        return max(wire.since_ms(self._heard_ms), wire.since_ms(self._spoke_ms))

    def _next_pid(self):
        self.pid = self.pid % 65535 + 1  # 0 is no packet id (section 2.3.1)
        return self.pid

    def _extra(self, flags, topic, body):
        if not (self.careful and self.careful.holds(flags, topic, body)):
            self.send(flags, topic, body)

    def _take_pubacks(self):
        """The hot path: whole PUBACKs are read where they lie, without allocating."""
        wire = self.wire
        rx = self._rx
        at = wire.rx_start
        while wire.rx_end - at >= 4 and rx[at] == _PUBACK and rx[at + 1] == 2:
            self._acknowledged(rx[at + 2] << 8 | rx[at + 3])
            at += 4
        wire.rx_start = at

    def _take_packet(self):
        wire = self.wire
        first = wire.rx[wire.rx_start]
        kind = first & 0xF0
        if kind == _PUBLISH:
            if first & 4:
                raise OSError(_EPROTO)  # QoS 2 was not asked for, and there is no QoS 3.
            self._flags = first
            try:
                self.wait_msg()
            except TooLarge:
                self.oversized += 1
        elif first == _PINGRESP:
            self.wait_msg()
            self.ping_ms = None
        elif first in ACKNOWLEDGEMENTS:
            self.wait_msg()
            pid, self.granted = acknowledged(wire, first)
            if not self.granted:
                from firmware.net.mqtt_refusals import refuse

                refuse(self, self._subscriptions.get(pid, b"").decode())
            self._acknowledged(pid)
        else:
            raise OSError(_EPROTO)

    def _recv_len(self):
        """In upstream's place, which takes as many bytes as the peer cares to send."""
        return length(self.wire, self._flags)

    def _received(self, topic, msg):
        if self.on_message:
            self.on_message(topic, msg, bool(self._flags & 1))

    def _acknowledged(self, pid):
        if not pid:
            self._lost(OSError(_EPROTO))  # The mark of what is done already, among the ids.
        sent = self.in_flight.sent
        if pid in self.others:
            if pid == self.others[0]:
                self._other_since_ms = self._heard_ms
            self.others.remove(pid)
        elif not self.in_flight.acknowledge(pid):
            return  # Nothing of ours: a late answer to what was given up.
        if self.in_flight.sent != sent:
            self._reading_since_ms = self._heard_ms
        if not self.waits():
            self.early_in_vain = False

    def _report(self):
        count, self.in_flight.done = self.in_flight.done, 0
        if count and self.on_acknowledged:
            self.on_acknowledged(count)

    def _guarded(self, operation, *args):
        """Run upstream's code: whatever it raises on malformed input, the link is gone."""
        try:
            return operation(*args)
        except (OSError, simple.MQTTException, MemoryError):
            self.wire.close()
            raise
        except (AssertionError, IndexError, TypeError, ValueError) as error:
            self._lost(OSError(_EPROTO, str(error)))

    def _lost(self, error):
        self.wire.close()
        raise error
