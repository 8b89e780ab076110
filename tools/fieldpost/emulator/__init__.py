"""Genuine MicroPython images, running in emulators: one engine for each board."""
