"""A chip: `machine` as ESP32 and RP2 have it, and what of it survives which reset.

A `Chip` is the silicon and outlives resets; `load_board` is a boot: it imports the board's module
afresh against it. A reset ends the program, so here it raises `Reset`.
"""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest import mock

from fakes.clock import FakeTime
from fakes.network_module import FakeNetwork

WATCHDOG_BASES = {"RP2040": 0x40058000, "RP2350": 0x400D8000}
ARMED = 0x6AB73121  # pico-sdk, hardware_watchdog: watchdog_enable()
RTC_BYTES = 2048
# What the port has, by chip. Before MicroPython 1.27 a C3 has the functions of the other two
# instead, which take a pin and never wake it.
WAKE_UNITS = {"ESP32": ("ext0", "ext1"), "ESP32S3": ("ext0", "ext1"), "ESP32C3": ("gpio",)}
WAKE_PINS = {
    "ESP32": {0, 2, 4, *range(12, 16), *range(25, 28), *range(32, 40)},
    "ESP32S3": set(range(22)),
    "ESP32C3": set(range(6)),
}
_TIMER = 4
_REASONS = {"ext0": 2, "ext1": 3, "gpio": 7}


class Reset(BaseException):
    """The chip resets: no code of the program runs any more, so not even `except Exception`."""


class Chip:
    """`model` is what the image names: "ESP32", "ESP32S3", "RP2040", "RP2350"."""

    def __init__(self, model: str, time: FakeTime | None = None) -> None:
        self.model = model
        self.is_esp32 = model.startswith("ESP32")
        self.time = time or FakeTime(epoch_year=2000 if self.is_esp32 else 1970)
        self.cause = 1
        self.rtc_memory = b""
        self.registers: dict[int, int] = {}
        self.readings_u16: dict[Any, int] = {}
        self.pins: dict[Any, SimpleNamespace] = {}
        self.script: list[tuple[int, int, int]] = []  # (ms, pin, level), driven from outside
        self.full_hz = self.frequency_hz = 160_000_000 if self.is_esp32 else 125_000_000
        self.wake_reason = 0
        self.is_before_1_27 = False
        self.armed: dict[str, tuple[int, int]] = {}  # a unit's (pin, level), for the next sleep
        self.watchdog_ms: int | None = None
        self.fed_at = 0
        self.timers: list[Any] = []
        self.interrupt_character = 3  # RP2: what micropython.kbd_intr() was last told
        self.typed_at_start = ""  # RP2: what is typed while the radio chip starts
        self.typed = ""  # and not read yet
        self.is_stuck = False  # RP2: a Ctrl-C ended the radio driver within its lock
        self.sleep_stops: list[int] = []  # how long the next light sleeps last; then in full
        self.on_light_sleep: Callable[[], None] = lambda: None  # what happens during each of them
        self.deep_slept_ms: int | None = None
        self.network = FakeNetwork(self)

    # Resets -----------------------------------------------------------------------------------

    def power_on(self) -> None:
        self.rtc_memory, self.registers = b"", {}
        self._start(1)

    def watchdog_reset(self) -> None:
        self._start(3)

    def soft_reset(self) -> None:
        if self.is_esp32:
            self.cause = 5

    def reset(self) -> None:
        if not self.is_esp32:
            self.registers[WATCHDOG_BASES[self.model] + 0x1C] = 0
        self._start(2 if self.is_esp32 else 3)
        raise Reset("reset")

    def deep_sleep(self, duration_ms: int = 0) -> None:
        """Until a pin that is armed has its level, or the time is over."""
        self.deep_slept_ms = duration_ms
        armed, reason = self.armed, _TIMER
        end = self.time.elapsed_ms + min([duration_ms, *self.sleep_stops[:1]])
        del self.sleep_stops[:1]
        while self.time.elapsed_ms < end:
            units = [one for one, pin in armed.items() if self.level(pin[0]) == pin[1]]
            if units:
                reason = _REASONS[units[0]]
                break
            changes = [at for at, _, _ in self.script if at > self.time.elapsed_ms]
            self._until(min([end, *changes]))
        self._start(4 if self.is_esp32 else 3)
        self.wake_reason = reason
        raise Reset("deep sleep")

    # Its pins ---------------------------------------------------------------------------------

    def drive(self, number: int, *changes: tuple[int, int]) -> None:
        """From outside: [(ms from now, level), …]."""
        now = self.time.elapsed_ms
        self.script += [(now + after, number, level) for after, level in changes]
        self.script.sort()

    def level(self, number: Any) -> int:
        """Of a pin, now."""
        levels = [
            to for at, pin, to in self.script if pin == number and at <= self.time.elapsed_ms
        ]
        if levels:
            return levels[-1]
        return int(number in self.pins and self.pins[number].pull == 1)

    def _until(self, end_ms: int) -> None:
        self.time.sleep_ms(end_ms - self.time.elapsed_ms)

    def _start(self, cause: int) -> None:
        self.cause = cause
        self.frequency_hz = self.full_hz
        self.wake_reason = 0
        self.armed = {}
        self.pins = {}
        self.watchdog_ms = None
        self.network = FakeNetwork(self)

    # What the modules do ----------------------------------------------------------------------

    def block(self, duration_ms: int) -> bool:
        """A call that returns only after so long, timers running; True if the watchdog bit."""
        end = self.time.elapsed_ms + duration_ms
        while self.time.elapsed_ms < end:
            self.time.advance_ms(1000)
            for timer in list(self.timers):
                if self.time.elapsed_ms % timer.period == 0:
                    timer.callback(timer)
            if self.watchdog_ms and self.time.elapsed_ms - self.fed_at > self.watchdog_ms:
                return True
        return False

    def light_sleep(self, duration_ms: int) -> None:
        limit = 0x7FFFFFFF if self.is_esp32 else 4_294_966
        if duration_ms > limit:
            raise ValueError("sleep too long")
        if self.watchdog_ms is not None and duration_ms >= self.watchdog_ms:
            self.watchdog_reset()
            raise Reset("watchdog")
        self.time.sleep_ms(
            min(duration_ms, self.sleep_stops.pop(0)) if self.sleep_stops else duration_ms
        )
        self.on_light_sleep()

    def set_frequency(self, hz: int | None = None) -> int | None:
        if hz is not None:
            # What was seen to happen on a board: not with the radio on, and never below this.
            assert not self.network.is_active, "the clock was changed while the radio ran"
            assert self.is_esp32 and hz >= 80_000_000
            self.frequency_hz = hz
            return None
        return self.frequency_hz

    def start_radio(self) -> None:
        """RP2: the driver looks for a Ctrl-C while it waits for the chip."""
        self.network.powered = True
        typed, self.typed_at_start = self.typed_at_start, ""
        for character in typed:
            if ord(character) == self.interrupt_character:
                self.is_stuck = True
                raise KeyboardInterrupt
            self.typed += character

    def read(self, count: int) -> str:
        """As `sys.stdin`."""
        read, self.typed = self.typed[:count], self.typed[count:]
        return read

    def select(self) -> ModuleType:
        module: Any = ModuleType("select")
        module.POLLIN = 1
        module.poll = lambda: SimpleNamespace(
            register=lambda *_: None, poll=lambda _ms: [1] * bool(self.typed)
        )
        return module

    def micropython(self) -> ModuleType:
        module: Any = ModuleType("micropython")
        module.const = lambda value: value

        def kbd_intr(character: int) -> None:
            self.interrupt_character = character

        module.kbd_intr = kbd_intr
        return module

    def machine(self) -> ModuleType:
        chip = self
        module: Any = ModuleType("machine")

        class Pin:
            IN, OUT, OPEN_DRAIN, ALT = 0, 1, 2, 3
            PULL_UP, PULL_DOWN = 1, 2

            def __init__(self, name: Any, mode: int = -1, pull: int = -1, **options: int) -> None:
                if name == "LED" and chip.is_esp32:
                    raise ValueError("invalid pin")
                if name == "LED" and mode == Pin.OUT:
                    chip.start_radio()  # As the real one: the LED is the radio chip's.
                self.name = name
                if mode == -1 and name in chip.pins:
                    return  # As it is.
                if not chip.is_esp32 and "hold" in options:
                    raise TypeError("extra keyword arguments given")
                chip.pins[name] = SimpleNamespace(
                    mode=mode,
                    pull=pull,
                    level=options.get("value"),
                    alt=options.get("alt"),
                    hold=options.get("hold"),
                )

            def value(self, level: int | None = None) -> int | None:
                if level is None:
                    return chip.level(self.name)
                chip.pins[self.name].level = level
                return None

        class ADC:
            CORE_TEMP = 4
            ATTN_11DB = 3

            def __init__(self, pin: Any, atten: int | None = None) -> None:
                self.name = getattr(pin, "name", pin)
                if chip.is_esp32:
                    self.read_uv = lambda: chip.readings_u16[self.name] * 3_100_000 // 65535

            def read_u16(self) -> int:
                if self.name == 29 and not (chip.pins[25].level and not chip.network.powered):
                    return (
                        0  # The divider is not connected, or the radio chip's bus holds the pin.
                    )
                return chip.readings_u16[self.name]

        class WDT:
            def __init__(self, timeout: int) -> None:
                if not chip.is_esp32:
                    if timeout > 8388:
                        raise ValueError("timeout exceeds 8388")
                    chip.registers[WATCHDOG_BASES[chip.model] + 0x1C] = ARMED
                chip.watchdog_ms = timeout
                self.feed()

            def feed(self) -> None:
                chip.fed_at = chip.time.elapsed_ms

        class Timer:
            def __init__(
                self, _number: int, *, period: int, callback: Callable[[Any], None]
            ) -> None:
                self.period, self.callback = period, callback
                chip.timers.append(self)

            def deinit(self) -> None:
                chip.timers.remove(self)

        module.Timer = Timer

        class RTC:
            def memory(self, data: bytes | None = None) -> bytes | None:
                if data is None:
                    return chip.rtc_memory
                if len(data) > RTC_BYTES:
                    raise ValueError("buffer too long")
                chip.rtc_memory = bytes(data)
                return None

            def datetime(self, parts: tuple[int, ...]) -> None:
                import calendar

                year, month, day, _, hour, minute, second, _ = parts
                chip.time.set_unix_s(calendar.timegm((year, month, day, hour, minute, second)))

        class Registers:
            def __getitem__(self, address: int) -> int:
                return chip.registers.get(address, 0)

            def __setitem__(self, address: int, value: int) -> None:
                chip.registers[address] = value & 0xFFFFFFFF

        module.Pin, module.ADC, module.WDT, module.RTC = Pin, ADC, WDT, RTC
        module.I2C = lambda bus, **options: SimpleNamespace(bus=bus, **options)
        module.UART = lambda bus, baud, **options: SimpleNamespace(bus=bus, baud=baud, **options)
        module.mem32 = Registers()
        module.reset_cause = lambda: chip.cause
        module.DEEPSLEEP_RESET = 4
        module.reset = chip.reset
        module.unique_id = lambda: bytes.fromhex("e6614c311b5a2f35")
        module.lightsleep = chip.light_sleep
        module.freq = chip.set_frequency
        module.wake_reason = lambda: chip.wake_reason
        module.deepsleep = chip.deep_sleep
        return module

    def esp32(self) -> ModuleType:
        """The classic chip measures in Fahrenheit, the others in Celsius; each has its own means
        to end a deep sleep."""
        chip = self
        module: Any = ModuleType("esp32")
        if self.model == "ESP32":
            module.raw_temperature = lambda: 131
        else:
            module.mcu_temperature = lambda: 55

        def unit(name: str) -> Callable[..., None]:
            def arm(pins: Any, level: bool) -> None:
                for one in (pins,) if name == "ext0" else pins:
                    if one.name in WAKE_PINS[self.model]:
                        if name in WAKE_UNITS[self.model]:
                            chip.armed[name] = (one.name, int(level))
                    elif name != "gpio":  # That one takes any pin, and some never wake it.
                        raise ValueError("invalid pin")

            return arm

        module.WAKEUP_ALL_LOW, module.WAKEUP_ANY_HIGH = False, True
        units = WAKE_UNITS.get(self.model, ())
        for name in ("ext0", "ext1") if self.is_before_1_27 else units:
            setattr(module, "wake_on_" + name, unit(name))
        return module


def load_board(chip: Chip) -> Any:
    """What `Board()` is after a boot of `chip`."""
    parts = ("common", "esp32", "rp2", "common_radio", "esp32_radio", "esp32_wake_pins")
    names = ["firmware.board." + name for name in parts]
    later = "firmware.board.access_point"
    stand_ins = {
        "machine": chip.machine(),
        "network": chip.network.module(),
        "esp32": chip.esp32(),
        "time": chip.time,
        "micropython": chip.micropython(),
        "select": chip.select(),
    }
    import firmware.board  # Under its own name before the stand-ins: it picks CPython's board.

    with (
        mock.patch.dict(sys.modules, stand_ins),
        mock.patch.object(
            sys.implementation, "_machine", f"A board with {chip.model}", create=True
        ),
    ):
        for name in names:
            sys.modules.pop(name, None)
        module = importlib.import_module(names[1] if chip.is_esp32 else names[2])
        board = module.Board()
        board.version_text = board.version()
        if chip.is_esp32:
            # Now, while the stand-ins are there.
            importlib.import_module("firmware.board.esp32_radio")
            waker = board.waker()
            board.waker = lambda: waker
        # What is loaded later finds no stand-ins any more.
        point = importlib.import_module(later)
        board.access_point = functools.partial(
            point.AccessPoint, board.radio, board.family == "esp32"
        )
    for name in (*names, later):
        sys.modules.pop(name, None)
        if hasattr(firmware.board, name.rpartition(".")[2]):
            delattr(firmware.board, name.rpartition(".")[2])
    return board
