"""The radio of the ESP32 family. A wake that only reads its sensors never loads it."""

import time

import machine
import network
from micropython import const

from firmware.board.common_radio import CommonRadio

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


class Radio(CommonRadio):
    def __init__(self):
        # The interface is made when it is first asked for: that starts the driver, which takes a
        # tenth of a wake without a use for it. What ran before a soft reset may have left it on.
        self._may_be_on = machine.reset_cause() != machine.DEEPSLEEP_RESET
        self._is_static = False
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
