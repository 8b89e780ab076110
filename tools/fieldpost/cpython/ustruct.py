"""MicroPython's old name for `struct`, which umqtt.simple 1.3.4 still imports."""

from struct import *  # noqa: F403
