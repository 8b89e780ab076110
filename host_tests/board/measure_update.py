"""On the board: what an update takes of the heap above the node's own. Prints JSON lines.

An update is fetched up to its switch. `lowest`: the least that was free after a collection, as a
message came and had been taken in, and between two steps.
"""

import builtins
import gc
import json
import time

_POW = pow


def free():
    gc.collect()
    gc.collect()
    return gc.mem_free()


class Lowest:
    """The least that was free, by what was being done."""

    def __init__(self):
        # What it takes itself is taken now.
        self.found = {"offer": 1 << 30, "piece": 1 << 30, "taken in": 1 << 30, "step": 1 << 30}
        self.found["signature"] = 1 << 30
        self.signature_ms = 0

    def watched(self, number, exponent, modulus):
        """In the place of `pow`: what is free at its end, with all that it took."""
        free()
        begin_ms = time.ticks_ms()
        found = _POW(number, exponent, modulus)
        self.signature_ms = time.ticks_diff(time.ticks_ms(), begin_ms)
        self.found["signature"] = min(self.found["signature"], gc.mem_free())
        return found

    def note(self, at):
        left = free()
        if left < self.found[at]:
            self.found[at] = left


def measure_update():
    """Of the node as it is configured on the board, with keys; whoever offers the release must
    wait for the line "steady"."""
    gc.threshold(32768)  # as firmware/app.py does
    from firmware import app, compose, files
    from firmware.board import Board
    from firmware.clock import Clock

    settings = app.read_settings()[0]
    board = Board()
    clock = Clock(board.time, board.clock_is_set())
    stopped = []
    board.restart = lambda: stopped.append(True)
    node = app.build(board, clock, settings, lambda *_: None, files, board.feed)
    door = node.uplink.updates
    end_ms = time.ticks_add(time.ticks_ms(), 120000)

    def run(until):
        while not until():
            if time.ticks_diff(end_ms, time.ticks_ms()) < 0:
                raise OSError("nothing within 60 s")
            due_ms = node.step()
            if node.link.session.wire.is_open():
                node.link.session.wire.wait(min(due_ms, 100))
            else:
                time.sleep_ms(min(due_ms, 20))

    run(lambda: node.link.is_up and not node.outbox.depth and door.record.get("told"))
    for _ in range(5):
        node.step()
    lowest = Lowest()
    node.uplink.updates = Watched(door, lowest)
    session = node.link.session
    take_in = session.on_message

    def message(topic, payload, retained):
        lowest.note("offer" if topic.endswith(b"offer") else "piece")
        take_in(topic, payload, retained)
        lowest.note("taken in")

    session.on_message = message
    print(json.dumps({"stage": "steady", "free": free()}))
    begin_ms = time.ticks_ms()
    builtins.pow = lowest.watched
    run(lambda: stopped)
    took = {"ms": time.ticks_diff(time.ticks_ms(), begin_ms), "signature_ms": lowest.signature_ms}
    print(json.dumps({"stage": "switched", "took": took, "lowest": lowest.found}))
    compose.stop(node)


class Watched:
    """The doorway, with the heap looked at after each step."""

    def __init__(self, door, lowest):
        self._door = door
        self._lowest = lowest

    def connect(self):
        self._door.connect()

    def leave(self):
        self._door.leave()

    def step(self, node):
        again = self._door.step(node)
        self._lowest.note("step")
        return again
