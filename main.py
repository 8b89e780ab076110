"""On the board: imports the application and runs it."""

import gc

# Left alone, MicroPython collects only when the heap is full, so what is kept ends up all over it.
# Measured on a Pico W with 118 kB free: largest piece 31 kB then, 102 kB with this, for 20 ms in
# the delivery of 50 readings. (CPython has no such function.)
if hasattr(gc, "threshold"):
    gc.threshold(32768)

from firmware.app import run

run()
