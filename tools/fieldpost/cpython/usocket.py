"""MicroPython's old name for `socket`, which umqtt.simple 1.3.4 still imports."""

from socket import *  # noqa: F403
