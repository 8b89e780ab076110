"""On the board: what a client leaves of the heap. Prints JSON lines, as measure.py does."""

import gc
import json
import time

from measure import say, wait

# The emulated Pico W's access point takes any.
_PASSWORD = "fieldpost"


def join(ssid, password=_PASSWORD):
    import network

    wlan = network.WLAN(network.WLAN.IF_STA)
    wlan.active(True)
    wlan.connect(ssid, password)
    start = time.ticks_ms()
    while not wlan.isconnected():
        if time.ticks_diff(time.ticks_ms(), start) > 20000:
            raise OSError("no network")
        time.sleep_ms(20)


def measure_umqtt(ssid, host, port, password=_PASSWORD):
    join(ssid, password)
    say("start")
    from umqtt.simple import MQTTClient

    say("imported")
    client = MQTTClient("heap", host, port, keepalive=60)
    say("made")
    client.connect()
    client.publish(b"heap/umqtt", b"x" * 80, False, 1)
    say("connected")
    client.disconnect()


def measure_mqtt_as(ssid, host, port, password=_PASSWORD):
    join(ssid, password)
    say("start")
    import asyncio

    from mqtt_as import MQTTClient, config

    say("imported")
    config["ssid"], config["wifi_pw"], config["server"] = ssid, password, host
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


def measure_client(ssid, host, port, password=_PASSWORD):
    """Wire, session and link over a network that is there: what mqtt_as does as well."""
    join(ssid, password)
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
    station = Station(board.radio, clock, [(ssid, password)])
    wire = Wire(board.socket, board.select, clock)
    will = b"heap/status", b"offline"
    session = Session(wire, "heap", host, port, None, None, 60, True, will)
    link = Link(station, session, clock, retry, board.random_u32, lambda text: None)
    say("made")
    user = _User(session)
    wait(lambda: link.is_up and not session.waits(), lambda: link.step(user))
    say("connected")
    link.close()
