"""The radio's bus of an emulated Pico W, with one access point in reach."""

from typing import Any

from rp2040py.external.cyw43 import bus

# Where a request has the length of the network's name, and then the name (32 bytes at most).
_LENGTH = bus.SDPCM_HEADER_LEN + bus.IOCTL_HEADER_LEN
_NAME = _LENGTH + 4
_NAME_MAX = 32
# As Infineon's driver takes it: the search has ended, and that network was not found.
_NO_NETWORKS = 3


class RadioBus(bus.GSPIBus):
    """rp2040py's joins whatever it is asked for. Here the name decides, as it does on the air."""

    def __init__(self, ssid: str) -> None:
        super().__init__()
        self._ssid = ssid.encode()
        self._asked = b""

    def _write_wlan(self, data: bytes) -> None:
        length = int.from_bytes(data[_LENGTH:_NAME], "little")
        self._asked = data[_NAME : _NAME + min(length, _NAME_MAX)]
        super()._write_wlan(data)

    def _queue_join_events(self) -> None:
        if self._asked == self._ssid:
            super()._queue_join_events()
        else:
            event: Any = self._build_async_event(bus.CYW43_EV_SET_SSID, _NO_NETWORKS)
            self.queue_rx_packet(event)
