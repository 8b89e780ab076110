"""On the board: what TLS takes of heap and time, and what happens where it does not fit.

Prints JSON lines, as measure.py does. The clock must have been set.
"""

import gc
import json
import time

import measure
import measure_clients


class _Clock:
    """As firmware/clock.py, over a real-time clock that somebody set."""

    ticks_ms = time.ticks_ms
    ticks_add = time.ticks_add
    ticks_diff = time.ticks_diff

    @staticmethod
    def unix_s():
        return time.time()


def _session(host, port, node):
    from firmware.board import Board
    from firmware.net.mqtt_session import Session
    from firmware.net.tls import secured

    board = Board()
    tls = {
        "ca_file": "certs/ca.der",
        "cert_file": "certs/cert.der",
        "key_file": "certs/key.der",
        "server_name": None,
        "insecure_skip_verify": False,
    }
    settings = {"node": node, "mqtt": {"host": host, "tls": tls}, "ntp": {"host": host}}
    measure.say("imported")
    security, wire = secured(board, _Clock, settings, None)
    return security, Session(wire, node, host, port, None, None, 60, True, None, 20000)


def measure_tls(ssid, host, port, node):
    """A session, twice: heap at each stage, and milliseconds from open() to CONNACK."""
    measure_clients.join(ssid)
    measure.say("start")
    security, session = _session(host, port, node)
    measure.say("made")
    for count in (1, 2):
        security.waits()
        start = time.ticks_ms()
        session.open()
        taken_ms = time.ticks_diff(time.ticks_ms(), start)
        measure.say("connected %d" % count)
        session.publish(b"fieldpost/%s/telemetry" % node.encode(), b"{}", False, 1)
        session.flush()
        while session.waits():
            session.wire.wait(1000)
            session.poll()
        print(json.dumps({"handshake_ms_%d" % count: taken_ms}))
        session.close()
        measure.say("closed %d" % count)


def squeeze(ssid, host, port, node, step=2048):
    """Less and less heap until the handshake fails; then what was said, and that it goes again."""
    measure_clients.join(ssid)
    security, session = _session(host, port, node)
    said = None
    gc.collect()
    # In steps, so that one place after another in the handshake is the one that finds no room.
    for free_kb in (10, 22, 34, 40, 46, 52, 60, 68, 76):
        hog = []
        gc.collect()
        while gc.mem_free() > free_kb * 1024:
            try:
                hog.append(bytearray(min(step, gc.mem_free() - free_kb * 1024)))
            except MemoryError:
                break
            gc.collect()
        try:
            session.open()
            said = "fits"
            session.close()
        except (OSError, MemoryError) as error:
            said = security.explain(error, session.wire)
        is_open = session.wire.is_open()
        hog = None
        gc.collect()
        print(json.dumps({"free_kb_%d" % free_kb: said, "is_open": is_open}))
        if is_open:
            return
    session.open()
    session.close()
    print(json.dumps({"afterwards": "fits"}))
