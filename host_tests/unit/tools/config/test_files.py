"""What the host promises about a node's files: errors with their place."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from fieldpost.config import files as config_files
from fieldpost.config import report
from fieldpost.config.reference import DOCUMENT
from firmware.config import keys as schema

GOOD = '{"node": "n", "mqtt": {"host": "h"}}'
SECRETS = '{"wifi": [{"ssid": "home", "password": "hunter2-X"}], "mqtt": {"user": "me"}}'

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write_files(config: str | bytes, secrets: str | bytes = SECRETS) -> Path:
        for name, content in (("config.json", config), ("secrets.json", secrets)):
            raw = content.encode() if isinstance(content, str) else content
            (tmp_path / name).write_bytes(raw)
        return tmp_path / "config.json"

    return write_files


def test_the_pair_of_files_is_read(write: Write) -> None:
    path = write(GOOD)
    settings, errors = config_files.load(path)
    assert errors == []
    assert settings is not None
    assert settings["wifi"]["networks"] == [("home", "hunter2-X")]
    assert config_files.load(path.parent) == (settings, [])


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('{\n "node": "n"\n "mqtt": {}}', "config.json line 3, column 2: not JSON: Expecting ','"),
        ("{'node': 1}", "config.json line 1, column 2: not JSON: Expecting property name"),
        ('{"node": "n"} // x', "(JSON has no comments)"),
        ('{"node": "n",}', "(no comma after the last one)"),
        ("{'node': 1}", '(texts stand in "double quotes")'),
        ("", "(the file is empty)"),
        (b'{"node": "\xff"}', "config.json: byte 11 is not UTF-8"),
        (b"\xef\xbb\xbf{}", "config.json: begins with a byte order mark"),
        ('{"sample_s": NaN}', "config.json: NaN is no JSON value"),
        ('{"node": "a", "node": "b"}', "config.json: a key stands twice in one object: node"),
        ("[" * 60_000, "config.json: not JSON for a node: nested too deep"),
        ('{"sample_s": ' + "9" * 5000 + "}", "config.json: not JSON for a node: a number has"),
    ],
)
def test_what_is_not_json_is_one_error_with_its_place(
    write: Write, content: str | bytes, expected: str
) -> None:
    settings, errors = config_files.load(write(content))
    assert settings is None
    assert len(errors) == 1
    assert expected in errors[0]


def test_an_unreadable_file_hides_no_error_in_the_other(write: Write) -> None:
    _, errors = config_files.load(write("{", '{"wifi": 5}'))
    assert [error.split(":")[0] for error in errors] == [
        "config.json line 1, column 2",
        "secrets.json wifi",
    ]
    _, errors = config_files.load(write('{"node": 5}', "{"))
    assert [error.split(":")[0] for error in errors] == [
        "node",
        "mqtt.host",
        "secrets.json line 1, column 2",
    ]


def test_missing_files_are_named_with_what_to_create(tmp_path: Path) -> None:
    _, errors = config_files.load(tmp_path)
    assert len(errors) == 2
    assert errors[0].startswith(f"config.json: missing; create {tmp_path / 'config.json'}")
    assert errors[1].startswith(f"secrets.json: missing; create {tmp_path / 'secrets.json'}")
    template = errors[1][errors[1].index("{") : errors[1].rindex("}") + 1]
    assert set(json.loads(template)) == {row[0] for row in schema.SECRETS}


@pytest.mark.parametrize(
    ("config", "meant"),
    [
        ('{"sample_seconds": 4}', 'sample_seconds: unknown key; did you mean "sample_s"?'),
        ('{"mqtt": {"hostname": "h"}}', 'mqtt.hostname: unknown key; did you mean "host"?'),
        ('{"sensors": [{"type": "dht", "pins": 4}]}', 'pins: unknown key; did you mean "pin"?'),
        ('{"xyzzy": 4}', "xyzzy: unknown key; allowed: node, "),
    ],
)
def test_the_key_that_is_meant_is_named(write: Write, config: str, meant: str) -> None:
    assert any(meant in error for error in config_files.load(write(config))[1])


@pytest.mark.parametrize("name", ["nope", "nope/config.json"])
def test_a_folder_that_is_not_there_is_one_error(tmp_path: Path, name: str) -> None:
    assert config_files.load(tmp_path / name) == (
        None,
        [f"there is no folder {tmp_path / 'nope'}"],
    )


def test_a_folder_in_place_of_a_file_is_an_error(tmp_path: Path, write: Write) -> None:
    path = write(GOOD)
    path.with_name("secrets.json").unlink()
    path.with_name("secrets.json").mkdir()
    assert config_files.load(path)[1][0].startswith("secrets.json: cannot read")


@pytest.mark.parametrize(
    "secrets",
    [
        SECRETS[:-1],
        SECRETS.replace('"me"', "hunter2-X"),
        '{"hunter2-X": 1, "hunter2-X": 2}',
        '{"wifi": [{"ssid": "home", "password": "hunter2-X", "password": "hunter2-X"}]}',
        SECRETS.replace("}]", "}, {}]"),
    ],
)
@pytest.mark.parametrize("as_json", [False, True])
def test_nothing_printed_shows_a_secret(
    write: Write, secrets: str, as_json: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    assert report.check_and_tell(write(GOOD, secrets), as_json) == 1
    printed = capsys.readouterr()
    assert "secrets.json" in printed.out
    assert "hunter2" not in printed.out + printed.err


def test_the_check_command_tells_what_a_good_node_comes_to(
    write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(GOOD)
    assert report.check_and_tell(path, as_json=False) == 0
    printed = capsys.readouterr().out
    assert "h:1883, with a login" in printed
    assert report.check_and_tell(path, as_json=True) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["ok"] is True
    assert result["settings"]["wifi"]["networks"] == 1
    assert result["settings"]["mqtt"]["user"] == "(set)"
    assert result["settings"]["mqtt"]["password"] is None


def test_the_board_in_the_file_needs_no_option_and_one_that_is_given_comes_first(
    write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    sensors = [{"type": "dht", "pin": 23}]
    node = {"node": "n", "board": "ESP32-S3", "mqtt": {"host": "h"}, "sensors": sensors}
    path = write(json.dumps(node))
    assert report.check_and_tell(path, as_json=False) == 1
    assert "the ESP32-S3 has no pin 23" in capsys.readouterr().out
    assert report.check_and_tell(path, as_json=False, board="esp32") == 0
    assert "fit the ESP32" in capsys.readouterr().out


@pytest.mark.parametrize("host", ["localhost", "LocalHost", "127.0.0.1", "127.1.2.3"])
def test_a_broker_that_is_the_board_itself_is_warned_of(
    host: str, write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    """On a desk it may be meant; on a board nobody ever answers there."""
    path = write(json.dumps({"node": "n", "mqtt": {"host": host}}))
    assert report.check_and_tell(path, as_json=False) == 0
    assert f"mqtt.host: {host} is the board itself" in capsys.readouterr().out
    assert report.check_and_tell(path, as_json=True) == 0
    assert [one for one in json.loads(capsys.readouterr().out)["warnings"] if host in one]
    report.check_and_tell(write('{"node": "n", "mqtt": {"host": "127host"}}'), as_json=False)
    assert "the board itself" not in capsys.readouterr().out


def test_a_folder_for_the_desk_is_told_that_all_else_in_it_is_right_or_what_is_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def check(config: str) -> str:
        (tmp_path / "config.json").write_text(config)
        assert report.check_and_tell(tmp_path, as_json=False, board="esp32-s3") == 1
        return capsys.readouterr().out

    right = check('{"sensors": [{"type": "internal"}]}')
    assert "node: missing" in right and "secrets.json" not in right
    assert f"All else in it is right, and `fieldpost run {tmp_path}` runs it" in right
    assert "config push" not in right
    for sensor, why in ("dhr", 'found "dhr"'), ("dht", "no pin 23"):
        wrong = check(json.dumps({"sensors": [{"type": sensor, "pin": 23}]}))
        assert why in wrong and "node: missing" in wrong and "All else" not in wrong


def test_secrets_that_config_pull_left_on_the_board_are_said_not_to_be_checked(
    write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(GOOD)
    path.with_name("secrets.json").unlink()
    assert report.check_and_tell(path, as_json=False) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "secrets.json is not here, and was not checked" in said and "a login" not in said
    assert report.check_and_tell(path, as_json=True) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["ok"] and not told["secrets_checked"] and not told["errors"]
    assert told["settings"]["wifi"]["networks"] is None
    path.write_text('{"node": 5, "mqtt": {"host": "h"}}')
    assert report.check_and_tell(path, as_json=True) == 1
    assert len(json.loads(capsys.readouterr().out)["errors"]) == 1
    path.unlink()
    assert report.check_and_tell(path.parent, as_json=True) == 1
    assert "config.json: missing" in capsys.readouterr().out


def test_the_check_command_prints_each_error_whole(
    write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write('{"node": "n", "mqtt": {"host": "h"}, "sensors": [{"type": "dhr"}]}')
    assert report.check_and_tell(path, as_json=False) == 1
    printed = capsys.readouterr().out
    assert '✗ sensors[0].type: found "dhr"' in printed
    assert "1 error." in printed
    assert report.check_and_tell(path, as_json=True) == 1
    result = json.loads(capsys.readouterr().out)
    assert result["ok"] is False
    assert result["settings"] is None
    assert len(result["errors"]) == 1


def test_the_documents_examples_are_without_errors(write: Write) -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    blocks = [part.partition("```")[0] for part in text.split("```json\n")[1:]]
    assert len(blocks) == 3
    shortest, secrets, two_sensors = blocks
    for config in (shortest, two_sensors):
        assert config_files.load(write(config, secrets))[1] == []
