"""umqtt.simple as a program of one's own uses it: subscribe, publish, and begin anew on an error.

Argument: JSON with host, port, user, password, client_id, base (of topics),
readings and limit_s. Prints what it came to.
"""

import json
import sys
import time

from umqtt.simple import MQTTClient


def main(asked):
    errors = {}
    topic = asked["base"] + "/telemetry"
    done = 0
    end = time.ticks_add(time.ticks_ms(), asked["limit_s"] * 1000)
    while done < asked["readings"] and time.ticks_diff(end, time.ticks_ms()) > 0:
        mqtt = MQTTClient(
            asked["client_id"],
            asked["host"],
            asked["port"],
            asked["user"],
            asked["password"],
            keepalive=60,
        )
        mqtt.set_callback(lambda topic, message: None)
        try:
            mqtt.connect()
            mqtt.subscribe(asked["base"] + "/cmd", 1)
            while done < asked["readings"]:
                mqtt.publish(topic, b'{"boot":1,"seq":%d}' % done, False, 1)
                done += 1
        except Exception as error:
            name = "%s %s" % (type(error).__name__, error)
            errors[name] = errors.get(name, 0) + 1
            time.sleep(1)
    print(json.dumps({"acknowledged": done, "errors": errors}))


main(json.loads(sys.argv[1]))
