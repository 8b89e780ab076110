"""`fieldpost config push` on a cable: what is checked, shown, written, and said by the node."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from rigs.deploy import CONFIG, Bench
from typer.testing import CliRunner

from fieldpost.config.checked import checked_file
from fieldpost.errors import CommandError
from fieldpost.push import command as push_command

_SECRET, _OTHER = "marker-wifi-2f8a", "marker-wifi-9c1d"
# Says what a node says, by the configuration that is on its board.
_MAIN = """
import json, time
with open("/config.json") as f:
    config = json.load(f)
print("       0.1 ready: %s, boot 4" % config["node"])
failed = [one["type"] for one in config["sensors"] if one["type"] == "dht"]
if failed:
    print("       0.4 sensor dht: no answer on pin 4: is it wired?")
reading = {"temperature": 21.5}
if failed:
    reading["failed"] = failed
print("       0.5 first reading: " + json.dumps(reading))
print("       0.5 sample 0 stored")
if config["sample_s"] < 999:
    print("       0.9 delivered 1 readings in 2 round trips, 3 segments, 80 ms")
while True:
    time.sleep_ms(10)
"""
_NEW = {**CONFIG, "sample_s": 300, "sensors": [{"type": "internal"}]}


def _secrets(password: str = _SECRET) -> dict[str, Any]:
    return {"wifi": [{"ssid": "marker-net", "password": password}]}


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    (made.folder / "main.py").write_text(_MAIN)
    (made.folder / "config.json").write_text(json.dumps({**CONFIG, "sensors": [], "sample_s": 9}))
    (made.folder / "secrets.json").write_text(json.dumps(_secrets()))
    with made:
        yield made


def _node(folder: Path, config: object = _NEW, secrets: object = None) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    if secrets:
        (folder / "secrets.json").write_text(json.dumps(secrets))
    return folder


def _push(*arguments: object, command: Any = push_command.push) -> tuple[int, str]:
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(command)
    done = CliRunner().invoke(app, [str(one) for one in arguments])
    told = str(done.exception) if isinstance(done.exception, CommandError) else ""
    assert done.exception is None or told or isinstance(done.exception, SystemExit), done
    return done.exit_code, done.output + told


def test_the_change_is_shown_written_and_answered_by_a_reading(
    bench: Bench, tmp_path: Path
) -> None:
    status, said = _push(_node(tmp_path / "node"), "--port", bench.port)
    assert status == 0, said
    for part in (
        "sample_s: 9 → 300",
        'sensors.0: {"type": "internal"} (new)',
        "RP2040",
        "ready: tester, boot 4",
    ):
        assert part in said
    assert "first reading: temperature 21.5" in said and "delivered to the broker" in said
    files = bench.files()
    assert json.loads(files["config.json"]) == _NEW
    assert json.loads(files["secrets.json"]) == _secrets(), "the board keeps its own"
    made = checked_file(files["config.json"], files["secrets.json"])
    assert files["config.checked"] == made, "the board would have to check it again"


def test_a_second_push_changes_nothing_and_still_says_the_reading(
    bench: Bench, tmp_path: Path
) -> None:
    node = _node(tmp_path / "node", secrets=_secrets(_OTHER))
    assert _push(node, "--port", bench.port)[0] == 0
    status, said = _push(node, "--port", bench.port, "--json")
    told = json.loads(said[said.index("{") :])
    assert status == 0 and told["ok"], said
    assert told["changes"] == told["written"] == []
    assert told["reading"] == {"temperature": 21.5} and told["delivered"]


@pytest.mark.slow
def test_no_secret_is_told(bench: Bench, tmp_path: Path) -> None:
    for number, arguments in enumerate(((), ("--json",), ("--dry-run",))):
        node = _node(tmp_path / f"n{number}", secrets=_secrets(f"{_OTHER}{number}"))
        status, said = _push(node, "--port", bench.port, *arguments)
        assert status == 0, said
        assert "marker-" not in said.replace(str(tmp_path), "")
        assert "secrets.json wifi.0.password" in said


def test_a_dry_run_writes_nothing_and_the_node_runs_on(bench: Bench, tmp_path: Path) -> None:
    before = bench.files()
    status, said = _push(_node(tmp_path / "node"), "--port", bench.port, "--dry-run")
    assert status == 0 and "sample_s: 9 → 300" in said and "nothing was written" in said
    assert bench.files() == before


@pytest.mark.parametrize(
    ("config", "word"),
    [
        ({**_NEW, "sample_z": 1}, "sample_z"),
        ({**_NEW, "sensors": [{"type": "dht", "pin": 23}]}, "radio"),
        ({**_NEW, "sensors": [{"type": "bme280", "scl": 4, "sda": 5}]}, "SCL"),
        ({**_NEW, "mqtt": {"host": "h", "tls": {"ca_file": "ca.pem"}}}, "beside"),
    ],
)
def test_what_that_board_cannot_be_is_refused_before_anything_is_written(
    bench: Bench, tmp_path: Path, config: object, word: str
) -> None:
    before = bench.files()
    status, said = _push(_node(tmp_path / "node", config), "--port", bench.port)
    assert status == 1 and word in said, said
    assert bench.files() == before


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({**_NEW, "sample_seconds": 1}, "sample_seconds: unknown key"),
        ({**_NEW, "sensors": [{"type": "bme280"}], "board": "pico-w"}, "SCL 5 and SDA 4"),
        (
            {**_NEW, "sensors": [{"type": "dht", "pin": 15}, {"type": "ds18x20", "pin": 16}]},
            'sensors[1]: publishes "temperature" as sensors[0] does',
        ),
        ({**_NEW, "board": "pico-w", "sensors": [{"type": "dht", "pin": 23}]}, "the radio"),
    ],
)
def test_what_no_board_could_be_is_said_without_asking_one(
    tmp_path: Path, config: object, said: str
) -> None:
    node = _node(tmp_path / "node", config)
    status, told = _push(node, "--port", tmp_path / "no-board", "--wait", "0")
    assert status == 1 and said in told, told
    assert "config.json has errors:" in told and "this board" not in told


def test_a_loopback_broker_and_a_driver_that_is_not_there_are_warned_of(
    bench: Bench, tmp_path: Path
) -> None:
    sensors = [{"type": "driver", "driver": "tmp117:TMP117", "scl": 5, "sda": 4}]
    config = {**_NEW, "mqtt": {"host": "127.0.0.1"}, "sensors": sensors}
    _, said = _push(_node(tmp_path / "node", config), "--port", bench.port, "--dry-run")
    assert "is the board itself" in said and "tmp117 is not on the board" in said
    (bench.folder / "lib").mkdir()
    (bench.folder / "lib" / "tmp117.mpy").touch()
    _, said = _push(_node(tmp_path / "node", config), "--port", bench.port, "--dry-run")
    assert "tmp117 is not on the board" not in said


def test_a_login_that_a_new_broker_would_get_is_warned_of(bench: Bench, tmp_path: Path) -> None:
    login = {"mqtt": {"user": "marker-user", "password": "marker-login"}}
    (bench.folder / "secrets.json").write_text(json.dumps({**_secrets(), **login}))
    node = _node(tmp_path / "node", {**_NEW, "mqtt": {"host": "other"}})
    _, said = _push(node, "--port", bench.port, "--dry-run")
    assert "the login on the board" in said and "marker-" not in said
    node = _node(tmp_path / "node", secrets=_secrets())
    _, said = _push(node, "--port", bench.port, "--dry-run")
    assert "the login on the board" not in said


def test_certificates_beside_the_file_go_with_it(bench: Bench, tmp_path: Path) -> None:
    config = {**_NEW, "mqtt": {"host": "h", "tls": {"ca_file": "ca.pem"}}}
    node = _node(tmp_path / "node", config)
    (node / "ca.pem").write_text("-----BEGIN CERTIFICATE-----")
    status, said = _push(node, "--port", bench.port)
    assert status == 0 and "ca.pem: the file beside config.json (new)" in said, said
    assert bench.files()["ca.pem"].startswith(b"-----BEGIN")
    _, said = _push(node, "--port", bench.port, "--dry-run")
    assert "nothing to change" in said


def test_a_sensor_that_does_not_answer_is_named_and_the_status_tells(
    bench: Bench, tmp_path: Path
) -> None:
    config = {**_NEW, "sensors": [{"type": "internal"}, {"type": "dht", "pin": 4}]}
    status, said = _push(_node(tmp_path / "node", config), "--port", bench.port)
    assert status == 1 and "no values from dht" in said and "is it wired?" in said, said
    status, said = _push(_node(tmp_path / "node", config), "--port", bench.port, "--json")
    assert status == 1 and not json.loads(said[said.index("{") :])["ok"]


def test_a_reading_that_no_broker_takes_is_told_as_waiting(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fieldpost.node_start.watch._DELIVERY_S", 0.5)
    config = {**_NEW, "sample_s": 999}
    status, said = _push(_node(tmp_path / "node", config), "--port", bench.port)
    assert status == 0 and "it waits on the node" in said, said


def test_a_board_without_firmware_gets_the_files_and_the_next_step(
    bench: Bench, tmp_path: Path
) -> None:
    (bench.folder / "main.py").unlink()
    (bench.folder / "secrets.json").unlink()
    status, said = _push(_node(tmp_path / "node"), "--port", bench.port)
    assert status == 1 and "fieldpost provision" in said
    node = _node(tmp_path / "node", secrets=_secrets())
    status, said = _push(node, "--port", bench.port)
    assert status == 0 and "fieldpost deploy" in said
    assert json.loads(bench.files()["config.json"]) == _NEW


def test_a_change_that_was_on_trial_does_not_come_back(bench: Bench, tmp_path: Path) -> None:
    (bench.folder / "trial.json").write_text('{"id": "1", "key": "led", "old": "{}"}')
    assert _push(_node(tmp_path / "node"), "--port", bench.port)[0] == 0
    assert "trial.json" not in bench.files()


@pytest.mark.slow
def test_pull_copies_the_configuration_without_a_secret_and_pushing_it_changes_nothing(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    pull = push_command.pull
    status, said = _push("--port", bench.port, command=pull)
    assert status == 0 and "tester/config.json" in said
    assert [one.name for one in (tmp_path / "tester").iterdir()] == ["config.json"]
    assert "nothing to change" in _push("tester", "--port", bench.port, "--dry-run")[1]
    _node(tmp_path / "tester")
    status, said = _push("--port", bench.port, command=pull)
    assert status == 1 and "--force" in said
    assert "stopped to be asked, and is started again" in said
    assert json.loads((tmp_path / "tester" / "config.json").read_text()) == _NEW
    status, said = _push("--port", bench.port, "--force", "--json", command=pull)
    assert status == 0 and json.loads(said)["changed"]
    (bench.folder / "config.json").write_text('{"node": "x", "mqtt": {"password": "marker-x"}}')
    assert _push("other", "--port", bench.port, command=pull)[0] == 0
    assert "marker-" not in (tmp_path / "other" / "config.json").read_text()
