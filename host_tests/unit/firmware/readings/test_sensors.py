"""The sensor layer: each sensor stands alone, and a node's payload is always good JSON."""

import json
import sys
from types import ModuleType, SimpleNamespace

import pytest

from emulated.adc import FakeAdc
from emulated.dht import FakeDht
from emulated.frozen import stand_in_modules
from emulated.hx711 import FakeHx711
from emulated.i2c import FakeBme280, FakeI2C
from emulated.i2c_commands import (
    CommandI2C,
    FakeAht20,
    FakeBh1750,
    FakeIna219,
    FakeScd4x,
    FakeSgp40,
    FakeSht3x,
    FakeSht4x,
)
from emulated.onewire import FakeThermometer, FakeWire
from emulated.pin import FakePin
from emulated.uart import FakePms5003
from emulated.ultrasound import FakeUltrasound
from fakes.scripted import recipe_of
from fakes.sensor_board import SensorBoard
from fieldpost.paths import ROOT
from firmware.config import check as config
from firmware.config import keys_sensors
from firmware.log import DEBUG, INFO, Log
from firmware.readings.failure import describe
from firmware.readings.sensors import Sensors, format_value

DRIVERS = ("analog", "bme280", "dhtxx", "ds18b20", "simulated")


@pytest.fixture(autouse=True)
def frozen_modules(monkeypatch):
    for name, module in stand_in_modules().items():
        monkeypatch.setitem(sys.modules, name, module)
    for name in DRIVERS:
        monkeypatch.delitem(sys.modules, name, raising=False)


PLAIN = {"ranges": {"*": [-1e30, 1e30]}, "fields": [], "calibration": [], "median": 1, "every": 1}


def checked(*configs):
    """The sensors of a configuration as the node gets them."""
    settings, errors = config.check(
        {"node": "n", "mqtt": {"host": "h"}, "sensors": list(configs)},
        {"wifi": [{"ssid": "s", "password": "12345678"}]},
    )
    assert errors == []
    return settings["sensors"]


def measure(layer, board):
    board.sleep_ms(layer.start())
    return layer.collect()


class Scripted:
    """A driver whose outcomes are given: a value, or an exception to raise, per reading."""

    FIELDS = ("speed",)
    built = 0

    def __init__(self, outcomes):
        self.outcomes = outcomes

    def start(self):
        return 5

    def read(self):
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, BaseException):
            raise outcome
        return (outcome,)


@pytest.fixture
def scripted(monkeypatch):
    """Makes a sensor type of a list of outcomes; counts how often its driver is built."""
    counts = {}

    def make(name, outcomes, prefix="", driver=Scripted):
        def build():
            counts[name] = counts.get(name, 0) + 1
            return driver(outcomes)

        recipe = recipe_of(monkeypatch, name, build)
        return {**PLAIN, "recipe": recipe, "name": name, "prefix": prefix}

    make.counts = counts
    return make


ONE_OF_EACH = (
    {"type": "internal"},
    {"type": "supply"},
    {"type": "analog", "pin": 34},
    {"type": "dht", "pin": 15, "prefix": "dht"},
    {"type": "ds18x20", "pin": 4, "prefix": "pipe"},
    {"type": "bme280", "scl": 22, "sda": 21, "prefix": "air"},
    {"type": "simulated", "prefix": True},
)
_WIRES = {"scl": 22, "sda": 21, "prefix": True}
ON_ONE_BUS = (
    {"type": "sht3x", **_WIRES},
    {"type": "sht4x", "address": "0x46", **_WIRES},
    {"type": "aht", **_WIRES},
    {"type": "bh1750", **_WIRES},
    {"type": "scd4x", **_WIRES},
    {"type": "ina219", "shunt_mohm": 2, **_WIRES},
    {"type": "sgp40", **_WIRES},
)
AT_PINS = (
    {"type": "digital", "pin": 5, "active_low": True, "field": "door"},
    {"type": "soil", "pin": 34},
    {"type": "pulses", "pin": 6},
    {"type": "hcsr04", "trigger": 7, "echo": 8},
    {"type": "hx711", "clock": 9, "data": 10},
    {"type": "pms5003", "tx": 11, "rx": 12},
    {"type": "pms5003st", "tx": 13, "rx": 14, "prefix": "st"},
)


def equipped_board():
    board = SensorBoard()
    board.adcs[34] = FakeAdc(1_500_000)
    board.pins[15] = FakeDht(21.5, 40.1)
    board.pins[5] = FakePin(0)
    board.pins[6] = FakePin(1)
    ultrasound = FakeUltrasound([5800])
    board.pins[7], board.pins[8] = ultrasound.trigger, ultrasound.echo
    chip = FakeHx711(board.now_ms, 4711)
    board.pins[9], board.pins[10] = chip.clock, chip.data
    board.uarts[1, 9600, 11, 12] = FakePms5003(board.now_ms)
    more = (900, 260, 41, 4, 1, 0, 12, 212, 224, 0, 0x9A00)
    board.uarts[1, 9600, 13, 14] = FakePms5003(board.now_ms, more=more)
    board.time.ticks_us, board.time.ticks_diff = ultrasound.ticks_us, ultrasound.ticks_diff  # pyright: ignore[reportAttributeAccessIssue]
    board.time.sleep_us = lambda us: (ultrasound.sleep_us(us), chip.sleep_us(us))  # pyright: ignore[reportAttributeAccessIssue]
    board.wires[4] = FakeWire([FakeThermometer(board.now_ms, 1, 18.5)])
    board.buses[0] = CommandI2C(
        {
            0x76: FakeBme280(board.now_ms),
            0x44: FakeSht3x(board.now_ms),
            0x46: FakeSht4x(board.now_ms),
            0x38: FakeAht20(board.now_ms),
            0x23: FakeBh1750(board.now_ms),
            0x62: FakeScd4x(board.now_ms),
            0x40: FakeIna219(board.now_ms),
            0x59: FakeSgp40(board.now_ms),
        }
    )
    return board


def test_what_stands_on_this_board_is_read_as_its_types_are_described():
    every = (*ONE_OF_EACH, *ON_ONE_BUS, *AT_PINS)
    board = equipped_board()
    for one in [one for kind in every for one in checked(kind)]:
        fields, errors = measure(Sensors([one], board), board)
        assert errors == []
        described = [
            one["prefix"] + (one[field[1:-1]] if field[0] == "{" else field)
            for field, *_ in keys_sensors.declaration(one["type"]).FIELDS
            if field[-1] != "*"
        ]
        assert sorted(name for name, _ in fields) == sorted(described)


def test_all_types_together_make_one_short_reading():
    board = equipped_board()
    layer = Sensors(checked(*ONE_OF_EACH), board)
    assert layer.start() == 2000
    board.sleep_ms(2000)
    fields, errors = layer.collect()
    assert errors == []
    text = "{" + ",".join(f'"{name}":{format_value(value)}' for name, value in fields) + "}"
    assert json.loads(text) == {
        "die_temperature": 33.3,
        "supply_mv": 4987,
        "value": 1.5,
        "dht_temperature": 21.5,
        "dht_humidity": 40.1,
        "pipe_temperature": 18.5,
        "air_temperature": 25.08,
        "air_pressure": 1006.53,
        "air_humidity": 38.27,
        "simulated_temperature": dict(fields)["simulated_temperature"],
        "simulated_humidity": dict(fields)["simulated_humidity"],
    }


def test_the_sensors_of_one_bus_share_it():
    board = equipped_board()
    fields, errors = measure(Sensors(checked(*ON_ONE_BUS), board), board)
    assert errors == []
    assert dict(fields) == {
        "sht3x_temperature": 25,
        "sht3x_humidity": 50,
        "sht4x_temperature": 25,
        "sht4x_humidity": 56.5,
        "aht_temperature": 25,
        "aht_humidity": 50,
        "bh1750_illuminance": 28066.7,
        "scd4x_co2": 500,
        "scd4x_temperature": 25,
        "scd4x_humidity": 37,
        "ina219_voltage": 11.98,
        "ina219_current": 10,
        "sgp40_voc_raw": 31891,
    }


def test_the_sensors_at_pins_are_read_together():
    board = equipped_board()
    fields, errors = measure(Sensors(checked(*AT_PINS), board), board)
    assert errors == []
    found = dict(fields)
    assert found.pop("distance") == pytest.approx(100, abs=0.5)
    assert found == {
        "door": 1,
        "soil_moisture": 68.7,
        "pulses": 0,
        "weight": 4711,
        "pm1": 5,
        "pm25": 8,
        "pm10": 9,
        "st_pm1": 5,
        "st_pm25": 8,
        "st_pm10": 9,
        "st_formaldehyde": 12,
        "st_temperature": 21.2,
        "st_humidity": 22.4,
    }


def test_any_driver_can_be_named_by_the_configuration():
    board = equipped_board()
    by_name = checked(
        {"type": "driver", "driver": "sht3x:SHT3x", "scl": 22, "sda": 21, "prefix": "a"},
        {"type": "driver", "driver": "digital:Digital", "pin": 5, "name": "b", "prefix": True},
        {"type": "driver", "driver": "bme280:BME280", "scl": 22, "sda": 21, "address": 119}
        | {"name": "c", "prefix": True},
        {"type": "driver", "driver": "nowhere.at_all:Thing", "name": "d", "prefix": True},
        {"type": "driver", "driver": "digital", "name": "e", "prefix": True},
    )
    board.buses[0].devices[0x77] = board.buses[0].devices[0x76]
    fields, errors = measure(Sensors(by_name, board), board)
    found = dict(fields)
    assert (found["a_temperature"], found["b_active"], found["c_pressure"]) == (25, 0, 1006.53)
    assert [name for name, _ in errors] == ["d", "e"]
    assert "nowhere" in errors[0][1]
    assert "ValueError" in errors[1][1]


def test_what_is_no_class_of_the_boards_own_files_is_never_called(monkeypatch):
    """A text in the configuration could start the bootloader, or end the program, otherwise."""
    called = []

    class Port(ModuleType):
        """As `machine` is built into a port: it has no file."""

        class UART:
            def __init__(self, *_):
                called.append("UART")

            def start(self): ...
            def read(self): ...

        @staticmethod
        def bootloader(*_):
            called.append("bootloader")

    def function(*_):
        called.append("function")

    function.read = function
    own = ModuleType("own")
    own.__file__ = "own.py"
    monkeypatch.setattr(own, "function", function, raising=False)
    monkeypatch.setitem(sys.modules, "machine", Port("machine"))
    monkeypatch.setitem(sys.modules, "own", own)
    names = ("machine:bootloader", "machine:UART", "sys:exit", "_io:BytesIO", "own:function")
    board = equipped_board()
    layer = Sensors(
        checked(
            *(
                {"type": "driver", "driver": name, "name": f"n{i}", "prefix": True}
                for i, name in enumerate(names)
            ),
            {"type": "digital", "pin": 5},
        ),
        board,
    )
    fields, errors = measure(layer, board)
    assert called == []
    assert [text for _, text in errors] == ["ValueError no driver"] * len(names)
    assert [name for name, _ in fields] == ["active"], "no other sensor is the worse for it"


def test_the_worked_example_of_a_driver_in_a_package_works(tmp_path, monkeypatch):
    page = (ROOT / "docs" / "sensors.md").read_text(encoding="utf-8")
    source, rest = page.partition("```python\n")[2].split("```", 1)
    example = json.loads(rest.partition("```json\n")[2].partition("```")[0])
    (tmp_path / "greenhouse").mkdir()
    (tmp_path / "greenhouse" / "tmp117.py").write_text(source, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    board = equipped_board()

    class Tmp117:
        """Its result register holds 25 degC in 128ths (data sheet SNOSD82)."""

        def read_registers(self, at, count):
            return b"\x0c\x80" if at == 0 else b"\x00\x00"

    board.buses[0].devices[0x48] = Tmp117()
    fields, errors = measure(Sensors(checked(example), board), board)
    assert errors == []
    published = json.loads(rest.split("```json\n")[2].partition("```")[0])
    assert dict(fields) == published


def test_a_supply_behind_a_divider_is_in_millivolts():
    board = SensorBoard()
    board.adcs[35] = FakeAdc(1_852_341)
    one = checked({"type": "supply", "pin": 35, "scale": 2})
    (field,), errors = measure(Sensors(one, board), board)
    assert (field, errors) == (("supply_mv", 3705), [])
    assert format_value(field[1]) == "3705"


def test_only_configured_drivers_are_loaded():
    board = equipped_board()
    layer = Sensors(checked({"type": "internal"}, {"type": "analog", "pin": 34}), board)
    measure(layer, board)
    assert [name for name in DRIVERS if name in sys.modules] == ["analog"]


def test_a_sensor_that_does_not_start_is_not_waited_for(scripted):
    def refuse(outcomes):
        raise OSError(19)

    layer = Sensors([scripted("unbuilt", [], driver=refuse)], SensorBoard())
    assert layer.start() == 0
    assert layer.collect() == ([], [("unbuilt", "OSError 19 no such device")])


def test_a_failure_at_any_point_stops_no_other_sensor_and_names_its_cause(scripted):
    class FailsToStart(Scripted):
        def start(self):
            raise OSError(110)

    def refuse(outcomes):
        raise OSError(19)

    layer = Sensors(
        [
            scripted("good", [1.5]),
            scripted("unbuilt", [], driver=refuse),
            scripted("unstarted", [], driver=FailsToStart),
            scripted("unread", [ValueError("bad checksum")]),
            {**PLAIN, "recipe": ["no_such_module:Driver"], "name": "mystery", "prefix": ""},
            scripted("also_good", [2.5], prefix="also_"),
        ],
        SensorBoard(),
    )
    assert layer.start() == 5
    assert layer.collect() == (
        [("speed", 1.5), ("also_speed", 2.5)],
        [
            ("unbuilt", "OSError 19 no such device"),
            ("unstarted", "OSError 110 timed out"),
            ("unread", "ValueError bad checksum"),
            ("mystery", "ModuleNotFoundError No module named 'no_such_module'"),
        ],
    )


@pytest.mark.parametrize("given", [None, "soon", float("nan"), float("inf"), [1], (), object()])
def test_a_start_that_gives_no_milliseconds_stops_no_other_sensor_and_is_named(scripted, given):
    class Vague(Scripted):
        def start(self):
            return given

    layer = Sensors(
        [scripted("vague", [7], driver=Vague), scripted("good", [1], prefix="g_")], SensorBoard()
    )
    assert layer.start() == 5
    assert layer.again() == 0
    fields, errors = layer.collect()
    assert fields == [("g_speed", 1)]
    assert [name for name, _ in errors] == ["vague"] and "Error" in errors[0][1]


@pytest.mark.parametrize(("given", "waits_ms"), [(-7, 5), (7.9, 7), (10**12, 300_000)])
def test_a_start_holds_up_the_others_for_five_minutes_at_most(scripted, given, waits_ms):
    class Odd(Scripted):
        def start(self):
            return given

    odd, plain = scripted("odd", [7, 8, 9], driver=Odd), scripted("good", [1], prefix="g_")
    for median in (1, 3):
        layer = Sensors([{**odd, "median": median}, plain], SensorBoard())
        assert layer.start() == waits_ms
        assert type(layer.again()) is int


def test_what_is_raised_deep_inside_is_the_sensors_error_and_the_log_has_its_line(scripted):
    class Deep(Scripted):
        def start(self):
            return self._again(0)

        def _again(self, depth):
            if depth == 3:
                raise KeyError("register")
            return self._again(depth + 1)

    class Endless(Deep):
        def _again(self, depth):
            return self._again(depth + 1)

    log = Log(SimpleNamespace(uptime_ms=lambda: 0), lambda _line: None, DEBUG)
    layer = Sensors(
        [
            scripted("deep", [], driver=Deep),
            scripted("endless", [], driver=Endless),
            scripted("good", [1]),
        ],
        SensorBoard(),
        log,
    )
    layer.start()
    said = "\n".join(log.lines)
    fields, errors = layer.collect()
    assert fields == [("speed", 1)]
    assert [name for name, _ in errors] == ["deep", "endless"]
    assert "KeyError" in errors[0][1]
    assert "sensor endless: " in said
    log.lines.clear()
    layer.start()
    first = [line for line in log.lines if "sensor deep: " in line]
    log.level = INFO
    log.lines.clear()
    layer.start()
    assert log.lines == [], "a traceback at another level than debug"
    assert any("test_sensors.py" in line and "line" in line for line in first)
    assert not any("KeyError: " in line for line in first), "it is said twice"


@pytest.mark.parametrize("error", [SystemExit(1), SystemExit(), StopIteration(), Exception()])
def test_a_driver_that_ends_the_program_ends_its_own_measurement_alone(scripted, error):
    class Ends(Scripted):
        def start(self):
            raise error

    layer = Sensors(
        [
            scripted("starts", [], driver=Ends),
            scripted("reads", [error]),
            scripted("good", [1]),
        ],
        SensorBoard(),
    )
    fields, errors = measure(layer, SensorBoard())
    assert fields == [("speed", 1)]
    kind = type(error).__name__
    assert [(name, text.split()[0]) for name, text in errors] == [
        ("starts", kind),
        ("reads", kind),
    ]


def test_ctrl_c_is_for_the_node_and_no_sensors_error(scripted):
    layer = Sensors([scripted("one", [KeyboardInterrupt()])], SensorBoard())
    layer.start()
    with pytest.raises(KeyboardInterrupt):
        layer.collect()


def test_a_driver_whose_fields_have_no_names_is_an_error(scripted):
    class Numbered(Scripted):
        FIELDS = (1,)

    class Nameless(Scripted):
        FIELDS = None

    layer = Sensors(
        [
            scripted("numbered", [7], driver=Numbered),
            scripted("nameless", [7], driver=Nameless),
            scripted("good", [1]),
        ],
        SensorBoard(),
    )
    fields, errors = measure(layer, SensorBoard())
    assert fields == [("speed", 1)]
    assert [name for name, _ in errors] == ["numbered", "nameless"]


def test_a_driver_that_is_not_installed_is_a_failing_sensor(monkeypatch):
    monkeypatch.setitem(sys.modules, "dht", None)
    board = equipped_board()
    layer = Sensors(checked({"type": "dht", "pin": 15}, {"type": "internal"}), board)
    fields, errors = measure(layer, board)
    assert fields == [("die_temperature", 33.3)]
    assert errors[0][0] == "dht"
    assert "dht" in errors[0][1]
    assert "Error" in errors[0][1]


def test_a_quantity_that_the_board_lacks_is_an_error():
    board = SensorBoard()
    board.die_c = None
    fields, errors = measure(Sensors(checked({"type": "internal"}), board), board)
    assert (fields, errors) == ([], [("internal", "ValueError not measured on this board")])


def test_memory_that_runs_out_is_not_hidden_as_a_sensor_error(scripted):
    layer = Sensors([scripted("greedy", [MemoryError()])], SensorBoard())
    layer.start()
    with pytest.raises(MemoryError):
        layer.collect()

    def greedy(outcomes):
        raise MemoryError

    with pytest.raises(MemoryError):
        Sensors([scripted("greedier", [], driver=greedy)], SensorBoard()).start()


def test_a_sensor_that_failed_is_built_anew_and_one_that_works_is_kept(scripted):
    outcomes = [1, OSError(5), 2, 3]
    board = SensorBoard()
    layer = Sensors([scripted("loose", outcomes)], board)
    seen = [measure(layer, board) for _ in range(4)]
    assert [fields for fields, _ in seen] == [
        [("speed", 1)],
        [],
        [("speed", 2)],
        [("speed", 3)],
    ]
    assert [errors for _, errors in seen] == [[], [("loose", "OSError 5 no answer")], [], []]
    assert scripted.counts == {"loose": 2}


def test_a_bme280_that_is_plugged_in_later_or_exchanged_works():
    board = SensorBoard()
    bus = board.buses[0] = FakeI2C()
    layer = Sensors(checked({"type": "bme280", "scl": 1, "sda": 0}), board)
    assert measure(layer, board) == ([], [("bme280", "OSError 19 no such device")])
    bus.devices[0x76] = FakeBme280(board.now_ms)
    first, errors = measure(layer, board)
    assert errors == []
    del bus.devices[0x76]
    assert measure(layer, board)[0] == []
    other = bus.devices[0x76] = FakeBme280(board.now_ms)
    other.trim((27000, 26000, -900), other.PRESSURE_TRIM, other.HUMIDITY_TRIM)
    second, errors = measure(layer, board)
    assert errors == []
    assert second != first


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), None, "12", [1]])
def test_a_value_that_json_cannot_carry_is_left_out_and_reported(scripted, value):
    layer = Sensors([scripted("odd", [value]), scripted("good", [1], prefix="g_")], SensorBoard())
    fields, errors = measure(layer, SensorBoard())
    assert fields == [("g_speed", 1)]
    assert errors[0][0] == "odd"
    assert errors[0][1] in ("speed: is not finite", "speed: is no number")


def test_one_bad_value_leaves_the_sensors_other_fields(scripted):
    class Three(Scripted):
        FIELDS = ("a", "b", "c")

        def read(self):
            return (1, float("nan"), OSError(19, "gone"))

    layer = Sensors([scripted("three", [], driver=Three)], SensorBoard())
    assert measure(layer, SensorBoard()) == (
        [("a", 1)],
        [("three", "b: is not finite; c: OSError 19 gone")],
    )


def test_no_field_is_published_twice(scripted):
    layer = Sensors([scripted("one", [1]), scripted("two", [2])], SensorBoard())
    assert measure(layer, SensorBoard()) == (
        [("speed", 1)],
        [("two", "speed: field is already taken, set a prefix")],
    )


def test_a_driver_with_too_few_values_is_an_error_and_shifts_no_field(scripted):
    class Short(Scripted):
        FIELDS = ("a", "b")

    layer = Sensors([scripted("short", [1], driver=Short)], SensorBoard())
    assert measure(layer, SensorBoard()) == ([], [("short", "ValueError 1 values for 2 fields")])


def test_collecting_before_the_start_is_an_error_and_no_old_value(scripted):
    layer = Sensors([scripted("early", [1])], SensorBoard())
    assert layer.collect() == ([], [("early", "not started")])


def test_an_error_is_a_short_text_with_its_cause():
    class OneWireError(Exception):
        pass

    assert describe(OSError(116)) == "OSError 116 timed out"
    assert describe(OSError(110, "measurement takes too long")) == (
        "OSError 110 measurement takes too long"
    )
    assert describe(OSError(12345)) == "OSError 12345"
    assert describe(OSError("no such pin")) == "OSError no such pin"
    assert describe(OneWireError()) == "OneWireError"
    assert len(describe(ValueError("x" * 500))) <= 80


def test_numbers_are_written_short_and_read_back_as_they_were():
    assert format_value(21.53) == "21.53"
    # What single precision makes of 21.53, 1006.53 and 0.3.
    assert format_value(21.530000686645508) == "21.53"
    assert format_value(1006.530029296875) == "1006.53"
    assert format_value(0.30000001192092896) == "0.3"
    for value in (True, False, 0, -1, 1 << 40, 0.0, -0.0, 1e-7, 123456.0, 1e6, 1e20, -3.5):
        assert json.loads(format_value(value)) == value
    assert format_value(-0.0) == "0"
    assert format_value(999999.0) == "999999" and format_value(1e6) == "1000000"
    for value in (float("nan"), float("inf"), None, "1", b"1"):
        with pytest.raises(ValueError, match="is no"):
            format_value(value)


def test_a_failed_conversion_of_a_thermometer_is_an_error_and_no_128_degrees():
    board = SensorBoard()
    probe = FakeThermometer(board.now_ms, 1, 127.9375)  # 0x07FF: what a failed one leaves
    board.wires[4] = FakeWire([probe])
    layer = Sensors(checked({"type": "ds18x20", "pin": 4}), board)
    assert measure(layer, board) == (
        [],
        [("ds18x20", "temperature: ValueError out of range: 127.94")],
    )
    probe.celsius = 125
    assert measure(layer, board) == ([("temperature", 125)], [])
