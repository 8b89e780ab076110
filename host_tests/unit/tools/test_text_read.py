"""Text that people write is read as they meant it: byte order marks, characters beyond 16 bits."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fieldpost.config import files
from fieldpost.errors import CommandError
from fieldpost.fleet import file as fleet_file
from fieldpost.provision import node_files

BOM = "\ufeff"


def test_a_byte_order_mark_is_no_part_of_answers_or_passwords(tmp_path: Path) -> None:
    answers = tmp_path / "answers.toml"
    answers.write_text(BOM + 'ssid = "net"\n', encoding="utf-8")
    assert node_files.read_answers(answers).ssid == "net"
    answers = tmp_path / "answers.json"
    answers.write_text(BOM + '{"ssid": "net"}', encoding="utf-8")
    assert node_files.read_answers(answers).ssid == "net"
    reader = fleet_file._Reader(tmp_path)
    (tmp_path / "password").write_text(BOM + "pass word\r\n", encoding="utf-8")
    assert reader._read(tmp_path / "password", "x") == "pass word" and not reader.errors
    fleet = tmp_path / "fleet.toml"
    fleet.write_text(BOM + "node = 1\n", encoding="utf-8")
    with pytest.raises(CommandError) as caught:
        fleet_file.load(fleet)
    assert "not TOML" not in str(caught.value)


@pytest.mark.parametrize("ssid", ["K\U0001f600", "\U0001f600"])
def test_a_character_in_two_halves_is_refused_in_a_file_for_a_board(ssid: str) -> None:
    config = json.dumps({"node": "n", "mqtt": {"host": "10.0.0.1"}}).encode()
    told = {"wifi": [{"ssid": ssid, "password": "x" * 8}]}
    _, errors = files.check_bytes(config, json.dumps(told).encode())
    assert any("write the character itself" in error for error in errors)
    _, errors = files.check_bytes(config, json.dumps(told, ensure_ascii=False).encode())
    assert errors == []
    told["wifi"][0]["ssid"] = "a\\ud83d\\ude00"  # a backslash, and letters
    assert files.check_bytes(config, json.dumps(told).encode())[1] == []
