"""`Board` of whatever this runs on: `from firmware.board import Board`.

Only the module of this port is loaded; the others would fail to import, and cost heap.
"""

import sys

if sys.implementation.name == "cpython":
    from board_cpython import Board  # type: ignore  # of tools/, so on no board's path
elif sys.platform == "esp32":
    from firmware.board.esp32 import Board as Board
elif sys.platform == "rp2":
    from firmware.board.rp2 import Board as Board
elif sys.platform in ("linux", "darwin"):
    from firmware.board.unix import Board as Board
else:
    raise ImportError("Fieldpost has no board module for " + sys.platform)
