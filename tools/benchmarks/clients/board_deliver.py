"""On an emulated board: deliver readings with one client, whose segments are counted."""

import time


def join(ssid, password):
    import network

    wlan = network.WLAN(network.WLAN.IF_STA)
    wlan.active(True)
    wlan.connect(ssid, password)
    start = time.ticks_ms()
    while not wlan.isconnected():
        if time.ticks_diff(time.ticks_ms(), start) > 20000:
            raise OSError("no network")
        time.sleep_ms(20)


def umqtt(host, port, topic, readings):
    from umqtt.simple import MQTTClient

    mqtt = MQTTClient(b"bench", host, port, keepalive=60)
    mqtt.connect()
    for one in readings:
        mqtt.publish(topic, one, False, 1)
    mqtt.disconnect()


def robust2(host, port, topic, readings):
    from umqtt2.robust2 import MQTTClient

    mqtt = MQTTClient(b"bench", host, port, keepalive=60)
    mqtt.connect()
    for one in readings:
        mqtt.publish(topic, one, False, 1)
    while mqtt.things_to_do() and not mqtt.is_conn_issue():
        mqtt.check_msg()
        mqtt.send_queue()
    if mqtt.is_conn_issue():
        raise OSError(mqtt.conn_issue)
    mqtt.disconnect()


def chumicro(host, port, topic, readings):
    from chumicro_mqtt import MQTTClient
    from chumicro_sockets.sockets_factory import fixed_connector_factory
    from chumicro_timing import ticks_ms

    count = len(readings)
    mqtt = MQTTClient(
        transport_factory=fixed_connector_factory(host, port),
        client_id="bench",
        pre_connect_queue_size=count,
        max_tx_queue_size=count + 1,
    )
    acknowledged = []
    mqtt.connect()
    for one in readings:
        mqtt.publish(topic.decode(), one, qos=1, on_publish=lambda *_: acknowledged.append(1))
    while len(acknowledged) < count:
        mqtt.handle(ticks_ms())
        if mqtt.last_error:
            raise mqtt.last_error
    mqtt.disconnect()


def mqtt_as(host, port, topic, readings, gathered):
    import asyncio

    import mqtt_as

    config = mqtt_as.config
    config["client_id"], config["server"], config["port"] = b"bench", host, port
    config["queue_len"] = 1

    class Client(mqtt_as.MQTTClient):
        async def wifi_connect(self, quick=False):
            """It is there already."""

    async def run():
        mqtt = Client(config)
        await mqtt.connect(quick=True)
        if gathered:
            await asyncio.gather(*(mqtt.publish(topic, one, False, 1) for one in readings))
        else:
            for one in readings:
                await mqtt.publish(topic, one, False, 1)
        await mqtt.disconnect()

    asyncio.run(run())


def fieldpost(host, port, topic, readings):
    import select
    import socket

    from firmware.net.mqtt_session import Session
    from firmware.readings.delivery import Delivery
    from firmware.readings.outbox import Outbox
    from wire import Wire

    outbox = Outbox(None, None, len(readings))
    for one in readings:
        outbox.put(one)
    wire = Wire(socket, select, time)
    session = Session(wire, "bench", host, port)
    delivery = Delivery(outbox, session, topic, bytes)

    def publish_early():
        delivery.restart()
        delivery.pump_all()

    session.open(publish_early)
    while outbox.depth:
        session.poll()
        if outbox.depth:
            wire.wait(session.due_ms())
    session.close()


def run(client, ssid, password, host, port, count, *options):
    """Deliver `count` readings with `client`; prints the milliseconds that it took."""
    join(ssid, password)
    topic = b"fieldpost/bench/telemetry"
    readings = [
        b'{"boot":3,"seq":%d,"ts":%d,"temperature":21.53,"humidity":40.1}' % (n, 1795368917 + n)
        for n in range(count)
    ]
    start = time.ticks_ms()
    globals()[client](host, port, topic, readings, *options)
    print(time.ticks_diff(time.ticks_ms(), start))
