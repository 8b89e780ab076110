"""On the board: imports the application and runs it."""

from firmware.app import run

run()
