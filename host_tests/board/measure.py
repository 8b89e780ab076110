"""On the board: what a client, or the whole node, leaves of the heap. Prints JSON lines.

Runs in a fresh interpreter, one `measure_…` at a time. `free` is gc.mem_free() after a collection;
`block` the largest piece that can be allocated at once, which fragmentation makes smaller.
"""

import gc
import json
import time


def _largest():
    low, high = 0, gc.mem_free()
    while high - low > 256:
        middle = (low + high) // 2
        try:
            bytearray(middle)
            low = middle
        except MemoryError:
            high = middle
        gc.collect()
    return low


def say(stage):
    gc.collect()
    gc.collect()
    free = gc.mem_free()
    print(json.dumps({"stage": stage, "free": free, "block": _largest()}))


def _join(ssid):
    import network

    wlan = network.WLAN(network.WLAN.IF_STA)
    wlan.active(True)
    wlan.connect(ssid, "fieldpost")
    start = time.ticks_ms()
    while not wlan.isconnected():
        if time.ticks_diff(time.ticks_ms(), start) > 20000:
            raise OSError("no network")
        time.sleep_ms(20)


def measure_umqtt(ssid, host, port):
    _join(ssid)
    say("start")
    from umqtt.simple import MQTTClient

    say("imported")
    client = MQTTClient("heap", host, port, keepalive=60)
    say("made")
    client.connect()
    client.publish(b"heap/umqtt", b"x" * 80, False, 1)
    say("connected")
    client.disconnect()


def measure_mqtt_as(ssid, host, port):
    _join(ssid)
    say("start")
    import asyncio

    from mqtt_as import MQTTClient, config

    say("imported")
    config["ssid"], config["wifi_pw"], config["server"] = ssid, "fieldpost", host
    config["port"] = port
    config["queue_len"] = 1
    client = MQTTClient(config)
    say("made")

    async def run():
        await client.connect(quick=True)
        await client.publish("heap/mqtt_as", "x" * 80, qos=1)
        say("connected")
        await client.disconnect()

    asyncio.run(run())


def _until(condition, step, limit_ms=30000):
    start = time.ticks_ms()
    while not condition():
        if time.ticks_diff(time.ticks_ms(), start) > limit_ms:
            raise OSError(f"nothing within {limit_ms} ms")
        time.sleep_ms(min(step() or 0, 10))


def measure_imports(names):
    """What each module takes, in the order given: those it needs itself come first."""
    for name in names:
        gc.collect()
        before = gc.mem_free()
        __import__(name)
        gc.collect()
        print(json.dumps({"module": name, "bytes": before - gc.mem_free()}))


class _User:
    """Publishes as each connection begins, and nothing after it."""

    def __init__(self, session):
        self._session = session

    def connect(self):
        for _ in range(50):
            self._session.publish_reading(b"heap/client", b"x" * 80)

    def opened(self):
        """The readings have left with CONNECT."""

    def closed(self):
        """They leave again with the next one."""

    def work(self):
        return 100

    def may_restart(self):
        return False


def measure_client(ssid, host, port):
    """Wire, session and link over a network that is there: what mqtt_as does as well."""
    _join(ssid)
    from firmware.board import Board
    from firmware.clock import Clock

    board = Board()
    clock = Clock(time)
    retry = {"base_s": 1, "cap_s": 300, "stable_s": 60, "radio_s": 900, "reset_s": 3600}
    say("start")
    from firmware.net.link import Link
    from firmware.net.mqtt_session import Session
    from firmware.net.wifi import Station
    from wire import Wire

    say("imported")
    station = Station(board.radio, clock, [(ssid, "fieldpost")])
    wire = Wire(board.socket, board.select, clock)
    session = Session(wire, "heap", host, port, will=(b"heap/status", b"offline"))
    link = Link(station, session, clock, retry, board.random_u32, lambda text: None)
    say("made")
    user = _User(session)
    _until(lambda: link.is_up and not session.waits(), lambda: link.step(user))
    say("connected")
    link.close()


def measure_configuration():
    """What remains of the schema once the settings are read; returns the application."""
    gc.threshold(32768)  # as main.py does
    say("start")
    from firmware import app

    say("app imported")
    settings, errors = app.read_settings()
    if errors:
        raise ValueError("; ".join(errors))
    say("configuration read")
    return app, settings


def measure_node(readings=50):
    """The whole node as configured on the board, to its steady state after a first delivery."""
    app, settings = measure_configuration()
    from firmware.board import Board
    from firmware.clock import Clock

    board = Board()
    clock = Clock(board.time, board.clock_is_set())
    node = app.build(board, clock, settings, lambda text: None, idle=board.feed)
    say("built")
    while node.outbox.depth < readings:
        time.sleep_ms(min(node.sampler.step(), 100))
    node.sampler.step = lambda: 1000  # enough
    say("readings taken")
    _until(lambda: node.link.is_up and not node.outbox.depth, node.step)
    say("delivered")
    for _ in range(5):
        time.sleep_ms(min(node.step(), 100))
    say("steady")
    print(json.dumps({"delivery": node.uplink.last_delivery}))
    app.stop(node)
