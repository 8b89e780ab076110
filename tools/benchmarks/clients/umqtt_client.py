"""umqtt.simple and umqtt.robust as upstream made them, each publish after the other."""

import socket
import time

from common import HEAP_PUBLISHES, TOPIC, answer, heap_of, payloads, since_ms, task, tls_parameters


class NoDelay:
    """The module `socket`, whose sockets have Nagle's algorithm off, as a Pico W's have."""

    def socket(self):
        made = socket.socket()
        made.setsockopt(6, 1, 1)
        return made

    def getaddrinfo(self, *arguments):
        return socket.getaddrinfo(*arguments)


def client(asked):
    from umqtt import simple

    if asked.get("no_delay"):
        simple.socket = NoDelay()
    if asked["client"] == "umqtt.robust":
        from umqtt import robust as module
    else:
        module = simple
    tls = tls_parameters(asked)
    more = {"ssl": True, "ssl_params": tls} if tls else {}
    return module.MQTTClient(b"bench", asked["host"], asked["port"], keepalive=60, **more)


def wake(asked):
    readings = payloads(asked["readings"])
    mqtt = client(asked)
    start_us = time.ticks_us()
    mqtt.connect()
    for reading in readings:
        mqtt.publish(TOPIC, reading, False, 1)
    delivered_ms = since_ms(start_us)
    mqtt.disconnect()
    answer(ms=since_ms(start_us), delivered_ms=delivered_ms)


def throughput(asked):
    qos, limit_ms = asked["qos"], asked["limit_ms"]
    readings = payloads(100)
    mqtt = client(asked)
    mqtt.connect()
    done = 0
    start_us = time.ticks_us()
    while done < asked["readings"] and since_ms(start_us) < limit_ms:
        for reading in readings[: asked["readings"] - done]:
            mqtt.publish(TOPIC, reading, False, qos)
            done += 1
            if qos and since_ms(start_us) >= limit_ms:
                break
    mqtt.ping()
    mqtt.wait_msg()  # the broker has taken all that was before it
    took_ms = since_ms(start_us)

    def publishes():
        for n in range(HEAP_PUBLISHES):
            mqtt.publish(TOPIC, readings[n], False, qos)

    answer(per_s=done / took_ms * 1000, readings=done, heap=heap_of(publishes))
    mqtt.disconnect()


if __name__ == "__main__":
    wanted = task()
    globals()[wanted["do"]](wanted)
