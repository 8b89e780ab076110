"""On the board: starts the firmware."""

from firmware import start

start()
