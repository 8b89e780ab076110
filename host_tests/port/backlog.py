"""A backlog on flash delivered through whatever happens to the broker. Arguments: port, count.

Prints `flying` once the first acknowledgements have come, then one line of JSON at the end.
"""

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

# Long enough for the witness to be back first: a broker without persistence forgets who listens.
_PAUSE_MS = 1000


def main(port, count):
    clock = Clock(time, True)
    wire = Wire(socket, select, clock)
    session = Session(wire, "backlog", "127.0.0.1", port, timeout_ms=1000, window=16)
    outbox = Outbox(files, "outbox", 16, 64)
    outbox.write_through = True
    for seq in range(count):
        outbox.put(reading.encode(1, seq, seq, 1, b'"temperature":21.5'))
    delivery = Delivery(outbox, session, b"chaos/telemetry", None)
    delivery.render = lambda record: reading.payload(record, 1, 0, None)

    def publish_early():
        delivery.restart()
        delivery.pump_all()

    attempts = 0
    while outbox.depth and attempts < 30:
        attempts += 1
        try:
            session.open(publish_early)
            while outbox.depth:
                wire.wait(session.due_ms())
                session.poll()
                if attempts == 1 and delivery.delivered > 50:
                    print("flying")
                    attempts = 2
                delivery.pump()
                session.flush()
            session.close()
        except OSError:
            session.abandon()
            time.sleep_ms(_PAUSE_MS)
    print(json.dumps({"attempts": attempts, "left": outbox.depth, "repeats": session.repeats}))


main(int(sys.argv[1]), int(sys.argv[2]))
