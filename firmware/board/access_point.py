"""The board's own access point, for set-up (firmware/portal); loaded only then."""

import network
from micropython import const

_AUTH_OPEN = const(0)
_AUTH_WPA2 = const(3)  # ESP-IDF's wifi_auth_mode_t; RP2 is at WPA2 from its start (rp2/main.c)


class AccessPoint:
    """begin, scan, open; close in any case. `address` counts once it is open.

    radio: the board's (firmware/board/common.py). It scans, so it is on as well.
    """

    http_port = 80
    dns_port = 53
    open_ms = 600000  # so long without a visitor
    address = "192.168.4.1"  # of both ports; DHCP names it as the DNS server, too

    def __init__(self, radio, is_esp32):
        self._radio = radio
        self._is_esp32 = is_esp32
        self._wlan = network.WLAN(network.WLAN.IF_AP)

    def begin(self, country=None):
        """Switch the radio on."""
        self._radio.on(country=country)

    def scan(self):
        """[(ssid as bytes, dBm, whether it is open), …]; takes two to ten seconds. OSError."""
        found = network.WLAN(network.WLAN.IF_STA).scan()
        return [(one[0], one[3], one[4] == _AUTH_OPEN) for one in found]

    def open(self, ssid, password):
        """Let whoever has the password in. OSError if the radio refuses."""
        if self._is_esp32:
            # Configured while it is not active, it refuses.
            self._wlan.active(True)
            self._wlan.config(ssid=ssid, security=_AUTH_WPA2, key=password)
        else:
            # Configured while it is active, it would open under another name first.
            self._wlan.config(ssid=ssid, key=password)
            self._wlan.active(True)

    def close(self):
        """Switch everything off."""
        try:
            self._wlan.active(False)
        except OSError:
            pass  # It was never on.
        self._radio.off()
