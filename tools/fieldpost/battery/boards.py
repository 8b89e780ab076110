"""Boards as the battery model sees them: figures with where they come from.

A board that nobody measured under MicroPython says `assumed`, and docs/battery.md lists the
sources.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

from fieldpost.battery.ranges import Range, exactly


@dataclass(frozen=True)
class Board:
    """A board: currents in mA and uA at its supply pin, times in ms."""

    title: str
    # From waking until the node begins to measure: what no program sees, and what one does, in a
    # wake that delivers and in one that only measures.
    loader_ms: Range
    boot_ms: Range
    measuring_boot_ms: Range
    boot_ma: Range
    # With the radio off: working; and waiting for a sensor, as docs/battery.md has it.
    cpu_ma: Range
    wait_ma: Range
    # Starting the radio, joining, connecting and delivering, as a mean with its peaks.
    radio_start_ms: Range
    radio_ma: Range
    # From the radio's start to the access point: with a scan, and with what was remembered.
    scan_ms: Range
    rejoin_ms: Range
    dhcp_ms: Range
    # Of the fast rejoins, the share that fails and is followed by a scan and DHCP.
    miss_share: Range
    # Connected and waiting: with power management, and without ("power": "none").
    idle_ma: Range
    listen_ma: Range
    # TCP and MQTT up to the answer to CONNECT, and what each reading adds.
    connect_ms: Range
    reading_ms: Range
    # The whole board asleep, without its sensors.
    sleep_ua: Range
    # What the supply pin takes, and the voltage at which a switching regulator was measured
    # (0: a linear one, which passes the current on whatever the voltage).
    supply_v: Range
    switching_v: float
    sources: dict[str, str]


class Start(NamedTuple):
    """A wake of the node before its sensors start, in ms on an emulated ESP32-C3 that takes 8 ns
    for an instruction: `port_ms` until boot.py begins, in images of MicroPython 1.24 and 1.27, and
    what follows, boot.py with its pack, the application's imports, the settings and the node.
    measuring_ms: all that the firmware does in a wake that only measures, its storing included.
    """

    port_ms: Range
    boot_py_ms: float
    application_ms: float
    settings_ms: float
    node_ms: float
    measuring_ms: float

    @property
    def delivering_ms(self) -> float:
        """Of the firmware, in a wake that delivers."""
        return self.boot_py_ms + self.application_ms + self.settings_ms + self.node_ms


# From docs/benchmarks.md, section 7; `port_ms` from `boot_ms` of a profile
# line of that machine.
WAKE_START = Start(Range(62, 99), 20, 49, 16, 172, 94)
# What the emulator charges nothing for: code is fetched from flash, through a cache.
_FLASH_FACTOR = 2

_START_SOURCE = (
    "best: measured on an emulated ESP32-C3 that takes 8 ns for an instruction, "
    f"{WAKE_START.port_ms.best:g} ms of MicroPython 1.24 and {WAKE_START.delivering_ms:g} ms of "
    f"the firmware ({WAKE_START.measuring_ms:g} where no node is built), most of it imports "
    "(benchmarks.md, section 7); worst: twice that with MicroPython "
    f"1.27, which needs {WAKE_START.port_ms.worst:g} ms, for code that is fetched from flash: "
)
_GLENN = "glenn20/upy-esp32-experiments, measured with a PPK2 on the 5 V pin"
_ASSUMED = "assumed"


def _boot_of(firmware_ms: float) -> Range:
    return Range(
        round(WAKE_START.port_ms.best + firmware_ms),
        round(_FLASH_FACTOR * (WAKE_START.port_ms.worst + firmware_ms)),
    )


_ESP32_RADIO_SOURCES = {
    "scan_ms": f"best: {_GLENN}: 734 ms with 70 ms of boot; worst: arduino-esp32 issue 1675",
    "rejoin_ms": f"best: {_ASSUMED}; worst: ESPHome pull request 5931",
    "dhcp_ms": f"best: {_GLENN}: 1626 ms against 734 ms; worst: {_ASSUMED}",
    "miss_share": _ASSUMED,
    "connect_ms": f"best: {_GLENN}: 774 ms against 734 ms; worst: {_ASSUMED}",
    "reading_ms": _ASSUMED,
    "radio_start_ms": "within scan_ms and rejoin_ms",
}

_ESP32 = Board(
    title="ESP32",
    loader_ms=exactly(70),
    boot_ms=_boot_of(WAKE_START.delivering_ms),
    measuring_boot_ms=_boot_of(WAKE_START.measuring_ms),
    boot_ma=Range(47, 67),
    cpu_ma=Range(21, 32),
    wait_ma=Range(20, 31),
    radio_start_ms=exactly(0),
    radio_ma=Range(100, 150),
    scan_ms=Range(664, 3000),
    rejoin_ms=Range(400, 1000),
    dhcp_ms=Range(892, 2000),
    miss_share=Range(0.01, 0.10),
    idle_ma=Range(21, 60),
    listen_ma=Range(90, 110),
    connect_ms=Range(40, 200),
    reading_ms=Range(2, 10),
    sleep_ua=Range(66, 15000),
    supply_v=Range(3.0, 3.6),
    switching_v=0,
    sources={
        **_ESP32_RADIO_SOURCES,
        "loader_ms": f"{_GLENN}: 70 ms to _boot.py",
        "boot_ms": f"as the ESP32-C3's: {_ASSUMED}; {_GLENN}: 350 ms to mount the file system and "
        "start main.py, without any imports",
        "measuring_boot_ms": f"as the ESP32-C3's: {_ASSUMED}",
        "boot_ma": f"{_GLENN}: 3.32 mC in 70 ms and 23.6 mC in 350 ms",
        "cpu_ma": "published figure 29 mA; best: modem sleep at 80 MHz, Espressif's AT guide",
        "wait_ma": "data sheet, modem sleep at 80 MHz",
        "radio_ma": f"published figure 100 mA; worst: {_GLENN}: 105.3 mC in 704 ms, with 15 mA "
        "of the board's own",
        "idle_ma": f"best: modem sleep, Espressif's AT guide; worst: {_ASSUMED}",
        "listen_ma": "published figure: RX 80 to 90 mA, CPU with radio 100 mA",
        "sleep_ua": "published figure: boards from 66 uA to 15 mA (the bare chip: 5 uA)",
        "supply_v": "data sheet; a board's own regulator wants some tenths of a volt more",
    },
)

_ESP32_S3 = replace(
    _ESP32,
    title="ESP32-S3",
    loader_ms=exactly(48),
    cpu_ma=Range(25, 33),
    wait_ma=Range(25, 33),
    radio_ma=Range(90, 140),
    idle_ma=Range(21, 60),
    listen_ma=Range(88, 110),
    sleep_ua=Range(10, 1730),
    sources={
        **_ESP32.sources,
        **dict.fromkeys(_ESP32_RADIO_SOURCES, f"as the ESP32's: {_ASSUMED}"),
        "loader_ms": f"{_GLENN}: 47 ms to app_main, 0.8 ms to _boot.py",
        "cpu_ma": f"worst: MoleNet V6, 32.3 mA idle at 3.3 V; best: {_ASSUMED}",
        "wait_ma": f"as cpu_ma, for nobody measured it at 80 MHz: {_ASSUMED}",
        "radio_ma": f"best: data sheet, RX 88 to 91 mA; worst: {_ASSUMED}",
        "idle_ma": f"as the ESP32's: {_ASSUMED}",
        "listen_ma": f"best: data sheet, RX; worst: {_ASSUMED}",
        "sleep_ua": "best: XIAO ESP32S3 at 3.8 V, Seeed's forum; worst: FeatherS3 at 5 V, glenn20",
    },
)

_ESP32_C3 = replace(
    _ESP32_S3,
    title="ESP32-C3",
    boot_ma=Range(30, 50),
    cpu_ma=Range(20, 28),
    wait_ma=Range(20, 28),
    radio_ma=Range(84, 130),
    idle_ma=Range(20, 50),
    listen_ma=Range(84, 100),
    sleep_ua=Range(43, 4900),
    sources={
        **_ESP32_S3.sources,
        "loader_ms": f"as the ESP32-S3's: {_ASSUMED}",
        "boot_ms": f"{_START_SOURCE}{_ASSUMED}",
        "measuring_boot_ms": "as boot_ms",
        "boot_ma": _ASSUMED,
        "cpu_ma": f"best: modem sleep at 160 MHz, Espressif's AT guide; worst: {_ASSUMED}",
        "radio_ma": f"best: data sheet, RX 84 to 87 mA; worst: {_ASSUMED} (TX peaks at 335 mA)",
        "idle_ma": f"best: modem sleep, Espressif's AT guide; worst: {_ASSUMED}",
        "listen_ma": f"best: data sheet, RX; worst: {_ASSUMED}",
        "sleep_ua": "best: XIAO ESP32C3, its maker (80 to 115 uA were measured); worst: a board "
        "of this kind with LED and USB bridge powered, wuxx/nanoESP32-C6 issue 1",
    },
)

_S2_SHEET = "ESP32-S2-WROOM data sheet 1.1"
_ESP32_S2 = replace(
    _ESP32_S3,
    title="ESP32-S2",
    cpu_ma=Range(17, 28),
    wait_ma=Range(14, 22),
    radio_ma=Range(63, 130),
    idle_ma=Range(17, 50),
    listen_ma=Range(63, 80),
    sleep_ua=Range(25, 5000),
    sources={
        **_ESP32_S3.sources,
        "loader_ms": f"as the ESP32-S3's: {_ASSUMED}",
        "boot_ms": f"as the ESP32-S3's: {_ASSUMED}",
        "measuring_boot_ms": f"as the ESP32-S3's: {_ASSUMED}",
        "cpu_ma": f"best: {_S2_SHEET}, table 8, modem sleep at 160 MHz; worst: {_ASSUMED}",
        "wait_ma": f"{_S2_SHEET}, table 8, modem sleep at 80 and at 240 MHz",
        "radio_ma": f"best: {_S2_SHEET}, table 7, RX 63 to 68 mA; worst: {_ASSUMED} (TX peaks at "
        "310 mA)",
        "idle_ma": f"best: {_S2_SHEET}, table 8, modem sleep at 160 MHz; worst: {_ASSUMED}",
        "listen_ma": f"best: {_S2_SHEET}, table 7, RX; worst: {_ASSUMED}",
        "sleep_ua": f"best: the bare module, {_S2_SHEET}, table 8; worst: a board with LED and "
        f"USB bridge powered, as the ESP32-C3's: {_ASSUMED}",
    },
)

_ESP32_C6 = replace(
    _ESP32_C3,
    title="ESP32-C6",
    sources=dict.fromkeys(_ESP32_C3.sources, f"as the ESP32-C3's: {_ASSUMED}")
    | {"sleep_ua": "worst: wuxx/nanoESP32-C6 issue 1; best: as the ESP32-C3's, assumed"},
)

_PICO_W = Board(
    title="Raspberry Pi Pico W",
    # Light sleep keeps the RAM: nothing boots.
    loader_ms=exactly(0),
    boot_ms=Range(0, 5),
    measuring_boot_ms=Range(0, 5),
    boot_ma=Range(21, 30),
    cpu_ma=Range(21, 30),
    wait_ma=Range(1.2, 2.2),
    radio_start_ms=Range(1000, 2600),
    radio_ma=Range(45, 80),
    scan_ms=Range(2500, 4000),
    rejoin_ms=Range(500, 2000),
    dhcp_ms=Range(500, 1000),
    miss_share=Range(0.01, 0.10),
    idle_ma=Range(25, 45),
    listen_ma=Range(36, 45),
    connect_ms=Range(40, 200),
    reading_ms=Range(3, 12),
    sleep_ua=Range(1200, 2200),
    supply_v=Range(1.8, 5.5),
    switching_v=5.0,
    sources={
        "loader_ms": "none: light sleep keeps the RAM",
        "boot_ms": "best: measured on an emulated Pico W, whose wakes from light sleep say 0 in "
        f"`boot_ms`; worst, for the clocks to settle: {_ASSUMED}",
        "measuring_boot_ms": "as boot_ms",
        "boot_ma": "as cpu_ma",
        "cpu_ma": "best: micropython issue 8770, 21 mA at 5 V; worst: "
        "tomjorquera/pico-micropython-lowpower-workaround issue 17",
        "wait_ma": "a light sleep: as sleep_ua",
        "radio_start_ms": "worst: micropython pull request 8911, 2584 ms to load the radio's "
        f"firmware; best: {_ASSUMED}",
        "radio_ma": f"best: published figure, about 45 mA; worst: {_ASSUMED}",
        "scan_ms": "pico-sdk issues 912 and 1165: 3 to 5 s with DHCP; split by assumption",
        "rejoin_ms": _ASSUMED,
        "dhcp_ms": "see scan_ms",
        "miss_share": _ASSUMED,
        "idle_ma": f"best: {_ASSUMED}; worst: published figure",
        "listen_ma": "published figure: 36 mA idle and associated, about 45 mA with Wi-Fi",
        "connect_ms": f"as the ESP32's: {_ASSUMED}",
        "reading_ms": _ASSUMED,
        "sleep_ua": "published figure: 1.2 to 1.5 mA, 2.2 mA if Wi-Fi was used",
        "supply_v": "data sheet, VSYS",
    },
)

_PICO_2_W = replace(
    _PICO_W,
    title="Raspberry Pi Pico 2 W",
    sources=dict.fromkeys(_PICO_W.sources, f"as the Pico W's: {_ASSUMED}")
    | {
        "sleep_ua": f"as the Pico W's: {_ASSUMED} (0.38 mA was measured in the dormant state, "
        "arduino-pico issue 2528, which MicroPython's light sleep is not)"
    },
)

BOARDS = {
    "esp32": _ESP32,
    "esp32-s2": _ESP32_S2,
    "esp32-s3": _ESP32_S3,
    "esp32-c3": _ESP32_C3,
    "esp32-c6": _ESP32_C6,
    "pico-w": _PICO_W,
    "pico-2-w": _PICO_2_W,
}
