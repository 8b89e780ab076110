"""The ESP32 family: ESP32, S2, S3, C2, C3, C5, C6."""

import binascii
import struct
import sys
import time

import esp32
import machine
import network
from micropython import const

from firmware.board.common import CommonBoard, CommonRadio

_IDLE = const(1000)
_CONNECTING = const(1001)
_GOT_IP = const(1010)
# Reasons of the ESP-IDF (wifi_err_reason_t): no access point at all, none with a security that
# fits, none that allows the mode of authentication, none strong enough.
_NO_AP = (201, 210, 211, 212)
# AUTH_FAIL; four-way handshake timed out; handshake timeout; MIC failure: each is what a wrong
# password looks like with some access point, and each also happens with the right one.
_WRONG_PASSWORD = (202, 15, 204, 14)
# status() keeps the reason of the last failure until the next attempt succeeds or fails.
_STALE_MS = const(8000)

_DAY_MS = const(86400000)
# The slowest clock that Wi-Fi bears (below it the board locks up), and the same for its buses.
_SLOW_HZ = const(80000000)
_RTC_BYTES = const(2048)
_HEADER = "<HHI"  # mark, length, CRC-32
_HEADER_BYTES = const(8)
_MARK = const(0x4650)


class Radio(CommonRadio):
    def __init__(self):
        # The interface is made when it is first asked for: that starts the driver, which takes a
        # tenth of a wake without a use for it. What ran before a soft reset may have left it on.
        self._may_be_on = machine.reset_cause() != machine.DEEPSLEEP_RESET
        self._stale = None
        self._joined_at = 0

    def __getattr__(self, name):
        if name != "_wlan":
            raise AttributeError(name)
        self._may_be_on = True
        self._wlan = network.WLAN(network.WLAN.IF_STA)
        return self._wlan

    def off(self):
        if self._may_be_on:
            super().off()

    def _activate(self):
        self._wlan.active(True)
        # The port's own reconnecting hides the reason of a failure, fights the next connect()
        # and cannot move on to another network; the station decides here.
        self._wlan.config(reconnects=0)

    def _connect(self, ssid, password, bssid, channel):
        # No channel: ESP32's connect() has none, and config(channel=) is lost in it.
        self._stale = self._wlan.status()
        self._joined_at = time.ticks_ms()
        if bssid:
            self._wlan.connect(ssid, password, bssid=bssid)
        else:
            self._wlan.connect(ssid, password)

    def state(self):
        if not self._wlan.active():
            return "off"
        status = self._wlan.status()
        if status == _GOT_IP:
            return "up" if self.address() else "joined"
        if status in (_CONNECTING, _IDLE):
            if self.rssi() is not None:
                return "joined"
            return "joining" if status == _CONNECTING else "idle"
        if status == self._stale:
            if time.ticks_diff(time.ticks_ms(), self._joined_at) < _STALE_MS:
                return "joining"
            if self.rssi() is not None:
                return "joined"
        else:
            self._stale = None
        if status in _NO_AP:
            return "no-ap"
        return "wrong-password" if status in _WRONG_PASSWORD else "failed"

    def bssid(self):
        """None: the port tells it only by a scan, which costs more than the hint would save."""


class _Adc:
    def __init__(self, pin):
        # The full range, about 0.15 to 3.1 V, linearised by the chip's own calibration.
        self._adc = machine.ADC(pin, atten=machine.ADC.ATTN_11DB)
        self.read_uv = self._adc.read_uv


class Board(CommonBoard):
    family = "esp32"
    retained_bytes = _RTC_BYTES - _HEADER_BYTES
    watchdog_s = 60
    # A pin that has woken the chip is held as it was, until it is told otherwise.
    _input = {"hold": False}

    def __init__(self):
        super().__init__(Radio())
        self._full_hz = 0
        # Of the others, the port knows no such pins.
        chip = sys.implementation._machine.split()[-1]
        self.taken_pins = {"ESP32": range(6, 12), "ESP32C3": range(11, 18)}.get(chip, ())
        try:
            self._led = machine.Pin("LED", machine.Pin.OUT)
        except (ValueError, TypeError):
            self._led = None  # Only some boards name their LED; the plain image cannot know.

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
        if mark != _MARK or len(body) != size or binascii.crc32(body) != crc:
            return b""
        return body

    def retain(self, data):
        """Keep `data`; ValueError if it is longer than `retained_bytes`."""
        if len(data) > self.retained_bytes:
            raise ValueError(f"{len(data)} bytes to retain, {self.retained_bytes} at most")
        header = struct.pack(_HEADER, _MARK, len(data), binascii.crc32(data))
        machine.RTC().memory(header + data)

    def deep_sleep(self, ms):
        """Sleep and start anew, with RTC memory and clock kept. Does not return."""
        self.radio.off()
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
