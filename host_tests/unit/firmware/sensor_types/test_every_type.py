"""What holds for every sensor type, whatever it is: its declaration, and its worst times."""

from __future__ import annotations

import importlib
import re
import sys
from typing import Any, ClassVar

import pytest

from emulated.adc import FakeAdc
from emulated.frozen import stand_in_modules
from emulated.pin import FakePin
from fakes.scripted import recipe_of
from fakes.sensor_board import SensorBoard
from fieldpost.deploy import tree
from fieldpost.paths import ROOT
from firmware.config import check as config
from firmware.config import keys_sensors
from firmware.readings.sensors import Sensors

KINDS = keys_sensors.NAMES
# Of the keys that a type requires.
REQUIRED = {"pin": 4, "scl": 22, "sda": 21, "trigger": 7, "echo": 8, "clock": 9, "data": 10}
REQUIRED |= {"tx": 11, "rx": 12, "driver": "sht3x:SHT3x"}
# What measures without a part of its own, and what is never off: heaters, fans, plain probes.
NO_PART = ("internal", "simulated", "supply", "pulses")
ALWAYS_ON = ("pms5003", "pms5003st", "scd4x", "sgp40", "soil")


def checked(*sensors: dict[str, Any]) -> list[dict[str, Any]]:
    settings, errors = config.check(
        {"node": "n", "mqtt": {"host": "h"}, "sensors": list(sensors)},
        {"wifi": [{"ssid": "s", "password": "12345678"}]},
    )
    assert errors == []
    return settings["sensors"]


def shortest(kind: str, **more: Any) -> dict[str, Any]:
    """The shortest configuration of a sensor."""
    keys = keys_sensors.declaration(kind).KEYS
    return {"type": kind} | {row[0]: REQUIRED[row[0]] for row in keys if row[2] is ...} | more


def measure(layer: Sensors, board: SensorBoard) -> tuple[dict[str, Any], dict[str, str]]:
    board.sleep_ms(layer.start())
    fields, errors = layer.collect()
    return dict(fields), dict(errors)


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_published_that_no_such_device_can_measure(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lowest and the highest value are published, and nothing just outside of them."""
    (sensor,) = checked(shortest(kind))
    rows = keys_sensors.declaration(kind).FIELDS
    names = [row[0].strip("{}*") or "any" for row in rows]
    for i, (low, high) in enumerate(row[2:4] for row in rows):
        inside = [one for one in (low, high) if one is not None]
        outside = [low - 0.01] if low is not None else []
        outside += [high + 0.01] if high is not None else []
        for value in (*inside, *outside):
            values = [row[2] or 0 for row in rows]
            values[i] = value

            class Driver:
                FIELDS = tuple(names)

                def start(self) -> int:
                    return 0

                def read(self, values: tuple[float, ...] = tuple(values)) -> tuple[float, ...]:
                    return values

            made = sensor | {"recipe": recipe_of(monkeypatch, kind, Driver)}
            fields, errors = measure(Sensors([made], SensorBoard()), SensorBoard())
            assert (names[i] in fields) == (value in inside), value
            # The others are none the worse for it.
            assert len(fields) == len(rows) - (value in outside)
            assert bool(errors) == (value in outside)


class Anemometer:
    """A driver of somebody's own, which says what one of its fields can be."""

    FIELDS = ("speed", "gust", "direction")
    RANGES: ClassVar[Any] = {"speed": (0, 60), "gust": (0, 80)}
    values = (0.0, 0.0, 0.0)

    def start(self) -> int:
        return 0

    def read(self) -> tuple[float, ...]:
        return self.values


@pytest.mark.parametrize(
    ("values", "published"),
    [
        ((0, 80, 359), ("speed", "gust", "direction")),
        ((60, 0, -1e6), ("speed", "gust", "direction")),
        ((60.01, 80, 0), ("gust", "direction")),
        ((-0.01, 80.01, 0), ("direction",)),
        ((1, 100, 0), ("speed", "direction")),
    ],
)
def test_the_same_is_true_of_a_driver_that_says_its_ranges_itself(
    values: tuple[float, ...], published: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    (sensor,) = checked(shortest("driver"))
    monkeypatch.setattr(Anemometer, "values", values)
    made = sensor | {"recipe": recipe_of(monkeypatch, "wind", Anemometer)}
    fields, errors = measure(Sensors([made], SensorBoard()), SensorBoard())
    assert tuple(fields) == published
    assert bool(errors) == (len(published) < 3)


@pytest.mark.parametrize("more", [{}, {"median": 3}])
def test_the_range_that_the_configuration_gives_a_driver_counts_before_the_drivers_own(
    more: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    given = [
        {"field": "speed", "lowest": 5, "highest": 40},
        {"field": "direction", "highest": 359},
    ]
    (sensor,) = checked(shortest("driver", ranges=given, **more))
    made = sensor | {"recipe": recipe_of(monkeypatch, "wind", Anemometer)}
    for values, published in (
        ((5, 80, 359), {"speed": 5, "gust": 80, "direction": 359}),
        ((40, 81, -1), {"speed": 40, "direction": -1}),
        ((4.99, 80, 0), {"gust": 80, "direction": 0}),
        ((40.01, 1, 359.1), {"gust": 1}),
    ):
        monkeypatch.setattr(Anemometer, "values", values)
        layer = Sensors([made], SensorBoard())
        layer.start()
        assert layer.again() == 0
        fields, errors = map(dict, layer.collect())
        assert fields == published
        assert len(errors) == (len(published) < 3)
        assert all("out of range" in text for text in errors.values())


def test_ranges_that_are_none_fail_their_own_sensor_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for wrong in (5, {"speed": 5}, {"speed": ("a", "b")}):
        monkeypatch.setattr(Anemometer, "RANGES", wrong)
        mine, other = checked(shortest("driver", prefix=True), {"type": "internal"})
        made = mine | {"recipe": recipe_of(monkeypatch, "wind", Anemometer)}
        board = SensorBoard()
        fields, errors = measure(Sensors([made, other], board), board)
        assert fields == {"die_temperature": 33.3}
        assert list(errors) == ["driver"]


class Babble:
    """Whatever bus, pin or UART it is taken for, it answers with the same byte, or not at all."""

    IRQ_FALLING = IRQ_RISING = 1

    def __init__(self, byte: int | None) -> None:
        self.byte = byte

    def _fill(self, buffer: Any) -> None:
        if self.byte is None:
            raise OSError(19)
        buffer[:] = bytes([self.byte]) * len(buffer)

    def readfrom_into(self, address: int, buffer: Any) -> None:
        self._fill(buffer)

    def readfrom_mem_into(self, address: int, register: int, buffer: Any) -> None:
        self._fill(buffer)

    def readfrom_mem(self, address: int, register: int, count: int) -> bytes:
        buffer = bytearray(count)
        self._fill(buffer)
        return bytes(buffer)

    def writeto(self, address: int, data: bytes) -> None:
        self._fill(bytearray(1))

    def writeto_mem(self, address: int, register: int, data: bytes) -> None:
        self._fill(bytearray(1))

    def any(self) -> int:
        return 0 if self.byte is None else 64

    def read(self, count: int = 64) -> bytes | None:
        return None if self.byte is None else bytes([self.byte]) * count

    def value(self, level: int | None = None) -> int:
        return 0 if self.byte == 0 else 1

    def irq(self, **_: Any) -> None:
        pass


class Time:
    """Goes on by itself, so that whoever waits for a level gets to the end of it."""

    us = 0

    def ticks_us(self) -> int:
        self.us += 50
        return self.us

    def ticks_ms(self) -> int:
        return self.ticks_us() // 1000

    def ticks_diff(self, later: int, earlier: int) -> int:
        return later - earlier

    def sleep_us(self, us: int) -> None:
        self.us += us

    def sleep_ms(self, ms: int) -> None:
        self.us += ms * 1000

    def time(self) -> int:
        return 1795368900


class BabblingBoard(SensorBoard):
    def __init__(self, byte: int | None) -> None:
        super().__init__()
        self.part = Babble(byte)
        self.microvolts = 3_300_000 if byte else 0
        self.time: Any = Time()

    def adc(self, pin: int) -> Any:
        return FakeAdc(self.microvolts)

    def pin(self, number: int, mode: str | None = None, pull: str | None = None) -> Any:
        return self.part

    def i2c(self, *_: Any) -> Any:
        return self.part

    def uart(self, *_: Any) -> Any:
        return self.part


# These have no answer of their own that could be missing: a level or a voltage is always there.
ALWAYS_THERE = {"internal", "supply", "simulated", "analog", "soil", "digital", "pulses"}
# Of these the configuration or the bus says how the fields are called.
NAMED_WHEN_BUILT = {"analog", "digital", "driver", "ds18x20", "hx711", "internal"}
NAMED_WHEN_BUILT |= {"pulses", "soil", "supply"}
ON_FROZEN_MODULES = {"dht", "ds18x20"}  # test_dhtxx.py and test_ds18b20.py have their wires


@pytest.mark.parametrize("byte", [None, 0x00, 0xFF], ids=["absent", "held low", "held high"])
@pytest.mark.parametrize("kind", sorted(set(KINDS) - ON_FROZEN_MODULES))
def test_an_absent_device_and_a_stuck_bus_are_errors_and_stop_nothing(
    kind: str, byte: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, module in stand_in_modules().items():
        monkeypatch.setitem(sys.modules, name, module)
    more = {"scl": 22, "sda": 21, "address": 0x44} if kind == "driver" else {}
    board = BabblingBoard(byte)
    (sensor,) = checked(shortest(kind, **more))
    layer = Sensors([sensor], board)
    for _ in range(3):
        fields, errors = measure(layer, board)
        assert errors or fields
        for name, _, low, high, *_ in keys_sensors.declaration(kind).FIELDS:
            value = fields.get(name, low)
            assert low is None or low <= value
            assert high is None or value <= high
        if byte is None and kind not in ALWAYS_THERE:
            assert fields == {}
            assert list(errors) == [kind]


def test_two_of_a_kind_share_a_bus_if_they_have_two_addresses() -> None:
    for kind in KINDS:
        rows = {row[0]: row for row in keys_sensors.declaration(kind).KEYS}
        if "address" not in rows or rows["address"][1] != "address":
            continue
        addresses = rows["address"][3]
        pair = [
            shortest(kind, address=address, name=name, prefix=True)
            for name, address in (("one", addresses[0]), ("other", addresses[-1]))
        ]
        if len(addresses) > 1:
            one, other = (sensor["recipe"] for sensor in checked(*pair))
            assert one[:2] == other[:2]
            assert one[2] != other[2]
        else:
            errors = config.check(
                {"node": "n", "mqtt": {"host": "h"}, "sensors": pair},
                {"wifi": [{"ssid": "s", "password": "12345678"}]},
            )[1]
            assert "is taken by sensors[0].address" in errors[0]


@pytest.mark.parametrize("kind", KINDS)
def test_a_declaration_is_complete_and_its_driver_is_there(kind: str) -> None:
    declared = keys_sensors.declaration(kind)
    assert (declared.__doc__ or "").strip().endswith(".")
    for row in declared.FIELDS:
        _, unit, low, high, decimals, device_class = row
        assert low is None or high is None or low < high
        assert decimals is None or 0 <= decimals <= 4
        assert device_class is None or unit
    (sensor,) = checked(shortest(kind))
    module = sensor["recipe"][0].partition(":")[0]
    assert (ROOT / "lib" / f"{module}.py").exists()
    page = (ROOT / "docs" / "sensors.md").read_text(encoding="utf-8")
    assert f'"type": "{kind}"' in page
    tests = (ROOT / "host_tests" / "unit" / "lib").glob("test_*.py")
    imports = re.compile(rf"^(from|import) {module}\b|import_module\(.{module}.\)", re.MULTILINE)
    named = [path for path in tests if imports.search(path.read_text("utf-8"))]
    assert named or module == "measured", f"no test in host_tests/unit/lib imports {module}"


@pytest.mark.parametrize("kind", KINDS)
def test_a_driver_gives_the_fields_that_are_declared(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its class; one whose fields are named when it is built is read in test_sensors.py."""
    for name, module in stand_in_modules().items():
        monkeypatch.setitem(sys.modules, name, module)
    (sensor,) = checked(shortest(kind))
    module, name = sensor["recipe"][0].split(":")
    driver = getattr(importlib.import_module(module), name)
    declared = tuple(row[0] for row in keys_sensors.declaration(kind).FIELDS)
    if kind != "driver" and "FIELDS" in vars(driver):
        assert declared == driver.FIELDS
    else:
        assert kind in NAMED_WHEN_BUILT


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_type_draws_is_said_with_its_source_or_said_to_be_unknown(kind: str) -> None:
    declared = keys_sensors.declaration(kind)
    assert declared.DRAW_SOURCE
    (sensor,) = checked(shortest(kind))
    drawn = declared.draw(sensor, 3.7)
    if kind not in ("analog", "digital", "driver"):
        assert (drawn is None) == declared.DRAW_SOURCE.startswith("not known")
    if drawn:
        title, sample_ms, active_ma, standby_ua = drawn
        assert title
        assert sample_ms > 0
        for best, worst in (active_ma, standby_ua):
            assert 0 <= best <= worst
            assert worst or kind in ("digital", *NO_PART), "a device that draws nothing"
        if kind in ALWAYS_ON:
            assert standby_ua == (active_ma[0] * 1000, active_ma[1] * 1000)


def test_no_board_gets_what_is_for_the_host_alone() -> None:
    for kind in KINDS:
        source = (ROOT / "firmware" / "sensor_types" / f"{kind}.py").read_bytes()
        sent = tree.for_board(source)
        assert b"def recipe" in sent
        assert b"draw" not in sent
        assert b"SCAN" not in sent


def test_a_pin_that_a_fake_holds_is_read_as_any_other() -> None:
    board = SensorBoard()
    board.pins[4] = FakePin(1)
    assert measure(Sensors(checked(shortest("digital")), board), board) == ({"active": 1}, {})
