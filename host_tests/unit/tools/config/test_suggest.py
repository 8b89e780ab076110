"""A pin that is missing is said with some that fit, wherever the board is known."""

import json
from pathlib import Path
from typing import Any

import pytest

from fieldpost.config import files, pins, reference, report
from fieldpost.config.suggest import with_pins
from firmware.config import check

SECRETS = {"wifi": [{"ssid": "home", "password": "correct horse"}]}


def errors(board: str, *sensors: Any) -> dict[str, str]:
    """By the end of its key, what is said of each pin."""
    config = {"node": "n", "mqtt": {"host": "h"}, "sensors": list(sensors)}
    found = with_pins(check.check(config, SECRETS)[1], config, pins.chip_named(board))
    return {one.split(":")[0].rpartition(".")[2]: one for one in found}


@pytest.mark.parametrize(
    ("board", "sensors", "key", "said"),
    [
        ("pico-w", [{"type": "bme280"}], "scl", "; on the Pico W SCL 5 and SDA 4, for instance"),
        ("pico-w", [{"type": "bme280"}], "sda", "; on the Pico W SCL 5 and SDA 4, for instance"),
        ("pico-w", [{"type": "bme280", "bus": 1}], "scl", "SCL 3 and SDA 2, for instance"),
        ("esp32", [{"type": "bme280"}], "scl", "; on the ESP32 SCL 22 and SDA 21, for instance"),
        ("esp32-c3", [{"type": "sht3x"}], "scl", "SCL 7 and SDA 6, for instance"),
        ("pico-w", [{"type": "soil"}], "pin", "; on the Pico W 26, 27, 28, for instance"),
        ("pico-w", [{"type": "dht"}], "pin", "; on the Pico W 0, 1, 2, 3, for instance"),
        ("pico-w", [{"type": "dht"}, {"type": "ds18x20", "pin": 0}], "pin", " 1, 2, 3, 6, for "),
        ("esp32", [{"type": "hcsr04"}], "trigger", "; on the ESP32 4, 13, 14, 18, for instance"),
        ("pico-w", [{"type": "pms5003"}], "tx", "; on the Pico W 8, 20, for instance"),
        (
            "pico-w",
            [{"type": "bme280"}, {"type": "bh1750", "scl": 9, "sda": 8}],
            "scl",
            "SCL 9 and SDA 8, for instance",
        ),
        (
            "pico-w",
            [{"type": "bme280"}, {"type": "dht", "pin": 5}],
            "scl",
            "SCL 1 and SDA 0, for instance",
        ),
    ],
)
def test_each_missing_pin_comes_with_some_that_fit_the_board(
    board: str, sensors: list[Any], key: str, said: str
) -> None:
    assert said in errors(board, *sensors)[key]


def test_the_usual_pins_of_every_chip_pass_its_own_check() -> None:
    for chip in pins.CHIPS.values():
        assert chip.i2c_pins
        for scl, sda in chip.i2c_pins:
            one = {"type": "bme280", "scl": scl, "sda": sda}
            buses = [{**one, "bus": bus} for bus in range(chip.buses)]
            config = {"node": "n", "mqtt": {"host": "h"}}
            assert any(
                not pins.of_config({**config, "sensors": [bus]}, chip)[0] for bus in buses
            ), (chip.name, scl, sda)


@pytest.mark.parametrize("config", [None, [], {"board": 5}, {"board": "own-thing"}, {}])
def test_a_board_that_nobody_knows_changes_no_error(config: Any) -> None:
    assert files.advised(["sensors[0].scl: missing, must be a GPIO number"], config) == [
        "sensors[0].scl: missing, must be a GPIO number"
    ]


def told(folder: Path, capsys: pytest.CaptureFixture[str], config: Any, *board: str) -> str:
    (folder / "config.json").write_text(json.dumps(config))
    assert report.check_and_tell(folder, False, *board) == 1
    return capsys.readouterr().out


def test_the_check_takes_the_board_from_the_option_or_the_file_and_says_what_a_board_would_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config: dict[str, Any] = {"sensors": [{"type": "bme280"}]}
    bare = told(tmp_path, capsys, config)
    assert "for instance" not in bare and '"board": "pico-w"' in bare
    for said in (
        told(tmp_path, capsys, config, "pico-w"),
        told(tmp_path, capsys, {**config, "board": "pico-w"}),
    ):
        assert "SCL 5 and SDA 4" in said and '"board": "pico-w"' not in said


def test_a_folder_for_the_desk_is_told_how_it_gets_to_a_board(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wired = {"type": "bme280", "scl": 5, "sda": 4}
    said = told(tmp_path, capsys, {"sensors": [wired]})
    assert "fieldpost provision --config" in said
    assert "fieldpost provision" not in told(tmp_path, capsys, {"sensors": [wired], "led": 5})


def test_the_reference_of_a_sensor_on_i2c_names_pins(capsys: pytest.CaptureFixture[str]) -> None:
    assert reference.show_command(False, "bme280") == 0
    assert "5 and 4 on Pico W, Pico 2 W" in " ".join(capsys.readouterr().out.split())
    assert reference.show_command(False, "dht") == 0
    assert "For instance" not in capsys.readouterr().out
