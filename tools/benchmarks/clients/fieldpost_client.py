"""Fieldpost's wire, session, delivery and outbox, composed and driven as the node does."""

import select
import socket
import time

from common import HEAP_PUBLISHES, TOPIC, answer, contents, heap_of, payloads, since_ms, task

from firmware.net.mqtt_session import Session
from firmware.readings import record as reading
from firmware.readings.delivery import Delivery
from firmware.readings.outbox import Outbox
from wire import Wire

_WAITING = 1000
FIELDS = b'"temperature":21.53,"humidity":40.1'


def fill(outbox, count):
    for _ in range(count):
        seq = outbox.end
        outbox.put(reading.encode(3, seq, 1795368917 + seq, True, FIELDS))


def render(record):
    return reading.payload(record, 3, 1000, 1795370000)


def wire(asked):
    """Over TLS where an authority is given, with a certificate of our own if there is one."""
    if "ca" not in asked:
        return Wire(socket, select, time)
    from wire_tls import TlsWire

    from firmware.board.tls_context import context

    own = (contents(asked["cert"]), contents(asked["key"])) if "cert" in asked else None
    return TlsWire(socket, select, time, None, context(contents(asked["ca"]), own))


class Bench:
    def __init__(self, asked, outbox):
        self.wire = wire(asked)
        self.session = Session(self.wire, "bench", asked["host"], asked["port"])
        if asked.get("no_nudge"):
            self.session._may_nudge = lambda: False
        self.outbox = outbox
        self.delivery = Delivery(outbox, self.session, TOPIC, render)

    def publish_early(self):
        self.delivery.restart()
        self.delivery.pump_all()

    def deliver(self):
        """The node's loop, until nothing waits."""
        session, delivery, outbox, wire = self.session, self.delivery, self.outbox, self.wire
        while outbox.depth:
            session.poll()
            more = delivery.pump()
            session.flush()
            if outbox.depth and not more:
                wire.wait(session.due_ms())


def wake(asked):
    outbox = Outbox(None, None, asked["readings"])
    fill(outbox, asked["readings"])
    bench = Bench(asked, outbox)
    start_us = time.ticks_us()
    bench.session.open(bench.publish_early)
    bench.deliver()
    delivered_ms = since_ms(start_us)
    bench.session.close()
    wire = bench.wire
    answer(
        ms=since_ms(start_us),
        delivered_ms=delivered_ms,
        waits=wire.round_trips,
        segments=wire.segments,
    )


def burst(asked):
    """Bursts on a connection that has been open and quiet: how long until the last is answered."""
    bench = Bench(asked, Outbox(None, None, asked["readings"]))
    session, wire = bench.session, bench.wire
    session.open()
    took = []
    for _ in range(asked["bursts"]):
        time.sleep_ms(300)
        fill(bench.outbox, asked["readings"])
        start_us = time.ticks_us()
        bench.deliver()
        took.append(since_ms(start_us))
        while wire.wait(100):
            session.poll()  # the answer to the nudge
    session.close()
    took.sort()
    answer(ms=took[len(took) // 2], delivered_ms=took[-1])


def throughput(asked):
    count = asked["readings"]
    outbox = Outbox(None, None, max(_WAITING, 3 * HEAP_PUBLISHES))
    bench = Bench(asked, outbox)
    session, wire = bench.session, bench.wire
    session.open()
    readings = payloads(100)
    took_ms = 0
    # No board holds 10,000 readings in RAM: past that many it is the allocator that is measured,
    # which looks for room behind them.
    for start in range(0, count if asked["qos"] else 0, _WAITING):
        fill(outbox, min(_WAITING, count - start))
        start_us = time.ticks_us()
        bench.deliver()
        took_ms += since_ms(start_us)
    start_us = time.ticks_us()
    if not asked["qos"]:
        for n in range(count):
            session.publish(TOPIC, readings[n % 100], False, 0)
        session.flush()
    # An answer to a QoS 1 message: the broker has taken all that was before it.
    session.publish(TOPIC, readings[0], False, 1)
    session.flush()
    while session.waits():
        wire.wait(session.due_ms())
        session.poll()
    took_ms += since_ms(start_us)

    def publishes():
        for n in range(HEAP_PUBLISHES):
            if asked["qos"]:
                session.publish_reading(TOPIC, readings[n])
            else:
                session.publish(TOPIC, readings[n], False, 0)
        session.flush()
        while session.waits():
            wire.wait(session.due_ms())
            session.poll()

    session.on_acknowledged = None
    alone = heap_of(publishes)
    if asked["qos"]:
        session.on_acknowledged = bench.delivery._acknowledged
        outbox.acknowledge(outbox.end)
        fill(outbox, 3 * HEAP_PUBLISHES)
        stage = Staged(bench)
        whole = heap_of(stage.publishes)
    else:
        whole = alone
    answer(per_s=count / took_ms * 1000, readings=count, heap=alone, heap_with_outbox=whole)
    session.close()


class Staged:
    """HEAP_PUBLISHES readings from the outbox to their acknowledgement."""

    def __init__(self, bench):
        self.bench = bench
        bench.delivery._oldest = bench.delivery._next = bench.outbox.first

    def publishes(self):
        bench = self.bench
        bench.delivery.pump()
        bench.session.flush()
        while bench.session.waits():
            bench.wire.wait(bench.session.due_ms())
            bench.session.poll()


if __name__ == "__main__":
    wanted = task()
    globals()[wanted["do"]](wanted)
