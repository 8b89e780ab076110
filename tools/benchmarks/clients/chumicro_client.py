"""chumicro-mqtt, driven by the loop that its page shows; its queues hold all that waits."""

import time

from chumicro_mqtt import MQTTClient
from chumicro_sockets.sockets_factory import fixed_connector_factory
from chumicro_timing import ticks_ms
from common import HEAP_PUBLISHES, TOPIC, answer, contents, heap_of, payloads, since_ms, task

# Strings, as its page has them.
_TOPIC = TOPIC.decode()


class Bench:
    def __init__(self, asked, queue):
        self.acknowledged = 0
        context = None
        if "ca" in asked:
            from chumicro_sockets import ssl_context_with_ca

            context = ssl_context_with_ca(contents(asked["ca"]))
        connect = fixed_connector_factory(asked["host"], asked["port"], ssl_context=context)
        # By default eight messages wait for the connection, and twenty for the socket.
        self.mqtt = MQTTClient(
            transport_factory=connect,
            client_id="bench",
            pre_connect_queue_size=queue,
            max_tx_queue_size=queue + 1,
        )

    def publish(self, reading, qos=1):
        self.mqtt.publish(_TOPIC, reading, qos=qos, on_publish=self._published if qos else None)

    def _published(self, topic, payload):
        self.acknowledged += 1

    def run_until(self, done):
        mqtt = self.mqtt
        while not done():
            now = ticks_ms()
            if mqtt.check(now):
                mqtt.handle(now)
            if mqtt.last_error:
                raise mqtt.last_error

    def deliver(self, readings):
        """All of them at once; returns when the last one is acknowledged."""
        expected = self.acknowledged + len(readings)
        for one in readings:
            self.publish(one)
        self.run_until(lambda: self.acknowledged == expected)


def wake(asked):
    readings = payloads(asked["readings"])
    bench = Bench(asked, len(readings))
    start_us = time.ticks_us()
    bench.mqtt.connect()
    bench.deliver(readings)
    delivered_ms = since_ms(start_us)
    bench.mqtt.disconnect()
    answer(ms=since_ms(start_us), delivered_ms=delivered_ms)


def throughput(asked):
    qos, limit_ms = asked["qos"], asked["limit_ms"]
    readings = payloads(100)
    bench = Bench(asked, len(readings))
    bench.mqtt.connect()
    bench.deliver(readings[:1])
    done = 0
    start_us = time.ticks_us()
    while done < asked["readings"] and since_ms(start_us) < limit_ms:
        some = readings[: asked["readings"] - done]
        send(bench, some, qos)
        done += len(some)
    bench.deliver(readings[:1])  # the broker has taken all that was before it
    took_ms = since_ms(start_us)
    heap = heap_of(lambda: send(bench, readings[:HEAP_PUBLISHES], qos))
    answer(per_s=done / took_ms * 1000, readings=done, heap=heap)
    bench.mqtt.disconnect()


def send(bench, readings, qos):
    if qos:
        bench.deliver(readings)
        return
    for one in readings:
        bench.publish(one, 0)
    mqtt = bench.mqtt
    bench.run_until(lambda: not mqtt.io_interest(ticks_ms()) & 2)  # nothing is left to write


if __name__ == "__main__":
    wanted = task()
    globals()[wanted["do"]](wanted)
