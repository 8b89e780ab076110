"""What the board modules of ESP32 and RP2 share: the part of `machine` that both have."""

import os
import select
import socket
import sys
import time

import machine
from micropython import const

# 2000-01-01 in Unix time: where ESP32's time() starts; RP2 counts from 1970.
_EPOCH_2000_S = const(946684800)
_YEAR_MIN = const(2024)
# machine.reset_cause(); ESP32 says 0 when it does not know, RP2 says only 1 and 3.
_CAUSES = ("unknown", "power-on", "hard", "watchdog", "deep-sleep", "soft")


class CommonBoard:
    family = ""
    radio = None  # each board's own
    socket = socket
    select = select
    time = time
    watchdog_max_ms = None
    watchdog_s = 0  # armed if the configuration does not say
    retained_bytes = 0
    taken_pins = ()  # by the flash memory or the radio
    sleeps_in_waits = False  # whether a wait with the radio off is better spent in a light sleep
    short_sleeps = 0  # light sleeps that ended too early, and nobody had asked for it
    sleep_max_ms = 0x3FFFFFFF

    def __init__(self):
        self._input = {}  # what the port is to be told of each input
        self._watchdog = None
        self.watchdog_ms = None

    def reset_cause(self):
        cause = machine.reset_cause()
        return _CAUSES[cause] if 0 <= cause < len(_CAUSES) else "unknown"

    def uid(self):
        return machine.unique_id().hex()

    def version(self):
        """Chip and MicroPython, as "RP2040 MicroPython 1.25.0"."""
        implementation = sys.implementation
        chip = implementation._machine.split(" with ")[-1]
        return chip + " MicroPython " + ".".join([str(n) for n in implementation.version[:3]])

    def start_watchdog(self, timeout_ms):
        """Arm the watchdog; returns the time-out in force, at most what the chip allows."""
        if self.watchdog_max_ms:
            timeout_ms = min(timeout_ms, self.watchdog_max_ms)
        self._watchdog = machine.WDT(timeout=timeout_ms)
        self.watchdog_ms = timeout_ms
        return timeout_ms

    def feed(self):
        if self._watchdog:
            self._watchdog.feed()

    def hold_watchdog(self, limit_ms):
        """For a call that cannot feed, such as a name look-up: keep an armed watchdog quiet for
        `limit_ms` at most. 0: the call is over. Nothing to do where its time-out is long."""

    def let_go(self):
        """A person has taken over: an armed watchdog must not reset the board under them."""

    def restart(self):
        machine.reset()

    def retained(self):
        return b""

    def retain(self, data):
        """Keeps nothing where `retained_bytes` is 0."""

    def throttle(self, on):
        """Run the CPU slower, or as fast as before. Only while the radio is off. Nothing to do
        where the clock is not to be touched."""

    def access_point(self):
        """The board's own access point, for set-up; None on a board that has none."""
        from firmware.board.access_point import AccessPoint

        return AccessPoint(self.radio, self.family == "esp32")

    def light_sleep(self, ms, watch=None):
        """Sleep `ms`, RAM kept, however long, feeding an armed watchdog on the way.

        Switch the radio off before: with it on, ESP32 loses its network and RP2 wakes at once.
        What wakes the chip early costs the sleep nothing; it goes on. `short_sleeps` counts that,
        unless `watch` (firmware/duty_cycle/watched_pins.py) knows of it: one of its pins has
        changed. If that is an input whose change is to be told, this returns early.
        """
        from firmware.board.light_sleep import sleep

        sleep(self, machine.lightsleep, ms, watch)

    def supply_mv(self):
        return None

    def _pin(self, number):
        # The port would take such a pin, and the chip would stop or be cut off for good.
        if number in self.taken_pins:
            raise ValueError("pin %d is the flash memory's or the radio's" % number)
        return machine.Pin(number)

    def pin(self, number, mode=None, pull=None):
        """mode: "in", "out", "open-drain" or None (as it is); pull: "up", "down" or None."""
        pin = self._pin(number)
        if mode is None:
            return pin
        name = {"in": "IN", "out": "OUT", "open-drain": "OPEN_DRAIN"}[mode]
        options = dict(self._input) if mode == "in" else {}
        if pull:
            options["pull"] = getattr(machine.Pin, "PULL_" + pull.upper())
        return machine.Pin(number, getattr(machine.Pin, name), **options)

    def i2c(self, bus, scl, sda, freq_hz):
        return machine.I2C(bus, scl=self._pin(scl), sda=self._pin(sda), freq=freq_hz)

    def onewire(self, pin):
        from onewire import OneWire

        return OneWire(self._pin(pin))

    def uart(self, bus, baud, tx, rx, **options):
        return machine.UART(bus, baud, tx=self._pin(tx), rx=self._pin(rx), **options)

    def set_unix_s(self, unix_s):
        """Set the real-time clock, in UTC."""
        if time.gmtime(0)[0] == 2000:
            unix_s -= _EPOCH_2000_S
        now = time.gmtime(int(unix_s))
        machine.RTC().datetime((now[0], now[1], now[2], now[6], now[3], now[4], now[5], 0))

    def clock_is_set(self):
        """Whether the real-time clock can be believed: without NTP it starts at 2000 or 2021."""
        return time.gmtime()[0] >= _YEAR_MIN

    def tls_context(self, ca, own=None):
        """See firmware/board/tls_context.py."""
        from firmware.board.tls_context import context

        return context(ca, own)

    def random_u32(self):
        return int.from_bytes(os.urandom(4), "big")
