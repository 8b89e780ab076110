"""Raspberry Pi Pico W (RP2040) and Pico 2 W (RP2350), both with a CYW43439 radio."""

import select
import sys

import machine
from micropython import const, kbd_intr

from firmware.board.common import CommonBoard
from firmware.board.common_radio import CommonRadio

# cyw43_tcpip_link_status(); 2, associated without an address, has no constant in Python.
_STATES = {
    0: "idle",
    1: "joining",
    2: "joined",
    -1: "failed",
    -2: "no-ap",
    -3: "wrong-password",
}
_LINK_UP = const(3)
_GET_BSSID = const(0x2E)  # WLC_GET_BSSID (23), doubled, as the driver's ioctl wants it

# RP2040 datasheet 4.7.6, RP2350 datasheet 12.9.7: the scratch registers survive every reset
# through the watchdog, and only those. pico-sdk's watchdog_enable() writes scratch 4 with
# 0x6ab73121, watchdog_reboot(), which is machine.reset(), with 0; scratch 0 is free.
_WATCHDOG_RP2040 = const(0x40058000)
_WATCHDOG_RP2350 = const(0x400D8000)
_SCRATCH0 = const(0x0C)
_SCRATCH4 = const(0x1C)
_ARMED = const(0x6AB73121)
_ASLEEP = const(0x0F1E1D05)
_SEEN = const(0x0F1E1D06)

_FEED_MS = const(2000)
_FOR_EVER_MS = const(0x3FFFFFFF)
_VOLTS_FULL_UV = const(3300000)
_CTRL_C = const(3)


def _unbroken(start, *arguments):
    """Call what starts the radio chip. A Ctrl-C is heeded when it is done.

    The driver looks for one while it waits for the chip, and has taken lwIP's lock: raised there,
    the lock stays taken, and the next sleep or join never returns (cyw43_delay_ms() in
    extmod/cyw43_config_common.h).
    """
    kbd_intr(-1)
    try:
        return start(*arguments)
    finally:
        kbd_intr(_CTRL_C)
        typed = select.poll()
        typed.register(sys.stdin, select.POLLIN)
        while typed.poll(0):
            if ord(sys.stdin.read(1)) == _CTRL_C:
                raise KeyboardInterrupt


class Radio(CommonRadio):
    def __init__(self):
        super().__init__()
        self._powered = self._wlan.active()

    def _activate(self):
        self._powered = True
        _unbroken(self._wlan.active, True)

    def off(self):
        """Leave, switch off and cut the chip's power, or its events would end every sleep."""
        super().off()
        if self._powered:
            self._wlan.deinit()
            self._powered = False

    def leave(self):
        # To leave starts a chip that is off (0.4 s), and then nobody would switch it off again.
        if self._powered:
            super().leave()

    def _connect(self, ssid, password, bssid, channel):
        where = {}
        if bssid:
            where["bssid"] = bssid
            if channel:
                where["channel"] = channel  # counts only with a BSSID
        self._wlan.connect(ssid, password, **where)

    def state(self):
        if not self._wlan.active():
            return "off"
        status = self._wlan.status()
        if status == _LINK_UP:
            return "up" if self.address() else "joined"
        return _STATES.get(status, "failed")

    def rssi(self):
        # Not associated, the driver leaves its answer unset: ask only when up.
        return super().rssi() if self._wlan.status() == _LINK_UP else None

    def bssid(self):
        """The access point's six bytes, None when not associated."""
        if self._wlan.status() != _LINK_UP:
            return None
        found = bytearray(6)
        self._wlan.ioctl(_GET_BSSID, found)
        return bytes(found) if any(found) else None


class _Adc:
    def __init__(self, pin):
        self._adc = machine.ADC(pin)

    def read_uv(self):
        return self._adc.read_u16() * _VOLTS_FULL_UV // 65535


class Board(CommonBoard):
    family = "rp2"
    taken_pins = (23, 24, 25, 29)  # the radio's: power, data, chip select, clock
    # 2**24 - 1 ticks of half a microsecond (RP2040-E1). RP2350 could take twice that, but
    # MicroPython refused it before 1.29.
    watchdog_max_ms = 8388
    # machine.freq() is not for a Pico W: the radio's bus is clocked from the CPU's, and fails at
    # 60 MHz and below (pico-sdk issue 1392). A light sleep stops the CPU's clock altogether.
    sleeps_in_waits = True
    sleep_max_ms = 4294966

    def __init__(self):
        super().__init__()
        self.radio = Radio()
        rp2350 = "RP2350" in sys.implementation._machine
        self._scratch0 = (_WATCHDOG_RP2350 if rp2350 else _WATCHDOG_RP2040) + _SCRATCH0
        self._scratch4 = self._scratch0 + _SCRATCH4 - _SCRATCH0
        self._feeder = None
        self._feed_ms = 0
        self._cause = self._find_cause()
        if self._cause == "soft":
            self.radio._powered = True  # A soft reset leaves the radio as it was.
        self._led = None
        self._supply_mv = None

    def reset_cause(self):
        return self._cause

    def hold_watchdog(self, limit_ms):
        """A timer feeds the watchdog for so long: lwIP may look for a name for ten seconds, and
        the watchdog knows no more than eight."""
        if not self._watchdog:
            return
        if self._feeder:
            self._feeder.deinit()
            self._feeder = None
        self._feed_ms = limit_ms
        if limit_ms:
            self._feeder = machine.Timer(-1, period=_FEED_MS, callback=self._feed_on)

    def _feed_on(self, _):
        self._feed_ms -= _FEED_MS
        if self._feed_ms >= 0:
            self._watchdog.feed()

    def let_go(self):
        """Feed from a timer until the next reset; a soft reset ends it, and then the board."""
        self.hold_watchdog(_FOR_EVER_MS)

    def _find_cause(self):
        """machine.reset_cause() calls every reset but power-on a watchdog's; this tells more.

        Known from the scratch registers: deep sleep (marked below), machine.reset() ("hard"), and
        a real time-out of the watchdog. A soft reset is known as long as no watchdog was armed;
        after that it reads as the cause before it.
        """
        mark, armed = machine.mem32[self._scratch0], machine.mem32[self._scratch4]
        machine.mem32[self._scratch0] = 0
        machine.mem32[self._scratch4] = _SEEN
        if armed == _SEEN:
            return "soft"
        cause = super().reset_cause()
        if cause != "watchdog":
            return cause
        if armed == _ARMED:
            return "watchdog"
        return "deep-sleep" if mark == _ASLEEP else "hard"

    def led(self, on):
        """The LED hangs on the radio chip: even to name its pin as an output starts that."""
        if self._led is None:
            self.radio._powered = True
            self._led = _unbroken(machine.Pin, "LED", machine.Pin.OUT)
        self._led.value(1 if on else 0)

    def deep_sleep(self, ms):
        """Sleep and start anew. Does not return. RAM and clock are lost; `reset_cause` tells.

        machine.deepsleep() is a light sleep and a reset as well, but wakes when anything stirs
        and knows no more than 71 minutes.
        """
        self.radio.off()
        self.light_sleep(ms)
        machine.mem32[self._scratch0] = _ASLEEP
        machine.reset()

    def supply_mv(self):
        """The supply at VSYS in millivolts; with the radio chip on, what was read before, or None.

        Read at start-up, before Radio.on(), or after Radio.off(): see rp2_supply.py.
        """
        if not self.radio._powered:
            from firmware.board.rp2_supply import supply_mv

            self._supply_mv = supply_mv(machine)
        return self._supply_mv

    def die_temperature_c(self):
        """Degrees Celsius inside the chip, +/- 4 or so. RP2040 datasheet 4.9.5."""
        volts = machine.ADC(machine.ADC.CORE_TEMP).read_u16() * 3.3 / 65535
        return 27 - (volts - 0.706) / 0.001721

    def adc(self, pin):
        return _Adc(self._pin(pin))
