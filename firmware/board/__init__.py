"""`Board` of whatever this runs on: `from firmware.board import Board`.

Only the module of this port is loaded; the others would fail to import, and cost heap.
"""

import sys

if sys.platform == "esp32":
    from firmware.board.esp32 import Board as Board
elif sys.platform == "rp2":
    from firmware.board.rp2 import Board as Board
else:
    from firmware.board.elsewhere import Board as Board
