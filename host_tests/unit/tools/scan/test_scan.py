"""`fieldpost scan` names what is wired to a board, drives no pin without need, changes no file."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from rigs.pico_w import image
from rigs.port import micropython
from rigs.wired_board import wire
from typer.testing import CliRunner

from fakes.raw_repl import RawReplBoard
from fieldpost.board.link import open_link
from fieldpost.emulator.emulator import Emulator
from fieldpost.errors import CommandError
from fieldpost.scan import command as scan_command
from fieldpost.scan import pins as scan_pins
from fieldpost.scan import scan
from fieldpost.scan.sensors import QUESTIONS, candidates, judge
from fieldpost.wired import devices
from fieldpost.wired.plan import plan
from firmware.config import check as config
from firmware.config import keys_sensors

Make = Callable[..., RawReplBoard]
MANY = """
bus = CommandI2C({0x76: FakeBme280(now), 0x77: FakeBme280(now, chip_id=0x58)})
bus.devices.update({0x44: FakeSht3x(now), 0x46: FakeSht4x(now), 0x62: FakeScd4x(now)})
bus.devices.update({0x40: FakeIna219(now), 0x59: FakeSgp40(now), 0x23: FakeBh1750(now)})
bus.devices[0x3C] = FakeBh1750(now)  # a display, say
bench.i2c(5, 4, bus)
probes = [FakeThermometer(now, 0x0A1B2C3D), FakeThermometer(now, 0x0A1B2C3E, family=0x10)]
bench.onewire(22, FakeWire(probes))
bench.outside[15] = "up"  # a button's resistor
"""
MAIN = "import time\nopen('/runs', 'a').write('x')\nwhile True:\n    time.sleep_ms(10)\n"


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[RawReplBoard] = []

    def one(wiring: str = "", main: str = "", **options: Any) -> RawReplBoard:
        folder = tmp_path / "board"
        wire(folder, wiring)
        if main:
            (folder / "main.py").write_text(main)
        board = RawReplBoard(folder, tmp_path / "tty", micropython(), **options)
        made.append(board)
        board.plug_in()
        return board

    yield one
    for board in made:
        board.unplug()


def run(*arguments: str) -> tuple[int, str]:
    app = typer.Typer()
    app.command()(scan_command.scan)
    done = CliRunner().invoke(app, arguments)
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.output


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(one): one.read_bytes()
        for one in folder.rglob("*")
        if one.is_file() and one.name != "runs"
    }


def test_what_answers_is_told_apart_and_its_configuration_passes_the_nodes_check(
    make: Make,
) -> None:
    board = make(MANY)
    before = files(board.folder)
    status, output = run("--port", board.port, "--json")
    assert status == 0, output
    found = json.loads(output)
    i2c, wire = found["buses"]
    assert i2c["pins"] == {"bus": 0, "scl": 5, "sda": 4} and i2c["state"] == "ok"
    assert {one["address"]: (one["what"], one["type"], one["sure"]) for one in i2c["devices"]} == {
        "0x23": ("perhaps bh1750", "bh1750", False),
        "0x3c": ("nothing that Fieldpost has a driver for", None, False),
        "0x40": ("INA219", "ina219", True),
        "0x44": ("SHT30, SHT31 or SHT35", "sht3x", True),
        "0x46": ("SHT40, SHT41 or SHT45", "sht4x", True),
        "0x59": ("SGP40", "sgp40", True),
        "0x62": ("SCD40, SCD41 or SCD43", "scd4x", True),
        "0x76": ("BME280", "bme280", True),
        "0x77": ("BMP280", "bme280", True),
    }
    assert {one["address"]: one["what"] for one in wire["devices"]} == {
        "28-00000a1b2c3d": "DS18B20",
        "10-00000a1b2c3e": "DS18S20",
    }
    node = {"node": "n", "mqtt": {"host": "h"}, "sample_s": 60, "sensors": found["sensors"]}
    secrets = {"wifi": [{"ssid": "s", "password": "12345678"}]}
    assert config.check(node, secrets)[1] == []
    assert len(found["sensors"]) == 9
    assert files(board.folder) == before
    with open_link(board.port) as link:
        # The button's pin was up, too, and might have been a 1-Wire bus.
        assert link.eval("sorted(bench.driven)") == [4, 5, 15, 22]
        assert link.eval("set(bench.left.values())") == {"IN"}
        assert link.eval("'_probe' in globals()") is False


def test_a_node_that_runs_is_stopped_and_started_again(make: Make) -> None:
    board = make(MANY, main=MAIN)
    end = time.monotonic() + 5
    while not (board.folder / "runs").exists():
        assert time.monotonic() < end
        time.sleep(0.02)
    before = files(board.folder)
    status, output = run("--port", board.port)
    assert status == 0
    assert '{"type": "bme280", "bus": 0, "scl": 5, "sda": 4, "address": "0x76"' in output
    assert "28-00000a1b2c3d  DS18B20" in output
    end = time.monotonic() + 5
    while (board.folder / "runs").read_text() != "xx":
        assert time.monotonic() < end, "it was not started again"
        time.sleep(0.02)
    assert files(board.folder) == before


def test_what_is_found_is_saved_where_it_is_wanted(make: Make, tmp_path: Path) -> None:
    board = make(MANY)
    node = tmp_path / "node"
    node.mkdir()
    status, output = run("--port", board.port, "--save", str(node / "config.json"))
    assert status == 0 and f"Added to {node / 'config.json'}:\n" in output
    for entry in json.loads((node / "config.json").read_bytes())["sensors"]:
        assert f"    {json.dumps(entry)}\n" in output.partition("Added to")[2]
    words = " ".join(output.split())
    assert "carry its name, as in" in words
    for command in ("config push", "provision --config"):
        assert f"fieldpost {command} {node / 'config.json'} --port {board.port}" in words
    assert len(json.loads((node / "config.json").read_bytes())["sensors"]) == 9
    status, output = run("--port", board.port, "--json", "--save", str(node))
    assert status == 0 and json.loads(output)["added"] == []
    with pytest.raises(CommandError, match="--save"):
        run("--port", board.port, str(node))


def test_named_pins_are_tried_without_resistors_and_no_other_is_touched(make: Make) -> None:
    wiring = "bench.i2c(3, 2, CommandI2C({0x76: FakeBme280(now)}), 'floating', 'floating')\n"
    board = make(wiring)
    assert run("--port", board.port)[1].count("Nothing answers") == 1
    with open_link(board.port) as link:
        link.exec("bench.driven.clear(); bench.left.clear()")
    status, output = run("--port", board.port, "--scl", "3", "--sda", "2")
    assert status == 0 and "I2C 1, SCL 3, SDA 2:\n  0x76  BME280" in output
    with open_link(board.port) as link:
        assert link.eval("sorted(bench.left)") == [2, 3]


def test_nothing_found_adds_nothing_and_says_no_more(make: Make, tmp_path: Path) -> None:
    board = make()
    status, output = run("--port", board.port, "--save", str(tmp_path))
    assert status == 0 and "it has all of it" not in output
    assert f"Nothing was found, so {tmp_path / 'config.json'} is as it was" in output
    with pytest.raises(CommandError, match=r"there is no folder .*prch"):
        run("--port", str(tmp_path / "no-board"), "--save", str(tmp_path / "prch"))


def test_a_bare_board_with_nothing_on_it_says_so_and_drives_nothing(make: Make) -> None:
    board = make()
    status, output = run("--port", board.port)
    assert status == 0 and "Nothing answers" in output and "0-22, 26-28" in output
    with open_link(board.port) as link:
        assert link.eval("len(bench.driven)") == 0
    status, output = run("--port", board.port, "--json")
    assert status == 0 and json.loads(output)["sensors"] == []


@pytest.mark.parametrize("free_after", [None, 9])
def test_a_data_line_held_low_is_reported_with_what_to_do_or_freed(
    make: Make, free_after: int | None
) -> None:
    wiring = (
        f"bench.i2c(5, 4, CommandI2C({{0x76: FakeBme280(now)}}), LOW, free_after={free_after})\n"
    )
    status, output = run("--port", make(wiring).port)
    if free_after:
        assert status == 0 and "nine clocks have freed it" in output and "BME280" in output
    else:
        assert status == 1 and "SDA (pin 4) is held low" in output and "power" in output


def test_a_clock_line_and_a_1_wire_line_held_low_are_reported(make: Make) -> None:
    wiring = (
        "bench.i2c(5, 4, CommandI2C(), scl_level=LOW)\n"
        "wire = FakeWire()\nwire.held_low = True\nbench.onewire(22, wire)\n"
    )
    named = ("--scl", "5", "--sda", "4", "--onewire", "22")
    status, output = run("--port", make(wiring).port, *named)
    assert status == 1 and "SCL (pin 5) is held low" in output and "pin 22 is held low" in output


def test_a_bus_where_everybody_answers_is_none(make: Make) -> None:
    wiring = "bench.i2c(5, 4, CommandI2C({n: FakeBh1750(now) for n in range(8, 120)}))\n"
    status, output = run("--port", make(wiring).port, "--scl", "5", "--sda", "4")
    assert status == 1 and "112 addresses answer" in output and "4.7 kOhm" in output


@pytest.mark.slow
def test_a_call_that_never_returns_ends_at_its_limit_and_the_node_runs_again(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scan, "_BUS_S", 1.0)
    board = make("bench.i2c(5, 4, Hanging())\n", main=MAIN)
    time.sleep(0.3)
    begin = time.monotonic()
    with pytest.raises(CommandError, match="did not finish within 1 s"):
        run("--port", board.port)
    assert time.monotonic() - begin < 12
    end = time.monotonic() + 5
    while (board.folder / "runs").read_text() != "xx":
        assert time.monotonic() < end, "it was not started again"
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("named", "told"),
    [
        (("--scl", "5"), "both pins"),
        (("--scl", "4", "--sda", "5"), "even number"),
        (("--scl", "5", "--sda", "2"), "even number"),
        (("--onewire", "23"), "the radio"),
        (("--onewire", "45"), "no pin 45"),
    ],
)
def test_pins_that_cannot_be_used_are_refused(
    make: Make, named: tuple[str, ...], told: str
) -> None:
    with pytest.raises(CommandError, match=told):
        run("--port", make().port, *named)


def test_of_an_esp32_neither_flash_nor_console_nor_strapping_pins_are_touched_unasked() -> None:
    for chip, forbidden in {
        "ESP32": {0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 15, 16, 17, 20, 24},
        "ESP32-S3": {0, 3, 19, 20, 26, 27, 28, 29, 30, 31, 32, 43, 44, 45, 46},
        "ESP32-C3": {2, 11, 12, 13, 14, 15, 16, 17, 18, 19},
        "RP2040": {23, 24, 25, 29},
    }.items():
        touched = {pin for pair in scan_pins.pairs(chip) for pin in pair} | {*scan_pins.free(chip)}
        assert touched and not touched & forbidden, chip
        for pin in touched:
            scan_pins.check(chip, pin)
    for pin, why in ((7, "the flash"), (1, "the console"), (34, "input only"), (24, "no pin 24")):
        with pytest.raises(CommandError, match=why):
            scan_pins.check("ESP32", pin)
    scan_pins.check("ESP32", 2)  # decides how the chip starts, and may be used


def test_every_i2c_sensor_is_a_candidate_at_its_addresses_and_no_answer_rules_it_out() -> None:
    for kind in keys_sensors.NAMES:
        for row in keys_sensors.declaration(kind).KEYS:
            if row[1] == "address":
                assert all(kind in candidates(address) for address in row[3])
    assert set(QUESTIONS) <= set(keys_sensors.NAMES)
    assert judge(0x76, {"bme280": None}).kind is None
    assert "BME680" in judge(0x76, {"bme280": b"\x61"}).what
    assert judge(0x44, {"ina219": b"\x39\x9f", "sht3x": None, "sht4x": None}).what == "INA219"
    assert judge(0x44, {"ina219": b"\xff\xff", "sht3x": b"\x00\x00\x00"}).kind is None
    assert judge(0x45, {"ina219": b"\x01\x02", "sht3x": None}).sure is False


@pytest.mark.board
@pytest.mark.timeout(90)
def test_on_the_genuine_pico_w_image_nothing_and_a_bme280_are_told_apart() -> None:
    genuine = image()
    with Emulator(genuine, files={}) as board:
        status, output = run("--port", board.console)
        assert status == 0 and "RP2040" in output and "Nothing answers" in output
    with Emulator(genuine, files={}, wired=plan(devices.parse(["bme280"]), 1)) as board:
        status, output = run("--port", board.console)
        assert status == 0 and "I2C 0, SCL 5, SDA 4:\n  0x76  BME280\n" in output
        status, output = run("--port", board.console, "--scl", "7", "--sda", "6")
        assert status == 0 and "nothing answers" in output
