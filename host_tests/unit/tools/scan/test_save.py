"""What a scan has found is added to a config.json, and nothing else in it changes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fieldpost.errors import CommandError
from fieldpost.scan.save import add
from firmware.config import check

_BME = {"type": "bme280", "bus": 0, "scl": 5, "sda": 4, "address": "0x76"}
_OTHER = {"type": "bme280", "bus": 0, "scl": 5, "sda": 4, "address": "0x77", "prefix": True}
_PROBE = {"type": "ds18x20", "pin": 22, "prefix": True}


def test_a_file_is_made_and_what_it_has_already_is_not_added_again(tmp_path: Path) -> None:
    path, added = add(tmp_path / "config.json", [_BME])
    assert added == [_BME] and json.loads(path.read_bytes()) == {"sensors": [_BME]}
    assert add(path.parent, [_BME]) == (path, [])
    assert list(path.parent.iterdir()) == [path]


def test_what_the_file_says_stays_and_the_whole_passes_the_nodes_check(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    mine = {**_BME, "name": "roof", "interval": 5}
    config = {"node": "n", "mqtt": {"host": "h"}, "sample_s": 60, "sensors": [mine]}
    del mine["interval"]
    path.write_text(json.dumps(config))
    _, added = add(path, [_BME, _OTHER, _PROBE])
    now = json.loads(path.read_bytes())
    assert now == {**config, "sensors": [mine, *added]}
    assert [one["type"] for one in added] == ["bme280", "ds18x20"]
    secrets = {"wifi": [{"ssid": "s", "password": "12345678"}]}
    assert check.check(now, secrets)[1] == []


_DHT = '{"type": "dht", "pin": 15}'
_SPREAD = '{\n\t\t\t"type": "internal"\n\t\t}'
_AROUND = '{ "node":"a]\\"}", "mqtt":{"sensors":[1]},\n\t"sensors": [\n\t\t'


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            '{"sensors": [\n    DHT\n  ],\n  "led": true, "node": "ä"}\n'.replace("DHT", _DHT),
            '{"sensors": [\n    DHT,\n    NEW\n  ],\n  "led": true, "node": "ä"}\n'.replace(
                "DHT", _DHT
            ),
        ),
        ('{"sensors":[{"type": "internal"}]}', '{"sensors":[{"type": "internal"}, NEW]}'),
        (_AROUND + _SPREAD + " ] }", _AROUND + _SPREAD + ",\n\t\tNEW ] }"),
    ],
)
def test_the_layout_of_the_file_stays(tmp_path: Path, before: str, after: str) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(before.encode())
    _, added = add(path, [_BME])
    assert path.read_bytes().decode() == after.replace("NEW", json.dumps(added[0]))


@pytest.mark.parametrize("before", ['{"node": "a"}', '{"sensors": [], "led": true}', ""])
def test_without_sensors_there_is_a_list_of_them(tmp_path: Path, before: str) -> None:
    path = tmp_path / "config.json"
    if before:
        path.write_text(before)
    add(path, [_BME])
    assert json.loads(path.read_text()) == {**json.loads(before or "{}"), "sensors": [_BME]}


def test_an_address_is_the_same_however_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"sensors": [{**_BME, "address": 118}]}))
    assert add(path, [_BME])[1] == []


@pytest.mark.parametrize("mistyped", ["prch", "prch/config.json"])
def test_a_mistyped_folder_is_not_made(tmp_path: Path, mistyped: str) -> None:
    with pytest.raises(CommandError, match=r"there is no folder .*prch"):
        add(tmp_path / mistyped, [_BME])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("text", ["{", "[]", '{"sensors": {}}', '{"sensors": [1]}'])
def test_a_file_that_is_none_is_left_as_it_is(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config.json"
    path.write_text(text)
    with pytest.raises(CommandError, match=r"config\.json"):
        add(path, [_BME])
    assert path.read_text() == text
