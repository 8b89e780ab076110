"""MicroPython's old name for `binascii`, which umqtt.simple 1.3.4 still imports."""

from binascii import *  # noqa: F403
