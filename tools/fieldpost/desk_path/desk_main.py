"""Runs the node of the folder that it is started in, on a desk: main.py's own code.

FIELDPOST_DESK names a file with what is wired (emulated/desk.py), FIELDPOST_DESK_WIRING a module
of somebody's own: its `wire(desk)` puts devices where the configuration's sensors find them.
"""

import json
import os

from emulated import frozen, machine
from emulated.desk import Desk
from firmware import app, board

_desktop = board.Board


def _wired():
    with open(os.getenv("FIELDPOST_DESK") or "") as file:
        desk = Desk(_desktop(), json.load(file))
    machine.install(desk)
    module = os.getenv("FIELDPOST_DESK_WIRING")
    if module:
        __import__(module).wire(desk)
    return desk


frozen.install()
board.Board = _wired
app.run()
