"""Session after session through a proxy that breaks the odd ones, by the firmware's own client.

Arguments: port of the proxy, number of sessions. Session k takes the readings 3k to 3k+2: it
connects, subscribes, publishes them with QoS 1, pings and disconnects, on a connection that
breaks; then again, on one that does not, until all has been acknowledged. One line of JSON each.
"""

import gc
import json
import select
import socket
import sys
import time

from firmware import files
from firmware.clock import Clock
from firmware.net.mqtt_session import Session
from firmware.readings import record as reading
from firmware.readings.delivery import Delivery
from firmware.readings.outbox import Outbox
from wire import Wire

_TIMEOUT_MS = 150
_READINGS = 3


def attempt(session, delivery, outbox):
    """One connection: all that a session does. OSError when it breaks."""
    session.open(delivery.publish_early)
    session.subscribe(b"chaos/cmd")
    pinged = False
    while outbox.depth or session.waits() or not pinged:
        if not pinged and not session.waits():
            session.ping()
            session.flush()
            pinged = True
        session.wire.wait(min(session.due_ms(), 20))
        session.poll()
        delivery.pump()
        session.flush()
    session.close()


class Rider(Delivery):
    def publish_early(self):
        self.restart()
        self.pump_all()


def main(port, sessions):
    clock = Clock(time, True)
    wire = Wire(socket, select, clock)
    session = Session(
        wire, "chaos", "127.0.0.1", port, timeout_ms=_TIMEOUT_MS, will=(b"chaos/status", b"gone")
    )
    outbox = Outbox(files, None, 64, 0)
    delivery = Rider(outbox, session, b"chaos/telemetry", None)
    delivery.render = lambda record: reading.payload(record, 1, 0, None)
    for k in range(sessions):
        for n in range(_READINGS):
            outbox.put(reading.encode(1, k * _READINGS + n, k, 1, b'"temperature":21.5'))
        wire.longest_wait_ms = 0
        attempts = 0
        errors = []
        started = time.ticks_ms()
        while outbox.depth:
            attempts += 1
            try:
                attempt(session, delivery, outbox)
            except OSError as error:
                errors.append(error.args[0])
                session.abandon()
            if attempts > 20:
                break
        gc.collect()
        print(
            json.dumps(
                {
                    "session": k,
                    "attempts": attempts,
                    "errors": errors,
                    "left": outbox.depth,
                    "longest_wait_ms": wire.longest_wait_ms,
                    "ms": time.ticks_diff(time.ticks_ms(), started),
                }
            )
        )


main(int(sys.argv[1]), int(sys.argv[2]))
