"""A board that says anything: behind the real link and mpremote, in place of the port itself.

It speaks the raw REPL as a board does, answers each program of the tools as a board might, and
spoils what it says by a seed. Its time is its own, so that a silent one costs none.
"""

from __future__ import annotations

import base64
import json
import random
import re
from collections.abc import Callable
from typing import Any

import pytest
from mpremote import transport_serial
from rigs.hostile_payloads import SCALARS, spoilt

from fieldpost.board import link as board_link
from fieldpost.board import serial as board_serial

_BAUD_BYTES_PER_S = 500_000
_TICK_S = 0.05
# What the link asks on its way in; a board that spoils that gets no other question.
_MARK = re.compile(r"print\('(\w+)',end=''\)")
_PROMPT = b"raw REPL; CTRL-B to exit\r\n>"
ESCAPES = "\x1b]0;owned\x07\x1b[2J\u202e\x85\r"
NAMES = (
    "/../../evil",
    "/outbox/../../../evil",
    "/outbox/..\\..\\evil",
    "/outbox//etc/evil",
    "/outbox/C:evil",
    "/outbox/NUL",
    "/outbox/" + ESCAPES,
    "/outbox/a\nb",
    "/outbox/" + "x" * 300,
    "/outbox/\ud800",
    "/outbox/\0",
    "/outbox/00000000.seg",
    "/crash.txt",
    "/config.json",
    "/secrets.json",
    "/.deploy/installed",
    "/.deploy/commit",
    "/.deploy/../../evil",
    "/main.py",
    "/boot.py",
    "/outbox/",
    "relative",
    "",
)
_CONFIG = {"node": "n", "mqtt": {"host": "h", "password": ESCAPES}, "sensors": []}
_SURVEY = {
    "platform": "rp2",
    "mpy": 4358,
    "release": [1, 29, 0],
    "installed": "= /main.py\n= /boot.py\n",
    "commit": "",
    "version": "0.0.9",
    "frozen_umqtt": False,
    "files": dict.fromkeys(NAMES[11:18], 10),
}
_QUERY = {
    "release": [1, 29, 0, ""],
    "version": "3.4.0; MicroPython v1.29.0",
    "platform": "rp2",
    "_machine": "Raspberry Pi Pico W with RP2040",
    "_build": "RPI_PICO_W",
    "_mpy": 4358,
    "uid": "e6614104035f8a2c",
    "node": "n",
    "fieldpost": "0.1.0",
}


class Clock:
    """Goes on when something is waited for, and with every byte that is read."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def monotonic(self) -> float:
        return self.now_s

    def sleep(self, duration_s: float) -> None:
        self.now_s += duration_s


class HostilePort:
    """What pyserial would be. spoils: gives, for what a board prints or raises, what this one
    does. console: what it prints after a restart. how_raw: how it takes the wish for the raw
    REPL."""

    def __init__(
        self,
        clock: Clock,
        rng: random.Random,
        spoils: Callable[[random.Random, str, bytes], tuple[bytes, bytes]],
        *,
        console: bytes = b"",
        paste: bytes = b"R\x00",
    ) -> None:
        self._clock = clock
        self._rng = rng
        self._spoils = spoils
        self._console = console
        self._paste = paste
        self._out = bytearray()
        self._code = bytearray()
        self._is_raw = False
        self.write_timeout = 0.0
        self.rts = self.dtr = True

    @property
    def in_waiting(self) -> int:
        if not self._out:
            self._clock.sleep(_TICK_S)
        return len(self._out)

    def inWaiting(self) -> int:
        return self.in_waiting

    def read(self, size: int = 1) -> bytes:
        if not self._out:
            self._clock.sleep(_TICK_S)
        data = bytes(self._out[:size])
        del self._out[:size]
        self._clock.sleep(len(data) / _BAUD_BYTES_PER_S)
        return data

    def write(self, data: bytes) -> int:
        for byte in data.replace(b"\x05A\x01", b"\x05"):
            self._typed(byte)
        return len(data)

    def close(self) -> None:
        pass

    def _typed(self, byte: int) -> None:
        if byte == 5:
            self._out += self._paste
        elif byte == 1:
            self._is_raw = True
            self._code.clear()
            self._out += b"\r\n" + _PROMPT
        elif byte == 2:
            self._is_raw = False
            self._out += b"\r\nMicroPython v1.29.0\r\n>>> "
        elif byte == 3:
            self._code.clear()
        elif byte != 4:
            if self._is_raw:
                self._code.append(byte)
            elif byte == 13:
                self._out += b"\r\n>>> "
        elif not self._is_raw:
            self._out += b"\r\nMPY: soft reboot\r\n" + self._console
        elif self._code.strip():
            code = self._code.decode(errors="replace")
            self._code.clear()
            if mark := _MARK.match(code):
                said, raised = mark[1].encode(), b""
            else:
                said, raised = self._spoils(self._rng, code, answer(code))
            self._out += b"OK" + said + b"\x04" + raised + b"\x04>"
        else:
            self._out += b"OK\r\nMPY: soft reboot\r\n" + _PROMPT


def answer(code: str) -> bytes:
    """What a board would print, more or less."""
    if "_query()" in code:
        return _line(_QUERY)
    if "_survey(" in code:
        return _line(_SURVEY)
    if "_walk(" in code:
        return b"".join(_line([name, 12]) for name in NAMES)
    if "_hash(" in code:
        paths = re.findall(r"'[^']*'", code.partition("_hash([")[2])
        return (b"%064d\n" % 0) * len(paths)
    if "_read(" in code:
        return base64.encodebytes(json.dumps(_CONFIG).encode())
    if "statvfs" in code:
        return b"800000\n"
    if "_machine" in code:
        return repr(_QUERY["_machine"]).encode() + b"\n"
    if "_probe('levels'" in code:
        return _line({str(pin): "up" for pin in range(40)})
    if "_probe('i2c'" in code:
        return _line({"freed": False, "state": "ok", "addresses": [0x76, 0x40, 0x23]})
    if "_probe('ask'" in code:
        return _line(["60", None, "00ff", "58", "11"])
    if "_probe('onewire'" in code:
        return _line({"state": "ok", "roms": ["2800000a1b2c3d4e", "1000000a1b2c3d4e"]})
    return b""


def _line(value: Any) -> bytes:
    return json.dumps(value).encode() + b"\n"


def honest(rng: random.Random, code: str, said: bytes) -> tuple[bytes, bytes]:
    """As it is."""
    return said, b""


def spoils(rng: random.Random, code: str, said: bytes) -> tuple[bytes, bytes]:
    """Two answers of three as they are, so that a command comes to its next question."""
    if rng.random() < 0.6:
        return said, b""
    how = rng.randrange(9)
    if how == 0:
        return said, f"Traceback\n  File\nOSError: [Errno 2] {ESCAPES}".encode()
    if how == 1:
        return rng.randbytes(rng.choice((3, 3000))).replace(b"\x04", b"."), b""
    if how == 2:
        return said[: rng.randrange(len(said) + 1)], b""
    if how == 3:
        return rng.choice((b"[", b'{"a":', b"9", b"\xff", b"-\n", b"null\n", b"[]\n")) * 5000, b""
    if how == 4:
        return b"", rng.choice((b"", b"\xff\xfe", b"MemoryError\n", b"[Errno 28] ENOSPC"))
    if how == 5:
        return ESCAPES.encode() + b"\n" + said, b""
    lines = [_spoilt_line(rng, line) for line in said.splitlines()]
    return b"".join(lines), b""


def _spoilt_line(rng: random.Random, line: bytes) -> bytes:
    try:
        value = json.loads(line)
    except ValueError:
        return line[: rng.randrange(len(line) + 1)] + b"\n"
    if isinstance(value, dict):
        for key in list(value):
            if rng.random() < 0.3:
                value[key] = rng.choice((*SCALARS, [], {}, [[]], {"a": 1}, ["x"], {"x": -1}))
            if rng.random() < 0.05:
                del value[key]
    elif isinstance(value, list):
        value = [rng.choice(SCALARS) if rng.random() < 0.2 else one for one in value]
        value = value[: rng.randrange(5)] if rng.random() < 0.1 else value
    return json.dumps(spoilt(rng, value)).encode() + b"\n"


def plug_in(monkeypatch: pytest.MonkeyPatch, make: Callable[[Clock], HostilePort]) -> None:
    """From now on, each port that is opened is one that `make` gives."""
    clock = Clock()
    for module in board_link, board_serial, transport_serial:
        monkeypatch.setattr(module, "time", clock)

    def opened(port: str, appears_s: float = 0.0) -> transport_serial.SerialTransport:
        transport = transport_serial.SerialTransport.__new__(transport_serial.SerialTransport)
        transport.in_raw_repl = transport.mounted = transport.is_pty = False
        transport.use_raw_paste = True
        transport.device_name = port
        transport.serial = make(clock)
        return transport

    monkeypatch.setattr(board_link, "_open_port", opened)
