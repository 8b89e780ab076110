"""A node on the desk publishes what its emulated sensors were told, and follows its files."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rigs.port import micropython
from rigs.running import Running

from emulated.sensors import TYPES
from fieldpost.desk import run as desk_run
from fieldpost.desk.desk_node import Source
from fieldpost.desk.run import Options, run_command
from fieldpost.errors import CommandError, TimedOut
from fieldpost.mqtt.brokers import Broker
from fieldpost.node_process import Interpreter
from fieldpost.paths import ROOT
from fieldpost.wired.values import stand_ins
from firmware.board import unix
from firmware.sensor_types.names import NAMES

_BUS = {"scl": 5, "sda": 4}
_PREFIX = {"prefix": True}
_ON_BUSES = [
    {"type": "bme280", **_BUS},
    {"type": "aht", **_BUS, **_PREFIX},
    {"type": "bh1750", **_BUS},
    {"type": "ina219", **_BUS, "shunt_mohm": 50},
    {"type": "sht3x", **_BUS, **_PREFIX},
    {"type": "sht4x", **_BUS, **_PREFIX, "address": "0x46"},
    {"type": "sgp40", **_BUS},
    {"type": "ds18x20", "pin": 16, **_PREFIX},
    {"type": "dht", "pin": 15, **_PREFIX},
    {"type": "dht", "pin": 12, "prefix": "old", "model": "DHT11", "name": "old"},
]
_AT_PINS = [
    {"type": "analog", "pin": 34, "scale": 10, "offset": -1},
    {"type": "soil", "pin": 35},
    {"type": "supply", "pin": 36, "scale": 2},
    {"type": "internal"},
    {"type": "digital", "pin": 17, "active_low": True, "pull": "up", "field": "door"},
    {"type": "hcsr04", "trigger": 19, "echo": 21},
    {"type": "hx711", "clock": 22, "data": 23, "scale": -420.5, "offset": 81406},
    {"type": "pms5003", "uart": 1, "tx": 25, "rx": 26},
    {"type": "pms5003st", "uart": 2, "tx": 27, "rx": 14, **_PREFIX},
]
_TOLD = {
    "bus": {
        "temperature": -7.25,
        "pressure": 987.65,
        "humidity": 61.3,
        "illuminance": 1500,
        "voltage": 12.6,
        "current": -1.25,
        "voc_raw": 27000,
    },
    "pins": {
        "value": 3.3,
        "soil_moisture": 12.5,
        "supply_mv": 3712,
        "die_temperature": 44.5,
        "door": 1,
        "distance": 123.4,
        "weight": 8.2,
        "pm25": 17,
        "formaldehyde": 31,
        "temperature": -3.7,
        "humidity": 88.8,
    },
}


@pytest.fixture(params=["micropython", "cpython"])
def interpreter(request: pytest.FixtureRequest) -> Interpreter:
    if request.param == "micropython":
        micropython()  # Else it skips.
    return request.param


def folder_with(path: Path, sensors: list[dict[str, Any]], **keys: Any) -> Path:
    path.mkdir(exist_ok=True)
    (path / "config.json").write_text(json.dumps({"node": "desk", "sensors": sensors, **keys}))
    return path


def reading(
    capsys: pytest.CaptureFixture[str], folder: Path, *settings: str, **options: Any
) -> dict[str, Any]:
    """The last of `count` readings."""
    how = {"count": 1, "seconds": 60.0, "as_json": True, **options}
    status = run_command(Options(source=Source(folder, settings=settings), **how))
    out, err = capsys.readouterr()
    assert status == 0, err
    told = json.loads(out.splitlines()[-1])
    assert told["topic"] == "fieldpost/desk/telemetry"
    return told["payload"]


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "sensors"), [("bus", _ON_BUSES), ("pins", _AT_PINS)])
def test_each_type_measures_what_it_is_told(
    kind: str,
    sensors: list[dict[str, Any]],
    interpreter: Interpreter,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    settings = [f"{field}={value}" for field, value in _TOLD[kind].items()]
    got = reading(capsys, folder_with(tmp_path, sensors), *settings, interpreter=interpreter)
    assert "failed" not in got
    plain = {field: value for field, value in _TOLD[kind].items() if field in got}
    # A BH1750 has steps of 0.8 lx, a DHT tenths of a degree; all others say what they were told.
    assert {field: got[field] for field in plain} == plain
    others = {field.rpartition("_")[2]: value for field, value in got.items()}
    if kind == "bus":
        assert got["dht_temperature"] == -7.3 and got["old_humidity"] == 61
        for one in ("aht", "sht3x", "sht4x"):
            assert got[f"{one}_humidity"] == 61.3
    assert others["temperature"] in (-7.25, -7.3, -3.7, -7)


def test_every_type_that_comes_with_fieldpost_has_its_stand_in() -> None:
    assert {*TYPES, "simulated"} == set(NAMES)
    assert stand_ins() == set(TYPES)


def test_who_has_another_chip_is_told_of_a_driver_of_ones_own(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, [{"type": "tmp117", **_BUS}])
    with pytest.raises(CommandError, match='Any other chip is "type": "driver"'):
        run_command(Options(source=Source(folder)))


@pytest.mark.slow
def test_a_scd4x_measures_when_it_has_had_its_five_seconds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = folder_with(tmp_path, [{"type": "scd4x", **_BUS}], sample_s=10)
    assert reading(capsys, folder, "co2=812")["co2"] == 812


@pytest.mark.slow
def test_pulses_are_counted_between_two_readings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rain = {"type": "pulses", "pin": 18, "scale": 0.25, "field": "rain_mm"}
    folder = folder_with(tmp_path, [rain], sample_s=1)
    got = reading(capsys, folder, "rain_mm=2.5", count=3)["rain_mm"]
    assert 2.25 <= got <= 2.75  # one pulse more or less, as with any rain


@pytest.mark.slow
def test_a_table_changes_what_is_measured_and_unplugs_a_device(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = folder_with(tmp_path, [{"type": "bme280", "name": "indoor", **_BUS}], sample_s=1)
    table = tmp_path / "night.csv"
    table.write_text("seconds,temperature,indoor\n0,19,\n1.5,18,\n2.5,,absent\n3.5,,present\n")
    source = Source(folder, table=table)
    assert run_command(Options(source=source, count=5, seconds=60, as_json=True)) == 0
    out = capsys.readouterr().out
    got = [json.loads(line)["payload"].get("temperature") for line in out.splitlines()]
    assert got[0] == 19 and 18 in got[1:3] and None in got and got[-1] == 18


_DRIVER = """\
class TMP117:
    FIELDS = ("temperature",)

    def __init__(self, i2c, address):
        self._i2c = i2c
        self._address = address

    def start(self):
        return 16

    def read(self):
        high, low = self._i2c.readfrom_mem(self._address, 0, 2)
        return ((high << 8 | low) / 128,)
"""
_OWN = {"type": "driver", "name": "cellar", "driver": "tmp117:TMP117", **_BUS, "address": 72}


def test_a_driver_beside_the_configuration_reads_its_chips_registers(
    interpreter: Interpreter, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = folder_with(tmp_path, [_OWN])
    (folder / "tmp117.py").write_text(_DRIVER)
    got = reading(capsys, folder, "cellar.0x00=0x0C80", interpreter=interpreter)
    assert got["temperature"] == 25


def test_devices_of_ones_own_are_wired_by_a_module_beside_the_configuration(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = folder_with(tmp_path, [_OWN])
    (folder / "tmp117.py").write_text(_DRIVER)
    (folder / "desk.py").write_text(
        "from emulated.registers import Registers\n"
        "def wire(desk):\n"
        "    desk.bus(0).devices[72] = Registers({0: b'\\xff\\x80'})\n"
    )
    assert reading(capsys, folder)["temperature"] == 511


_COMMANDED = """\
class Sgp30:
    FIELDS = ("co2",)

    def __init__(self, i2c):
        self._i2c = i2c

    def start(self):
        self._i2c.writeto(0x58, b"\\x20\\x08")
        return 12

    def read(self):
        high, low = self._i2c.readfrom(0x58, 2)
        return (high << 8 | low,)
"""
_CHIP = """\
class Chip:
    def write(self, data):
        self.told = data

    def read(self, count):
        return b"\\x02\\x80"[:count] if self.told == b"\\x20\\x08" else b"\\xff" * count


def wire(desk):
    desk.bus(0).devices[0x58] = Chip()
"""


def test_a_chip_of_ones_own_that_takes_commands_answers_a_plain_read(
    interpreter: Interpreter, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = folder_with(tmp_path, [{"type": "driver", "driver": "sgp30:Sgp30", **_BUS}])
    (folder / "sgp30.py").write_text(_COMMANDED)
    (folder / "desk.py").write_text(_CHIP)
    assert reading(capsys, folder, interpreter=interpreter)["co2"] == 640


_MACHINE = """\
from machine import ADC, SoftI2C, Pin


class Guva:
    FIELDS = ("mv", "level", "share", "bits", "raw")

    def __init__(self, pin):
        self._pin = pin
        self._given = ADC(pin)
        self._named = ADC(Pin(26, Pin.IN), atten=ADC.ATTN_11DB)
        self._channel = ADC(0)
        Pin(22, Pin.OUT).value(1)
        self._i2c = SoftI2C(scl=Pin(5), sda=Pin(4))

    def start(self):
        return 0

    def read(self):
        share = self._named.read_u16()
        return self._given.read_uv() / 1000, self._pin(), share, self._channel.read(), self._raw()

    def _raw(self):
        return self._i2c.readfrom_mem(0x20, 1, 1)[0]
"""
_AT_PIN = {"type": "driver", "name": "uv", "driver": "guva:Guva", "pin": 26}


def test_a_driver_finds_pins_buses_and_the_adc_of_a_board_in_machine(
    interpreter: Interpreter, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = folder_with(tmp_path, [_AT_PIN])
    (folder / "guva.py").write_text(_MACHINE)
    (folder / "desk.py").write_text(
        "from emulated.registers import Registers\n"
        "def wire(desk):\n"
        "    desk.bus(0).devices[0x20] = Registers({1: b'\\x07'})\n"
    )
    got = reading(capsys, folder, "uv.mv=1650", "uv.level=1", interpreter=interpreter)
    assert "failed" not in got
    assert [got[field] for field in ("mv", "level", "raw")] == [1650, 1, 7]
    assert (got["share"], got["bits"]) == (32767, 2047)


def test_what_the_desk_does_not_have_is_an_error_at_the_drivers_own_line(
    interpreter: Interpreter, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = folder_with(tmp_path, [_AT_PIN], log_level="info")
    (folder / "guva.py").write_text(_MACHINE.replace("Pin\n", "PWM\n", 1))
    options = Options(source=Source(folder), count=1, seconds=60, interpreter=interpreter)
    assert run_command(options) == 0
    assert "(guva.py, line 1)" in capsys.readouterr().out


def test_the_pages_driver_at_a_pin_measures_what_the_page_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = (ROOT / "docs" / "desk.md").read_text(encoding="utf-8")
    part = page.partition('A driver with `"pin"`')[2]
    config, source, said = (one.partition("\n")[2] for one in part.split("```")[1:6:2])
    (tmp_path / "config.json").write_text(config)
    (tmp_path / "guva.py").write_text(source)
    told = json.loads(said.splitlines()[1].partition(" ")[2])
    assert reading(capsys, tmp_path, "uv.mv=650")["uv_mv"] == told["uv_mv"] == 650


def test_the_folder_that_fieldpost_drivers_names_may_be_another(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = folder_with(tmp_path / "node", [_OWN])
    drivers = tmp_path / "drivers"
    drivers.mkdir()
    (drivers / "tmp117.py").write_text(_DRIVER)
    with pytest.raises(CommandError, match="no Python file"):
        reading(capsys, folder)
    source = Source(folder, drivers)
    assert run_command(Options(source=source, count=1, seconds=60, as_json=True)) == 0


def test_an_example_runs_without_any_folder(capsys: pytest.CaptureFixture[str]) -> None:
    status = run_command(Options(source=Source(), count=1, seconds=60))
    assert status == 0
    out = capsys.readouterr().out
    assert "sample 0 stored" in out
    assert '"temperature":21.5,"pressure":1013.25,"humidity":45}' in out


@pytest.mark.parametrize("name", sorted(one.name for one in (ROOT / "examples").iterdir()))
def test_each_example_of_a_battery_node_runs_on_the_desk(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = ROOT / "examples" / name
    if not (folder / "config.json").exists():
        return
    status = run_command(Options(source=Source(folder), count=1, seconds=60, as_json=True))
    out = capsys.readouterr().out
    assert status == 0
    assert "failed" not in json.loads(out)["payload"]


def test_a_broker_that_is_there_is_used_with_its_login(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Broker(users={"ann": "secret word"}) as broker:
        url = f"mqtt://ann:secret%20word@127.0.0.1:{broker.port}"
        folder = folder_with(tmp_path, [], mqtt={"host": "192.168.1.10", "port": 1})
        assert reading(capsys, folder, broker=url)["seq"] == 0


def test_what_is_wrong_with_a_configuration_is_said_before_anything_starts(
    tmp_path: Path,
) -> None:
    folder = folder_with(tmp_path, [{"type": "bme280"}], nodes="x")
    with pytest.raises(CommandError) as caught:
        run_command(Options(source=Source(folder)))
    assert "sensors[0].scl" in str(caught.value) and "nodes" in str(caught.value)
    (folder / "config.json").write_text('{"node": "x",}')
    with pytest.raises(CommandError, match="no comma after the last one"):
        run_command(Options(source=Source(folder)))


def test_time_without_enough_readings_is_a_failure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = Source(folder_with(tmp_path, [{"type": "scd4x", **_BUS}], sample_s=60))
    with pytest.raises(TimedOut, match=r"0 of 1 readings came within 0\.5 s"):
        run_command(Options(source=source, count=1, seconds=0.5))
    capsys.readouterr()


def test_the_exit_statuses_are_those_of_the_firmware() -> None:
    assert desk_run.CAUSES == {
        unix.EXIT_RESTART: "soft",
        unix.EXIT_DEEP_SLEEP: "deep-sleep",
        unix.EXIT_WATCHDOG: "watchdog",
    }


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Running]:
    folder = folder_with(tmp_path / "node", [_OWN], sample_s=1)
    (folder / "tmp117.py").write_text("")
    running = Running("run", str(folder), "--watch", "--set", "cellar.0=0x0C80", cwd=tmp_path)
    yield running
    running.kill()


@pytest.mark.slow
def test_it_follows_a_driver_from_an_empty_file_to_its_payload(
    watched: Running, tmp_path: Path
) -> None:
    driver = tmp_path / "node" / "tmp117.py"
    watched.says("tmp117.py has no class TMP117")
    driver.write_text(_DRIVER.replace("high << 8", "hihg << 8"))
    watched.says(f'File "{driver}", line 13, in read')
    watched.says("NameError")
    driver.write_text(_DRIVER)
    watched.says("tmp117.py changed: the node starts anew")
    assert '"temperature":25' in watched.says('"temperature"')
    config = tmp_path / "node" / "config.json"
    text = config.read_text()
    config.write_text(text.replace("sample_s", "samples_s"))
    watched.says("config.json changed, and makes no node")
    watched.says("sample ")  # The node that there was goes on.
    config.write_text(text.replace('"desk"', '"shed"'))
    watched.says("fieldpost/shed/telemetry")
    assert watched.ends() == 0
