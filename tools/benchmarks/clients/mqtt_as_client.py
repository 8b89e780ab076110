"""mqtt_as, one publish after the other or all gathered. Its clock starts when Wi-Fi is up."""

import asyncio
import gc
import time

import mqtt_as
from common import HEAP_PUBLISHES, TOPIC, answer, payloads, since_ms, task, tls_parameters
from mqtt_as import MQTTClient, config


class Client(MQTTClient):
    """Notes when the network was there: what comes before belongs to Wi-Fi, not to MQTT."""

    async def wifi_connect(self, quick=False):
        await super().wifi_connect(quick)
        self.up_us = time.ticks_us()


def client(asked):
    config["client_id"] = b"bench"
    config["server"], config["port"] = asked["host"], asked["port"]
    config["queue_len"] = 1
    config["ssl_params"] = tls_parameters(asked)
    config["ssl"] = bool(config["ssl_params"])
    return Client(config)


async def send(mqtt, readings, gathered, qos=1):
    if gathered:
        await asyncio.gather(*(mqtt.publish(TOPIC, one, False, qos) for one in readings))
    else:
        for one in readings:
            await mqtt.publish(TOPIC, one, False, qos)


async def wake(asked):
    readings = payloads(asked["readings"])
    mqtt = client(asked)
    start_us = time.ticks_us()
    await mqtt.connect(quick=True)
    await send(mqtt, readings, asked["gathered"])
    delivered_ms = since_ms(mqtt.up_us)
    await mqtt.disconnect()
    wifi_ms = time.ticks_diff(mqtt.up_us, start_us) / 1000
    answer(ms=since_ms(mqtt.up_us), delivered_ms=delivered_ms, wifi_ms=wifi_ms)


async def throughput(asked):
    qos, limit_ms, gathered = asked["qos"], asked["limit_ms"], asked["gathered"]
    readings = payloads(100)
    mqtt = client(asked)
    await mqtt.connect(quick=True)
    done = 0
    start_us = time.ticks_us()
    while done < asked["readings"] and since_ms(start_us) < limit_ms:
        some = readings if gathered or not qos else readings[:1]
        await send(mqtt, some, gathered, qos)
        done += len(some)
    if not qos:
        await mqtt.publish(TOPIC, readings[0], False, 1)
    took_ms = since_ms(start_us)
    answer(
        per_s=done / took_ms * 1000, readings=done, heap=await heap(mqtt, readings, gathered, qos)
    )
    await mqtt.disconnect()


class NoCollector:
    def collect(self):
        """mqtt_as calls it once a second, which would hide what was allocated."""


async def heap(mqtt, readings, gathered, qos):
    """Bytes allocated per publish, its waiting included."""
    count = HEAP_PUBLISHES if gathered or not qos else 16
    mqtt_as.gc = NoCollector()
    await send(mqtt, readings[:count], gathered, qos)
    gc.collect()
    gc.disable()
    before = gc.mem_alloc()
    await send(mqtt, readings[:count], gathered, qos)
    used = gc.mem_alloc() - before
    gc.enable()
    return used / count


if __name__ == "__main__":
    wanted = task()
    asyncio.run(globals()[wanted["do"]](wanted))
