"""Pins that a board has not got, or not free, are errors with the reason before anything runs."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from fieldpost.config import pins, report
from fieldpost.deploy import deployment
from fieldpost.deploy.survey import Survey
from fieldpost.errors import CommandError
from fieldpost.flash.catalogue import load
from fieldpost.fleet import board as fleet_board
from fieldpost.fleet.file import Firmware, Node
from fieldpost.provision import node_files

SECRETS: dict[str, Any] = {"wifi": [{"ssid": "home", "password": "correct horse"}]}


def said(board: str, *sensors: Any, **top: Any) -> tuple[list[str], list[str]]:
    found = {"node": "n", "mqtt": {"host": "h"}, "sensors": list(sensors), **top}
    settings, errors = pins.schema_check.check(found, SECRETS)
    assert errors == []
    assert settings is not None
    return pins.check(settings, pins.chip_named(board))


def i2c(scl: int, sda: int, bus: int = 0) -> dict[str, Any]:
    return {"type": "bme280", "bus": bus, "scl": scl, "sda": sda}


def uart(number: int, tx: int, rx: int) -> dict[str, Any]:
    return {"type": "pms5003", "uart": number, "tx": tx, "rx": rx}


def ultrasound(trigger: int, echo: int) -> dict[str, Any]:
    return {"type": "hcsr04", "trigger": trigger, "echo": echo}


DOOR = {"type": "digital", "pull": "up"}
WIFI = "is measured by the converter (ADC2) that Wi-Fi takes: use one of"


@pytest.mark.parametrize(
    ("board", "sensor", "expected"),
    [
        ("esp32", {"type": "dht", "pin": 24}, "pin: the ESP32 has no pin 24"),
        ("esp32", {"type": "dht", "pin": 9}, "pin: pin 9 of the ESP32 is the flash memory's"),
        ("esp32", {"type": "analog", "pin": 25}, f"pin: pin 25 of the ESP32 {WIFI} 32, 33"),
        ("esp32", {"type": "soil", "pin": 18}, "pin: pin 18 of the ESP32 is no analogue input"),
        ("esp32", {"type": "ds18x20", "pin": 34}, "pin: pin 34 of the ESP32 is an input only"),
        ("esp32", i2c(36, 21), "scl: pin 36 of the ESP32 is an input only"),
        ("esp32", ultrasound(39, 35), "trigger: pin 39 of the ESP32 is an input only"),
        ("esp32", DOOR | {"pin": 35}, "pull: pin 35 of the ESP32 has neither pull-up nor"),
        ("esp32-s2", {"type": "analog", "pin": 12}, f"pin: pin 12 of the ESP32-S2 {WIFI} 1, 2"),
        ("esp32-s2", {"type": "dht", "pin": 46}, "pin: pin 46 of the ESP32-S2 is an input only"),
        ("esp32-s2", uart(2, 5, 6), "uart: the ESP32-S2 has no UART 2"),
        ("esp32-s3", {"type": "dht", "pin": 23}, "pin: the ESP32-S3 has no pin 23"),
        ("esp32-s3", {"type": "dht", "pin": 30}, "pin: pin 30 of the ESP32-S3 is the flash"),
        ("esp32-c3", {"type": "analog", "pin": 5}, "pin: pin 5 of the ESP32-C3 is measured by a"),
        ("esp32-c3", {"type": "dht", "pin": 19}, "pin: pin 19 of the ESP32-C3 is the USB port's"),
        ("esp32-c3", i2c(5, 6, 1), "bus: the ESP32-C3 has no I2C bus 1"),
        ("esp32-c6", {"type": "dht", "pin": 26}, "pin: pin 26 of the ESP32-C6 is the flash"),
        ("esp32-c6", {"type": "analog", "pin": 7}, "pin: pin 7 of the ESP32-C6 is no analogue in"),
        ("pico_w", {"type": "dht", "pin": 30}, "pin: the RP2040 has no pin 30"),
        ("pico_w", {"type": "dht", "pin": 23}, "pin: pin 23 of the RP2040 belongs to the radio"),
        ("pico_w", {"type": "supply", "pin": 29}, "pin: pin 29 of the RP2040 belongs to the rad"),
        ("pico_w", {"type": "analog", "pin": 22}, "pin: pin 22 of the RP2040 is no analogue inp"),
        ("pico_w", i2c(4, 5), "scl: pin 4 of the RP2040 cannot be SCL of I2C bus 0: use one of 1"),
        ("pico_w", i2c(7, 4), "scl: pin 7 of the RP2040 cannot be SCL of I2C bus 0: use one of"),
        (
            "pico_w",
            uart(1, 6, 9),
            "tx: pin 6 of the RP2040 cannot be TX of UART 1: use one of 4, 8",
        ),
        ("pico_w", uart(2, 4, 5), "uart: the RP2040 has no UART 2"),
        ("pico2_w", uart(1, 7, 11), "tx: pin 7 of the RP2350 cannot be TX of UART 1: use one of"),
    ],
)
def test_what_a_pin_cannot_do_is_an_error_with_the_reason(
    board: str, sensor: Any, expected: str
) -> None:
    errors, _ = said(board, sensor)
    assert errors
    assert errors[0].startswith("sensors[0]." + expected)


@pytest.mark.parametrize(
    ("board", "sensors"),
    [
        (
            "esp32",
            [i2c(22, 21), {"type": "analog", "pin": 34}, ultrasound(18, 39), uart(2, 27, 26)],
        ),
        ("esp32-s2", [i2c(9, 8), {"type": "analog", "pin": 10}, uart(1, 17, 18)]),
        ("esp32-s3", [i2c(9, 8), {"type": "analog", "pin": 10}, {"type": "dht", "pin": 48}]),
        ("esp32-c3", [i2c(5, 6), {"type": "analog", "pin": 4}]),
        ("esp32-c6", [i2c(22, 23), {"type": "analog", "pin": 6}]),
        ("pico_w", [i2c(1, 0), {"type": "analog", "pin": 28}, uart(1, 4, 5)]),
        ("pico2_w", [i2c(19, 18, 1), {"type": "analog", "pin": 26}, uart(1, 6, 7)]),
    ],
)
def test_what_a_board_can_do_passes_without_a_word(board: str, sensors: list[Any]) -> None:
    named = [one | {"name": f"n{i}", "prefix": True} for i, one in enumerate(sensors)]
    assert said(board, *named) == ([], [])


@pytest.mark.parametrize(
    ("board", "sensor", "expected"),
    [
        ("esp32", {"type": "dht", "pin": 12}, "decides at each start how the chip boots"),
        ("esp32", {"type": "dht", "pin": 16}, "PSRAM"),
        ("esp32", uart(0, 27, 26), "console"),
        ("esp32", {"type": "pulses", "pin": 34}, "no pull-up of its own"),
        ("esp32-c6", {"type": "dht", "pin": 8}, "decides at each start"),
        ("esp32-s3", {"type": "dht", "pin": 20}, "USB"),
    ],
)
def test_what_may_work_and_may_not_is_a_warning(board: str, sensor: Any, expected: str) -> None:
    errors, warnings = said(board, sensor)
    assert errors == []
    assert len(warnings) == 1
    assert expected in warnings[0]


@pytest.mark.parametrize("key", ["awake_pin", "setup_pin"])
def test_the_pin_of_a_button_is_checked_like_any_other(key: str) -> None:
    assert said("esp32", **{key: 36})[0] == [
        f"{key}: pin 36 of the ESP32 has neither pull-up nor pull-down: use another pin"
    ]
    assert said("pico_w", **{key: 25})[0][0].startswith(f"{key}: pin 25 of the RP2040 belongs")


def test_every_image_that_can_be_flashed_has_its_pins_known() -> None:
    for entry in load():
        assert pins.chip_named(entry.board).name == entry.chip


def test_a_board_that_is_not_known_is_told_which_are() -> None:
    with pytest.raises(CommandError, match="pico-w, pico-2-w, esp32, esp32-s2"):
        pins.chip_named("uno")


def test_the_check_command_fails_by_the_pins_of_the_board_that_it_is_given(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = {"node": "n", "mqtt": {"host": "h"}, "sensors": [i2c(22, 21)]}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "secrets.json").write_text(json.dumps(SECRETS))
    assert report.check_and_tell(tmp_path, False, "esp32") == 0
    assert "fit the ESP32" in capsys.readouterr().out
    assert report.check_and_tell(tmp_path, False) == 0
    assert "not checked" in capsys.readouterr().out
    assert report.check_and_tell(tmp_path, True, "pico_w") == 1
    result = json.loads(capsys.readouterr().out)
    assert result["ok"] is False
    assert len(result["errors"]) == 2


def test_no_files_are_made_for_a_board_whose_pins_they_do_not_fit() -> None:
    answers = node_files.Answers("home", "correct horse", "mqtt://h", "n")
    config = {"sensors": [i2c(22, 21)]}
    chip = pins.chip_named("pico_w")
    with pytest.raises(CommandError, match=r"sensors\[0\].scl: pin 22 of the RP2040 cannot be"):
        node_files.make(answers, None, config, chip=chip)
    assert node_files.make(answers, None, config).config["node"] == "n"


class PicoW:
    """A link to one."""

    def exec(self, code: str, limit_s: float) -> bytes:
        return b"Raspberry Pi Pico W with RP2040\r\n"


def test_a_deployment_warns_of_what_the_board_was_configured_for_and_cannot_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = {"node": "n", "mqtt": {"host": "h"}, "sensors": [i2c(22, 21)]}
    text = json.dumps(config).encode()
    link: Any = PicoW()
    bare = Survey("rp2", 6, "1.25.0", None, False, {}, frozenset())
    monkeypatch.setattr(deployment.board_files, "read_file", lambda link, path: text)
    assert len(deployment._misfits(link, bare)) == 2
    # What the survey has brought along is not asked for again.
    machine = "Raspberry Pi Pico W with RP2040"
    seen = dataclasses.replace(bare, machine=machine, texts={"/config.json": text})
    assert deployment._misfits(None, seen) == deployment._misfits(link, bare)  # type: ignore[arg-type]
    text = b"{"
    assert deployment._misfits(link, bare) == []


def test_a_fleets_board_is_left_alone_if_its_configuration_does_not_fit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fleet_board.deploy_survey, "survey", lambda link: None)
    config = {"node": "n", "mqtt": {"host": "h"}, "sensors": [i2c(22, 21)]}
    node = Node("id", "n", Firmware(), config, SECRETS, {})
    with pytest.raises(CommandError, match="does not fit the board"):
        fleet_board._difference(PicoW(), node, fleet_board.Source())  # type: ignore[arg-type]


def test_a_pin_that_cannot_wake_a_sleeping_board_is_refused_before_it_is_deployed() -> None:
    rain = {"type": "pulses", "pin": 10}
    errors, _ = said("esp32-c3", rain, mode="duty_cycle")
    assert any("cannot wake an ESP32C3 from deep sleep" in one for one in errors)
    assert said("esp32-c3", rain)[0] == said("pico_w", rain, mode="duty_cycle")[0] == []
