"""`network` as ESP32 and RP2 have it, replaying raw status numbers.

`script` holds, for each connect() in turn, [(ms after it, status), …]; the last list serves all
later ones. Up (1010, 3) brings an address, unless the script says otherwise.

What an ESP32 answers is held against genuine images by host_tests/on_esp32/test_port.py. A second
connect() is refused here, as it is by some versions.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any, Protocol

from fakes.clock import FakeTime

_UP = {True: 1010, False: 3}
_ESP32_JOINING = 1001
_ESP32_REASONS = range(1, 300)


class Chip(Protocol):
    """What the radio needs of the silicon that it is on (`fakes.machine.Chip`)."""

    is_esp32: bool
    time: FakeTime

    def start_radio(self) -> None: ...


class FakeNetwork:
    def __init__(self, chip: Chip) -> None:
        self.chip = chip
        self.is_active = False
        self.has_mode = False  # ESP32: whether it was active before
        self.powered = False  # RP2: whether the radio chip runs, active or not
        self.settings: dict[str, Any] = {"country": "XX", "hostname": "mpy"}
        self.country_at_start: str | None = None
        self.script: list[list[tuple[int, int]]] = [[(0, _UP[chip.is_esp32])]]
        self.connects: list[dict[str, Any]] = []
        self.refusals: list[Exception] = []  # what the next connect()s raise
        self.lease = "192.168.1.7"
        self.static: tuple[str, ...] | None = None
        self.dbm = -61
        self.in_range: list[tuple[bytes, bytes, int, int, int, int]] = []  # as scan() tells it
        self.opened: list[dict[str, Any]] = []  # settings that the access point was up with
        self.is_open = False
        self._address = "0.0.0.0"
        self._joined_ms: int | None = None
        self._last = 1000 if chip.is_esp32 else 0
        self._left_ms: int | None = None

    def status(self) -> int:
        if not self.is_active:
            return 1000 if self.chip.is_esp32 else 0
        now = self.chip.time.elapsed_ms
        if self._joined_ms is not None:
            script = self.script[min(len(self.connects), len(self.script)) - 1]
            for after_ms, status in script:
                if now - self._joined_ms >= after_ms:
                    self._last = status
            if self._last == _UP[self.chip.is_esp32]:
                self._address = self.static[0] if self.static else self.lease or self._address
        elif self._left_ms is not None and now - self._left_ms >= 20:
            # ESP32's state follows an event, a little after disconnect() returned.
            self._last = 1000 if self.chip.is_esp32 else 0
            self._left_ms = None
        return self._last

    def is_associated(self) -> bool:
        return self._joined_ms is not None and self.status() in (1010, 3, 2)

    def module(self) -> ModuleType:
        network = self
        chip = self.chip
        module: Any = ModuleType("network")

        class AccessPoint:
            """RP2 opens under its own name unless it was configured; ESP32 refuses that before."""

            def __init__(self) -> None:
                self.settings: dict[str, Any] = {"ssid": "DEFAULT", "key": "default"}

            def active(self, on: bool) -> bool | None:
                network.powered = network.powered or on
                network.is_open = on
                if on:
                    network.opened.append(dict(self.settings))
                return on if chip.is_esp32 else None

            def config(self, **values: Any) -> None:
                if chip.is_esp32 and not network.is_open:
                    raise OSError("Wifi Invalid Mode")
                self.settings.update(values)
                if network.is_open:
                    network.opened.append(dict(self.settings))

        access_point = AccessPoint()

        class WLAN:
            IF_STA = 0
            IF_AP = 1
            PM_NONE = 0 if chip.is_esp32 else 0x10
            PM_PERFORMANCE = 1 if chip.is_esp32 else 0xA11142
            PM_POWERSAVE = 2 if chip.is_esp32 else 0x11

            def __new__(cls, interface: int) -> Any:
                return access_point if interface == WLAN.IF_AP else object.__new__(cls)

            def scan(self) -> list[tuple[bytes, bytes, int, int, int, int]]:
                if not network.is_active:
                    raise OSError("STA must be active")
                return network.in_range

            def active(self, on: bool | None = None) -> bool | None:
                if on is None:
                    return network.is_active
                if on and not network.is_active:
                    network.country_at_start = network.settings["country"]
                network.is_active = on
                network.has_mode = True
                if on and not network.powered and not chip.is_esp32:
                    chip.start_radio()
                if not on:
                    network._joined_ms = None
                    if chip.is_esp32:
                        network._address = "0.0.0.0"  # esp_netif_down() clears it.
                return on if chip.is_esp32 else None

            def config(self, *names: str, **values: Any) -> Any:
                if names:
                    return network.settings.get(names[0], 6)
                if chip.is_esp32 and not network.has_mode:
                    raise OSError("Wifi Invalid Mode")
                if not chip.is_esp32 and not network.is_active:
                    raise OSError("Wifi Not Started")
                network.settings.update(values)
                return None

            def ifconfig(self, settings: tuple[str, ...] | None = None) -> Any:
                if settings is None:
                    network.status()
                    return (network._address, "255.255.255.0", "192.168.1.1", "192.168.1.1")
                assert isinstance(settings, tuple), "ifconfig('dhcp') blocks on RP2"
                network.static = settings
                network._address = settings[0]
                return None

            def ipconfig(self, dhcp4: bool) -> None:
                assert dhcp4
                network.static = None

            def status(self, what: str | None = None) -> Any:
                if what is None:
                    return network.status()
                if network.is_associated():
                    return network.dbm
                if chip.is_esp32:
                    off = "Wifi Internal Error"
                    raise OSError("Wifi Not Connected" if network.is_active else off)
                return 0

            def disconnect(self) -> None:
                if chip.is_esp32 and not network.is_active:
                    raise OSError("Wifi Not Started")
                network.status()
                if network._joined_ms is not None:
                    network._joined_ms = None
                    network._left_ms = chip.time.elapsed_ms
                    if chip.is_esp32 and not network.static:
                        network._address = "0.0.0.0"
                if not chip.is_esp32:
                    network._last = 0  # The address stays: RP2 shows it until the next lease.
                elif network._last == 1010:
                    pass  # Still 'got IP' until the event is handled.

        def connect_esp32(
            _: Any, ssid: str, key: str | None, *, bssid: bytes | None = None
        ) -> None:
            if not network.has_mode:
                raise OSError("Wifi Invalid Mode")
            if not network.is_active:
                raise OSError("Wifi Not Started")
            if network._joined_ms is not None and network.status() in (_ESP32_JOINING, 1010):
                raise OSError("Wifi Internal State Error")
            # A reason for a failure stays visible until this attempt has its own.
            if network._last not in _ESP32_REASONS:
                network._last = _ESP32_JOINING
            network._left_ms = None
            begin({"ssid": ssid, "key": key, "bssid": bssid})

        def connect_rp2(
            _: Any,
            ssid: str,
            key: str | None,
            *,
            bssid: bytes | None = None,
            channel: int | None = None,
        ) -> None:
            network._last = 1
            begin({"ssid": ssid, "key": key, "bssid": bssid, "channel": channel})

        def begin(arguments: dict[str, Any]) -> None:
            if not network.is_active:
                raise OSError("Wifi Not Started")
            if network.refusals:
                raise network.refusals.pop(0)
            network.connects.append(arguments)
            network._joined_ms = chip.time.elapsed_ms

        def ioctl(_: Any, command: int, buffer: bytearray) -> None:
            assert command == 0x2E
            buffer[:] = b"\xde\xad\xbe\xef\x00\x01"

        def deinit(_: Any) -> None:
            assert not network.is_active
            network.powered = False
            network._address = "0.0.0.0"

        methods: Any = WLAN
        methods.connect = connect_esp32 if chip.is_esp32 else connect_rp2
        if not chip.is_esp32:
            methods.ioctl, methods.deinit = ioctl, deinit

        def setting(name: str) -> Any:
            def ask_or_set(value: str | None = None) -> str | None:
                if value is None:
                    return network.settings[name]
                if len(value) > 32:
                    raise ValueError
                network.settings[name] = value
                return None

            return ask_or_set

        module.WLAN = WLAN
        module.hostname = setting("hostname")
        module.country = setting("country")
        return module
