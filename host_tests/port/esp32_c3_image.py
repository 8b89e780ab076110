"""In the place of an ESP32-C3 image's own `machine`, for the desk: what the stand-in extends.

UART 1 is a connection to 127.0.0.1, at the port that the environment names.
"""

import os
import socket


class UART:
    def __init__(self, number, baud, tx, rx, timeout):
        address = socket.getaddrinfo("127.0.0.1", int(os.getenv("WIRES_PORT")))[0][-1]
        self._socket = socket.socket()
        self._socket.connect(address)
        self._socket.settimeout(timeout / 1000)

    def any(self):
        return 0

    def write(self, data):
        self._socket.send(data)

    def read(self, count):
        # Fewer than were asked for, as the port has it.
        return self._socket.recv(min(count, 5))


class Pin:
    OUT = 3
    IN = 1
    driven = {}

    def __init__(self, number, mode=-1, value=None):
        self._number = number
        if mode >= 0:
            Pin.driven[number] = (mode, value)

    def __repr__(self):
        return "Pin(%d)" % self._number


def _number(pin):
    return int(str(pin)[4:-1])


class I2C:
    def __init__(self, bus, scl, sda, freq=400000):
        if bus:
            raise ValueError("I2C(%d) doesn't exist" % bus)
        self._text = "I2C(0, scl=%d, sda=%d, freq=%d)" % (_number(scl), _number(sda), freq)

    def __repr__(self):
        return self._text


class SoftI2C:
    def __init__(self, scl, sda, freq=500000, timeout=50000):
        self._text = "SoftI2C(scl=%d, sda=%d, freq=%d)" % (_number(scl), _number(sda), freq)

    def __repr__(self):
        return self._text


class ADC:
    ATTN_0DB, ATTN_2_5DB, ATTN_6DB, ATTN_11DB = 0, 1, 2, 3
    WIDTH_12BIT = 3

    def __init__(self, pin, atten=0):
        self._text = "ADC(Pin(%d), atten=%d)" % (_number(pin), atten)

    def __repr__(self):
        return self._text


def unique_id():
    return b"esp32-c3"
