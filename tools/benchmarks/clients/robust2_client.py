"""umqtt.robust2: publishes wait for no answer; its loop asks for them until none is missing."""

import time

from common import HEAP_PUBLISHES, TOPIC, answer, heap_of, payloads, since_ms, task, tls_parameters
from umqtt.robust2 import MQTTClient


def client(asked):
    tls = tls_parameters(asked)
    more = {"ssl": True, "ssl_params": tls} if tls else {}
    return MQTTClient(b"bench", asked["host"], asked["port"], keepalive=60, **more)


def connect(mqtt):
    mqtt.connect()
    settle(mqtt, False)


def send(mqtt, readings, qos=1):
    for one in readings:
        mqtt.publish(TOPIC, one, False, qos)


def settle(mqtt, answered=True):
    """Its documented loop, until all is answered."""
    while answered and mqtt.things_to_do():
        if mqtt.is_conn_issue():
            break
        mqtt.check_msg()
        mqtt.send_queue()
    if mqtt.is_conn_issue():
        raise OSError("umqtt.robust2: %r" % (mqtt.conn_issue,))


def wake(asked):
    readings = payloads(asked["readings"])
    mqtt = client(asked)
    start_us = time.ticks_us()
    connect(mqtt)
    send(mqtt, readings)
    settle(mqtt)
    delivered_ms = since_ms(start_us)
    mqtt.disconnect()
    answer(ms=since_ms(start_us), delivered_ms=delivered_ms)


def throughput(asked):
    qos, limit_ms = asked["qos"], asked["limit_ms"]
    readings = payloads(100)
    mqtt = client(asked)
    connect(mqtt)
    done = 0
    start_us = time.ticks_us()
    while done < asked["readings"] and since_ms(start_us) < limit_ms:
        some = readings[: asked["readings"] - done]
        send(mqtt, some, qos)
        settle(mqtt)
        done += len(some)
    send(mqtt, readings[:1])
    settle(mqtt)  # the broker has taken all that was before it
    took_ms = since_ms(start_us)

    def publishes():
        send(mqtt, readings[:HEAP_PUBLISHES], qos)
        settle(mqtt)

    answer(per_s=done / took_ms * 1000, readings=done, heap=heap_of(publishes))
    mqtt.disconnect()


if __name__ == "__main__":
    wanted = task()
    globals()[wanted["do"]](wanted)
