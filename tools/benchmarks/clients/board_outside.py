"""On an emulated ESP32: each stage says what is left outside of MicroPython's heap, too.

There its TLS and its radio take their memory. To be imported before the other scripts.
"""

import json

import esp32
import measure

_say = measure.say


def _both(stage):
    _say(stage)
    free = sum(region[1] for region in esp32.idf_heap_info(esp32.HEAP_DATA))
    print(json.dumps({"outside": stage, "free": free}))


measure.say = _both
