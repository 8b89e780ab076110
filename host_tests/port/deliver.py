"""Readings over the firmware's wire and session, with the account of what the network was asked.

Arguments: port, number of readings, "early" or "late". One connection first, so that heap and
look-ups are as in a node that runs; then one line of JSON for the connection with the readings.
"""

import json
import select
import socket
import sys
import time

from firmware.net.mqtt_session import Session
from firmware.readings.delivery import Delivery
from firmware.readings.outbox import Outbox
from wire import Wire

_READING = b'{"boot":3,"seq":%d,"ts":1795368917,"temperature":21.5,"humidity":40.1}'


def main(port, count, early):
    wire = Wire(socket, select, time)
    session = Session(wire, "deliver", "127.0.0.1", port, early=early)
    outbox = Outbox(None, None, count + 1)
    delivery = Delivery(outbox, session, b"fieldpost/deliver/telemetry", bytes)

    def publish_early():
        delivery.restart()
        delivery.pump_all()

    session.open(publish_early)
    session.close()
    for seq in range(count):
        outbox.put(_READING % seq)
    before = wire.round_trips, wire.segments, wire.sent_bytes
    start = time.ticks_ms()
    session.open(publish_early)
    while outbox.depth:
        wire.wait(session.due_ms())
        session.poll()
        delivery.pump()
        session.flush()
    report = {
        "ms": time.ticks_diff(time.ticks_ms(), start),
        "round_trips": wire.round_trips - before[0],
        "segments": wire.segments - before[1],
        "sent_bytes": wire.sent_bytes - before[2],
    }
    session.close()
    print(json.dumps(report))


main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "early")
