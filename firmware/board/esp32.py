"""The ESP32 family: ESP32, S2, S3, C2, C3, C5, C6."""

import binascii
import struct
import sys

import esp32
import machine
from micropython import const

from firmware.board.common import CommonBoard

_DAY_MS = const(86400000)
# The slowest clock that Wi-Fi bears (below it the board locks up), and the same for its buses.
_SLOW_HZ = const(80000000)
_RTC_BYTES = const(2048)
_HEADER = "<HHI"  # mark, length, CRC-32
_HEADER_BYTES = const(8)
_MARK = const(0x4650)
# The same, and lib/module_pack.py found no module beside the pack: its `_ALONE`.
_MARK_ALONE = const(0x4651)


class _Adc:
    def __init__(self, pin):
        # The full range, about 0.15 to 3.1 V, linearised by the chip's own calibration.
        self._adc = machine.ADC(pin, atten=machine.ADC.ATTN_11DB)
        self.read_uv = self._adc.read_uv


class Board(CommonBoard):
    family = "esp32"
    retained_bytes = _RTC_BYTES - _HEADER_BYTES
    watchdog_s = 60

    def __init__(self):
        super().__init__()
        # A pin that has woken the chip is held as it was, until it is told otherwise.
        self._input = {"hold": False}
        self._radio = None
        self._full_hz = 0
        # Of the others, the port knows no such pins.
        chip = sys.implementation._machine.split()[-1]
        self.taken_pins = {"ESP32": range(6, 12), "ESP32C3": range(11, 18)}.get(chip, ())
        try:
            self._led = machine.Pin("LED", machine.Pin.OUT)
        except (ValueError, TypeError):
            self._led = None  # Only some boards name their LED; the plain image cannot know.

    @property
    def radio(self):
        """Loaded and made when it is first asked for."""
        if not self._radio:
            from firmware.board.esp32_radio import Radio

            self._radio = Radio()
        return self._radio

    def slots(self):
        """Of MicroPython itself (esp32_slots.py), or None: most images have one place for it."""
        from firmware.board.esp32_slots import Slots

        try:
            return Slots()
        except OSError:
            return None

    def let_go(self):
        """The watchdog cannot be stopped, but a new one takes its place: a day is long enough."""
        if self._watchdog:
            self._watchdog = machine.WDT(timeout=_DAY_MS)

    def throttle(self, on):
        """80 MHz instead of 160 or 240. To change it while the radio runs was seen to cost the
        connection (arduino-esp32 issues 4710 and 7240): before it starts, or after it is off."""
        if on and not self._full_hz:
            self._full_hz = machine.freq()
            machine.freq(_SLOW_HZ)
        elif self._full_hz and not on:
            machine.freq(self._full_hz)
            self._full_hz = 0

    def waker(self):
        """The pins that can end a deep sleep: `arm` and `woken_by`."""
        from firmware.board import esp32_wake_pins

        return esp32_wake_pins

    def led(self, on):
        if self._led:
            self._led.value(1 if on else 0)

    def retained(self):
        """What retain() kept across deep sleep or reset; b"" after a power cut or brown-out."""
        data = machine.RTC().memory()
        if len(data) < _HEADER_BYTES:
            return b""
        mark, size, crc = struct.unpack(_HEADER, data[:_HEADER_BYTES])
        body = data[_HEADER_BYTES : _HEADER_BYTES + size]
        if mark not in (_MARK, _MARK_ALONE) or len(body) != size or binascii.crc32(body) != crc:
            return b""
        return body

    def retain(self, data):
        """Keep `data`; ValueError if it is longer than `retained_bytes`."""
        if len(data) > self.retained_bytes:
            raise ValueError(f"{len(data)} bytes to retain, {self.retained_bytes} at most")
        pack = sys.modules.get("module_pack")  # None: the firmware is frozen, or a tree of files.
        mark = _MARK_ALONE if pack and pack.is_alone else _MARK
        header = struct.pack(_HEADER, mark, len(data), binascii.crc32(data))
        machine.RTC().memory(header + data)

    def deep_sleep(self, ms):
        """Sleep and start anew, with RTC memory and clock kept. Does not return."""
        if self._radio:
            self._radio.off()
        machine.deepsleep(min(ms, self.sleep_max_ms))

    def die_temperature_c(self):
        """Degrees Celsius inside the chip, some 20 above its surroundings with the radio on."""
        celsius = getattr(esp32, "mcu_temperature", None)
        if celsius:
            return float(celsius())
        fahrenheit = getattr(esp32, "raw_temperature", None)  # the classic ESP32 alone
        return (fahrenheit() - 32) / 1.8 if fahrenheit else None

    def adc(self, pin):
        return _Adc(self._pin(pin))
