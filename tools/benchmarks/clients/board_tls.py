"""On an emulated board whose clock is set: a wake over verified TLS, its heap and its time.

Prints JSON lines, as host_tests/board/measure.py does.
"""

import json
import sys
import time

import measure
import measure_clients

_TOPIC = b"fieldpost/bench/telemetry"
_READING = b"x" * 80
_TIMES = 2


def contents(path):
    with open(path, "rb") as file:
        return file.read()


def told(number, start_ms):
    print(json.dumps({"wake_ms": time.ticks_diff(time.ticks_ms(), start_ms)}))
    measure.say("connected" if number == 0 else "connected again")


def fieldpost(ssid, password, host, port, ca, *own):
    """own: the files of a certificate and its key."""
    measure_clients.join(ssid, password)
    measure.say("start")
    import gc

    from wire_tls import TlsWire

    from firmware.board import Board
    from firmware.net.mqtt_session import Session

    measure.say("imported")
    board = Board()
    files = tuple(contents(name) for name in own)
    context = board.tls_context(contents(ca), files or None)
    wire = TlsWire(board.socket, board.select, time, None, context)
    session = Session(wire, "bench", host, port, None, None, 60, True, None, 30000)
    measure.say("made")
    for number in range(_TIMES):
        gc.collect()
        start_ms = time.ticks_ms()
        session.open(lambda: session.publish_reading(_TOPIC, _READING))
        while session.waits():
            wire.wait(session.due_ms())
            session.poll()
        told(number, start_ms)
        session.close()


def umqtt(ssid, password, host, port, ca):
    measure_clients.join(ssid, password)
    measure.say("start")
    import gc
    import ssl

    from umqtt.simple import MQTTClient

    # umqtt.simple 1.3.4 asks for it by its old name, which is gone.
    sys.modules["ussl"] = ssl
    measure.say("imported")
    client = _client(MQTTClient, ssl, host, port, contents(ca))
    measure.say("made")
    for number in range(_TIMES):
        gc.collect()
        start_ms = time.ticks_ms()
        client.connect()
        client.publish(_TOPIC, _READING, False, 1)
        told(number, start_ms)
        client.disconnect()


def _client(kind, ssl, host, port, ca):
    """As versions of umqtt.simple differ: 1.4 and newer take a context."""
    parameters = {"cert_reqs": ssl.CERT_REQUIRED, "cadata": ca, "server_hostname": host}
    try:
        return kind(b"bench", host, port, keepalive=60, ssl=True, ssl_params=parameters)
    except TypeError:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=ca)
        return kind(b"bench", host, port, keepalive=60, ssl=context)
