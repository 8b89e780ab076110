"""mqtt_as as its examples use it: subscribe whenever the connection is up, publish beside it.

Argument: JSON with host, port, user, password, client_id, base (of topics),
readings and limit_s. Prints what it came to.
"""

import asyncio
import json
import sys

from mqtt_as import MQTTClient, config

state = {"acknowledged": 0, "errors": {}}


def note(error):
    name = "%s %s" % (type(error).__name__, error)
    state["errors"][name] = state["errors"].get(name, 0) + 1


async def up(mqtt, base):
    while True:
        await mqtt.up.wait()
        mqtt.up.clear()
        try:
            await mqtt.subscribe(base + "/cmd", 1)
        except OSError as error:
            note(error)


async def hear(mqtt):
    async for _ in mqtt.queue:
        pass


async def publish(mqtt, base, readings):
    while state["acknowledged"] < readings:
        text = '{"boot":1,"seq":%d}' % state["acknowledged"]
        await mqtt.publish(base + "/telemetry", text, qos=1)
        state["acknowledged"] += 1


async def main(asked):
    config["client_id"] = asked["client_id"]
    config["server"], config["port"] = asked["host"], asked["port"]
    config["user"], config["password"] = asked["user"], asked["password"]
    config["queue_len"] = 1
    mqtt = MQTTClient(config)

    async def work():
        await mqtt.connect()
        beside = [asyncio.create_task(up(mqtt, asked["base"])), asyncio.create_task(hear(mqtt))]
        await publish(mqtt, asked["base"], asked["readings"])
        for one in beside:
            one.cancel()

    try:
        await asyncio.wait_for(work(), asked["limit_s"])
    except asyncio.TimeoutError:
        note(OSError("not done in time"))
    except Exception as error:
        note(error)
    print(json.dumps(state))


asyncio.run(main(json.loads(sys.argv[1])))
