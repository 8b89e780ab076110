"""What the radios of ESP32 and RP2 share: the part of `network` that both have."""

import network
from micropython import const

_HOSTNAME_MAX = const(32)
_NO_ADDRESS = "0.0.0.0"


class CommonRadio:
    """The Wi-Fi station interface. Nothing here waits for the network; see `state`."""

    def __init__(self):
        self._is_static = False
        self._wlan = network.WLAN(network.WLAN.IF_STA)

    def on(self, hostname=None, country=None, power=None):
        """Switch on, or change the settings of a radio that is on.

        hostname: cut at 32 bytes; country: two letters, ISO 3166; power: "none" (answers
        fastest), "performance" or "powersave" (draws least), of the radio's power management.
        """
        if hostname:
            network.hostname(hostname[:_HOSTNAME_MAX])
        if country:
            network.country(country)  # RP2 reads it in active(True), and only there
        if not self._wlan.active():
            self._activate()
        if power:
            self._wlan.config(pm=getattr(network.WLAN, "PM_" + power.upper()))

    def _activate(self):
        self._wlan.active(True)

    def off(self):
        """Leave and switch off. Harmless when it is off."""
        if self._wlan.active():
            self.leave()
            self._wlan.active(False)

    def leave(self):
        """Leave the network, or give up joining."""
        try:
            self._wlan.disconnect()
        except (OSError, RuntimeError):
            pass  # ESP32 raises when there is nothing to leave, and that is what was wanted.

    def join(self, ssid, password, bssid=None, channel=None, static=None):
        """Start joining and return at once. A radio that is off is switched on.

        bssid (6 bytes) and channel of the access point, if known, save the scan. static:
        (address, mask, gateway, DNS server), or None for DHCP. Raises OSError if the radio
        refuses what it was given.
        """
        if not self._wlan.active():
            self._activate()
        # A second connect() without this is 'Wifi Internal Error' on ESP32, and on RP2 the
        # first attempt may still be running.
        self.leave()
        if static:
            self._wlan.ifconfig(tuple(static))  # the one call that stops DHCP first on both
        elif self._is_static:
            # Not ifconfig("dhcp"): on RP2 that waits ten seconds for an address.
            self._wlan.ifconfig((_NO_ADDRESS, _NO_ADDRESS, _NO_ADDRESS, _NO_ADDRESS))
            self._wlan.ipconfig(dhcp4=True)
        self._is_static = bool(static)
        try:
            self._connect(ssid, password or None, bssid, channel)
        except (OSError, RuntimeError, ValueError) as error:
            # The chip may not have started, whatever active() says: the next join begins afresh.
            self.off()
            raise error if isinstance(error, OSError) else OSError(str(error))

    def _connect(self, ssid, password, bssid, channel):
        raise NotImplementedError

    def status(self):
        """The port's own number, for a diagnosis."""
        return self._wlan.status()

    def address(self):
        """The address as text, "" while there is none."""
        address = self._wlan.ifconfig()[0]
        return "" if address == _NO_ADDRESS else address

    def lease(self):
        """(address, mask, gateway, DNS server) in use, of the form that `join` takes."""
        return self._wlan.ifconfig()

    def rssi(self):
        """Signal strength in dBm, None when not associated."""
        try:
            return self._wlan.status("rssi") or None  # 0: the driver had no answer
        except (OSError, RuntimeError):
            pass
        return None

    def channel(self):
        """The channel in use, None when not associated."""
        if not self.address():
            return None
        try:
            return self._wlan.config("channel") or None
        except (OSError, RuntimeError):
            return None
