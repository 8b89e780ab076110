"""MicroPython itself written to a board."""
