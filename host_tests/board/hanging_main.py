"""In place of main.py: a node that, in its first boot, hangs for good with a reading undelivered.

The loop below is what a driver looks like that waits for an answer which never comes.
"""

import gc
import time

from firmware import app
from firmware.readings.delivery import Delivery

gc.threshold(32768)  # as firmware/app.py does
_HANG_AT = 5
_pump = Delivery.pump


def _pump_or_hang(self):
    if self.boot == 1 and self.delivered >= _HANG_AT and self.waiting.depth:
        print(f"hanging with {self.waiting.depth} waiting")
        while True:
            time.sleep_ms(100)
    return _pump(self)


_build = app.build


def _build_hanging(*args):
    node = _build(*args)
    Delivery.boot = node.identity.boot
    Delivery.waiting = node.outbox  # Its own name for it is another on a board.
    return node


Delivery.boot = 0
Delivery.pump = _pump_or_hang
app.build = _build_hanging
app.run()
