"""`Board` where there is no such chip: in CPython, or in MicroPython on a desk."""

import sys

if sys.implementation.name == "cpython":
    from board_cpython import Board  # type: ignore  # of tools/, so on no board's path
elif sys.platform in ("linux", "darwin"):
    from firmware.board.unix import Board as Board
else:
    raise ImportError("Fieldpost has no board module for " + sys.platform)
