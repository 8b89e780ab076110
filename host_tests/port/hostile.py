"""Sessions with a peer that sends anything: how each ended, and what is left open afterwards.

Arguments: port, number of connections, port where nobody listens. Prints one line of JSON.
"""

import gc
import json
import os
import select
import socket
import sys
import time

# These load with the first refusal and with the first message that is too long, and stay: here
# they are loaded before anything is measured.
from firmware.net import mqtt_oversized, mqtt_refusals  # noqa: F401
from firmware.net.mqtt_session import Refused, Session
from wire import Wire

_TIMEOUT_MS = 400


def main(port, count, nobody):
    wire = Wire(socket, select, time)
    before = len(os.listdir("/proc/self/fd"))
    ends = {}
    session = Session(wire, "hostile", "127.0.0.1", port, timeout_ms=_TIMEOUT_MS)
    session.on_message = lambda topic, payload, retained: None
    free = 0
    for number in range(count):
        if number == 50:
            gc.collect()
            free = gc.mem_free()
        session.port = port if number % 2 else nobody
        try:
            session.open(
                lambda: session.publish_reading(b"t", b"x") if session.in_flight.room() else None
            )
            end = time.ticks_add(time.ticks_ms(), 3)
            while time.ticks_diff(end, time.ticks_ms()) > 0:
                wire.wait(1)
                session.poll()
            how = "lived"
        except Refused:
            how = "refused"
        except OSError as error:
            how = str(error.args[0])
        if how != "lived" and wire.is_open():
            how = "left open"
        ends[how] = ends.get(how, 0) + 1
        session.abandon()
    gc.collect()
    print(
        json.dumps(
            {
                "ends": ends,
                "descriptors": len(os.listdir("/proc/self/fd")) - before,
                "kept_bytes": free - gc.mem_free(),
                "longest_wait_ms": wire.longest_wait_ms,
            }
        )
    )


main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
