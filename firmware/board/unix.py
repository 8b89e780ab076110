"""A board that is a desktop computer: MicroPython's unix port (and CPython: board_cpython).

The host's network is always there, pins and buses are not. What a test or demonstration wants to
choose comes in environment variables:

    FIELDPOST_UNIX_RESET_CAUSE    what reset_cause() says (default "power-on")
    FIELDPOST_UNIX_CLOCK=unset    start at 2000-01-01, as a board without NTP does
    FIELDPOST_UNIX_UID            hex digits (default: a hash of the host's own id)
    FIELDPOST_UNIX_SUPPLY_MV      supply_mv()
    FIELDPOST_UNIX_TEMPERATURE_C  die_temperature_c() (default: the host's first thermal zone)
    FIELDPOST_UNIX_LED            set: each change of the LED is a line on the standard output
    FIELDPOST_UNIX_HELD           number of a pin that a button holds low; there are no others
    FIELDPOST_UNIX_PORTAL         port of the access point for set-up, on the loopback; after
                                  commas its DNS port (0: none), and how many ms it stays open
                                  without a visitor (default: there is no access point)
    FIELDPOST_UNIX_NETWORKS       Wi-Fi in range, as JSON: [["name", dBm, "password"], …]; with
                                  it, the node joins no other, and none with another password

Exit statuses for whoever started the node: 3 restart, 4 woke from deep sleep (start it again with
reset cause "deep-sleep"), 5 the watchdog of a real board would have bitten.
"""

import json
import os
import select
import socket
import sys
import time

EXIT_RESTART = 3
EXIT_DEEP_SLEEP = 4
EXIT_WATCHDOG = 5

_YEAR_2000_S = 946684800
_YEAR_2024_S = 1704067200


class _Time:
    """The port's `time`, with a clock that can be set without touching the host's."""

    def __init__(self, port_time, unix_s=None):
        self._time = port_time
        self.ticks_ms = port_time.ticks_ms
        self.ticks_add = port_time.ticks_add
        self.ticks_diff = port_time.ticks_diff
        self.sleep_ms = port_time.sleep_ms
        self._offset_s = 0
        if unix_s is not None:
            self.set_unix_s(unix_s)

    def time(self):
        return int(self._time.time() + self._offset_s)

    def time_ns(self):
        return self._time.time_ns() + int(self._offset_s * 1000000000)

    def gmtime(self, seconds=None):
        return self._time.gmtime(self.time() if seconds is None else seconds)

    def set_unix_s(self, unix_s):
        self._offset_s = unix_s - self._time.time()


def _networks():
    """What is in range, as {name: (dBm, password)}; None: whatever the node asks for."""
    given = os.getenv("FIELDPOST_UNIX_NETWORKS")
    return {one[0]: (one[1], one[2]) for one in json.loads(given)} if given else None


class Radio:
    """The host's own network: joined means up, at once; see FIELDPOST_UNIX_NETWORKS."""

    def __init__(self):
        self._on = False
        self._up = False
        self._failed = None

    def on(self, hostname=None, country=None, power=None):
        self._on = True

    def off(self):
        self._on = self._up = False
        self._failed = None

    def join(self, ssid, password, bssid=None, channel=None, static=None):
        self._on = True
        there = _networks()
        self._failed = None
        if there is not None and ssid not in there:
            self._failed = "no-ap"
        elif there is not None and there[ssid][1] != password:
            self._failed = "wrong-password"
        self._up = not self._failed

    def leave(self):
        self._up = False
        self._failed = None

    def state(self):
        return self._failed or ("up" if self._up else "idle" if self._on else "off")

    def status(self):
        return 3 if self._up else 0

    def address(self):
        return "127.0.0.1" if self._up else ""

    def lease(self):
        """None: what the host has is not the node's to keep."""

    def rssi(self):
        return None

    def bssid(self):
        return None

    def channel(self):
        return None


class AccessPoint:
    """The loopback in place of the access point of `firmware/board/access_point.py`."""

    address = "127.0.0.1"

    def __init__(self, radio, ports):
        self._radio = radio
        given = ports + ["0", "600000"][len(ports) - 1 :]
        self.http_port, self.dns_port, self.open_ms = [int(one) for one in given]

    def begin(self, country=None):
        self._radio.on()

    def scan(self):
        return [
            (name.encode(), rssi, password == "")
            for name, (rssi, password) in (_networks() or {}).items()
        ]

    def open(self, ssid, password):
        pass

    def close(self):
        self._radio.off()


class _Held:
    """A pin that a button holds low."""

    def value(self, level=None):
        return 0


class Board:
    family = "unix"
    watchdog_max_ms = None
    watchdog_s = 0
    retained_bytes = 0
    sleeps_in_waits = False
    short_sleeps = 0
    socket = socket
    select = select

    def __init__(self, port_time=time):
        unset = os.getenv("FIELDPOST_UNIX_CLOCK") == "unset"
        self.time = _Time(port_time, _YEAR_2000_S if unset else None)
        self.radio = Radio()
        self._watchdog_ms = None
        self._fed = 0

    def reset_cause(self):
        return os.getenv("FIELDPOST_UNIX_RESET_CAUSE") or "power-on"

    def uid(self):
        """Hex digits that are this host's own, and do not give its machine id away."""
        given = os.getenv("FIELDPOST_UNIX_UID")
        if given:
            return given
        import hashlib

        try:
            with open("/etc/machine-id", "rb") as file:
                host = file.read()
        except OSError:
            host = sys.platform.encode()
        return hashlib.sha256(b"fieldpost" + host).digest()[:8].hex()

    def version(self):
        return "unix " + _implementation()

    def led(self, on):
        if os.getenv("FIELDPOST_UNIX_LED"):
            print("LED on" if on else "LED off")

    def start_watchdog(self, timeout_ms):
        self._watchdog_ms = timeout_ms
        self._fed = self.time.ticks_ms()
        return timeout_ms

    def feed(self):
        """Ends the program when it comes later than a chip's watchdog would have waited."""
        if self._watchdog_ms is None:
            return
        now = self.time.ticks_ms()
        if self.time.ticks_diff(now, self._fed) > self._watchdog_ms:
            print(f"watchdog: not fed for more than {self._watchdog_ms} ms")
            raise SystemExit(EXIT_WATCHDOG)
        self._fed = now

    def hold_watchdog(self, limit_ms):
        """Nothing: see `firmware/board/common.py`."""

    def let_go(self):
        self._watchdog_ms = None

    def restart(self):
        raise SystemExit(EXIT_RESTART)

    def retained(self):
        return b""

    def retain(self, data):
        """Keeps nothing: `retained_bytes` is 0."""

    def throttle(self, on):
        """Nothing: see `firmware/board/common.py`."""

    def light_sleep(self, ms, watch=None):
        self.time.sleep_ms(ms)

    def deep_sleep(self, ms):
        self.time.sleep_ms(ms)
        raise SystemExit(EXIT_DEEP_SLEEP)

    def supply_mv(self):
        given = os.getenv("FIELDPOST_UNIX_SUPPLY_MV")
        return int(given) if given else None

    def die_temperature_c(self):
        given = os.getenv("FIELDPOST_UNIX_TEMPERATURE_C")
        if given:
            return float(given)
        try:
            with open("/sys/class/thermal/thermal_zone0/temp") as file:
                return int(file.read()) / 1000
        except (OSError, ValueError):
            return None

    def adc(self, pin):
        raise OSError("a desktop computer has no ADC")

    def access_point(self):
        """None, unless FIELDPOST_UNIX_PORTAL gives it ports."""
        ports = os.getenv("FIELDPOST_UNIX_PORTAL")
        return AccessPoint(self.radio, ports.split(",")) if ports else None

    def pin(self, number, mode=None, pull=None):
        if str(number) == os.getenv("FIELDPOST_UNIX_HELD"):
            return _Held()
        raise OSError("a desktop computer has no pins")

    def i2c(self, bus, scl, sda, freq_hz):
        raise OSError("a desktop computer has no I2C bus")

    def onewire(self, pin):
        raise OSError("a desktop computer has no 1-Wire bus")

    def uart(self, *args, **kwargs):
        raise OSError("a desktop computer has no UART for sensors")

    def set_unix_s(self, unix_s):
        """Sets the node's clock; the host's own stays as it is."""
        self.time.set_unix_s(unix_s)

    def clock_is_set(self):
        return self.time.time() >= _YEAR_2024_S

    def tls_context(self, ca, own=None):
        """See firmware/board/tls_context.py."""
        from firmware.board.tls_context import context

        return context(ca, own)

    def random_u32(self):
        return int.from_bytes(os.urandom(4), "big")


def _implementation():
    implementation = sys.implementation
    name = "MicroPython" if implementation.name == "micropython" else "CPython"
    return name + " " + ".".join(str(part) for part in implementation.version[:3])
