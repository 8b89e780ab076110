"""Prints what the board of this port says of itself, then ends as the argument asks."""

import sys

from firmware.board import Board
from firmware.clock import Clock

board = Board()
clock = Clock(board.time, board.clock_is_set())
print("family", board.family)
print("cause", board.reset_cause())
print("uid", board.uid())
print("version", board.version())
print("set", board.clock_is_set(), clock.unix_s() is not None)
board.set_unix_s(1795368917)
clock.set_unix_s(1795368917)
print("unix_s", clock.unix_s(), board.time.gmtime()[:5], board.clock_is_set())
print("supply", board.supply_mv(), "die", board.die_temperature_c())
print("radio", board.radio.state(), board.radio.address())
board.radio.on()
board.radio.join("any", "thing")
print("radio", board.radio.state(), board.radio.address())
print("random", len({board.random_u32() for _ in range(20)}))
board.led(True)
what = sys.argv[1]
if what == "restart":
    board.restart()
elif what == "deep-sleep":
    board.deep_sleep(10)
elif what == "watchdog":
    print("armed", board.start_watchdog(30))
    board.feed()
    clock.sleep_ms(60)
    board.feed()
