"""What every client script shares: its task, the readings, and the answer. Runs in MicroPython."""

import gc
import json
import sys
import time

TOPIC = b"fieldpost/bench/telemetry"
HEAP_PUBLISHES = 64


def task():
    """What the runner asks for, as JSON on its first line of input."""
    return json.loads(sys.stdin.readline())


def payloads(count):
    """`count` readings as a node publishes them."""
    return [
        b'{"boot":3,"seq":%d,"ts":%d,"temperature":21.53,"humidity":40.1}' % (n, 1795368917 + n)
        for n in range(count)
    ]


def tls_parameters(asked):
    """What `ssl.wrap_socket` takes to verify the broker, {} for a wake without TLS."""
    if "ca" not in asked:
        return {}
    import ssl

    # umqtt.simple 1.3.4 and umqtt.robust2 ask for it by its old name, which is gone.
    sys.modules["ussl"] = ssl
    return {
        "cert_reqs": ssl.CERT_REQUIRED,
        "cadata": contents(asked["ca"]),
        "server_hostname": asked["host"],
    }


def contents(path):
    with open(path, "rb") as file:
        return file.read()


def since_ms(start_us):
    return time.ticks_diff(time.ticks_us(), start_us) / 1000


def answer(**values):
    print(json.dumps(values))


def heap_of(publishes):
    """Bytes that `publishes()` allocates for each of HEAP_PUBLISHES messages."""
    publishes()  # what is made once, is made now
    gc.collect()
    gc.disable()
    before = gc.mem_alloc()
    publishes()
    used = gc.mem_alloc() - before
    gc.enable()
    return used / HEAP_PUBLISHES
