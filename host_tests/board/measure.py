"""On the board: what the whole node leaves of the heap. Prints JSON lines.

Runs in a fresh interpreter, one `measure_…` at a time. `free` is gc.mem_free() after a collection;
`block` the largest piece that can be allocated at once, which fragmentation makes smaller. Its
names are few, and words of the firmware where they can: they take heap of what is measured.
"""

import gc
import json
import time


def say(stage):
    gc.collect()
    gc.collect()
    free = gc.mem_free()
    low, high = 0, free
    while high - low > 256:
        middle = (low + high) // 2
        try:
            bytearray(middle)
            low = middle
        except MemoryError:
            high = middle
        gc.collect()
    print(json.dumps({"stage": stage, "free": free, "block": low}))


def wait(is_up, step):
    """Step until it is up, for 30 s at most."""
    start = time.ticks_ms()
    while not is_up():
        if time.ticks_diff(time.ticks_ms(), start) > 30000:
            raise OSError("nothing within 30 s")
        time.sleep_ms(min(step() or 0, 10))


def measure_configuration():
    """What remains of the schema once the settings are read; returns the application."""
    gc.threshold(32768)  # as firmware/app.py does
    say("start")
    from firmware import app

    say("app imported")
    settings, errors = app.read_settings()
    if errors:
        raise ValueError("; ".join(errors))
    say("configuration read")
    return app, settings


def measure_node(depth=50):
    """The whole node as configured on the board, to its steady state after a first delivery."""
    app, settings = measure_configuration()
    from firmware import files
    from firmware.board import Board
    from firmware.clock import Clock

    board = Board()
    clock = Clock(board.time, board.clock_is_set())
    node = app.build(board, clock, settings, lambda *_: None, files, board.feed)
    say("built")
    while node.outbox.depth < depth:
        time.sleep_ms(min(node.sampler.step(), 100))
    node.sampler.step = lambda: 1000  # enough
    say("readings taken")
    wait(lambda: node.link.is_up and not node.outbox.depth, node.step)
    say("delivered")
    for _ in range(5):
        time.sleep_ms(min(node.step(), 100))
    say("steady")
    print(json.dumps({"delivery": node.uplink.last_delivery}))
    from firmware import compose

    compose.stop(node)
