"""A node's files are made of a few answers, by the firmware's schema; no secret is ever shown."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from rigs.deploy import Bench
from rigs.update_keys import make_keys
from typer.testing import CliRunner

from fieldpost.config import files as config_files
from fieldpost.errors import CommandError
from fieldpost.mqtt.tls import ClientFiles
from fieldpost.paths import ROOT
from fieldpost.provision import command as provision_command
from fieldpost.provision import node_files
from fieldpost.provision.node_files import Answers

_WIFI_SECRET, _BROKER_SECRET = "marker-wifi-2f8a", "marker-broker-9c1d"
_ANSWERS = {
    "ssid": "greenhouse",
    "password": _WIFI_SECRET,
    "broker": f"mqtt://node:{_BROKER_SECRET}@192.168.1.10",
    "node": "bench-1",
}


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with Bench(tmp_path) as bench:
        yield bench


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in node_files.VARIABLES.values():
        monkeypatch.delenv(name, raising=False)


def _run(*arguments: str) -> tuple[int, str]:
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(provision_command.provision)
    done = CliRunner().invoke(app, list(arguments))
    told = str(done.exception) if isinstance(done.exception, CommandError) else ""
    assert done.exception is None or told or isinstance(done.exception, SystemExit), done
    return done.exit_code, done.output + told


def _file(folder: Path, **changes: str) -> Path:
    path = folder / "answers.json"
    path.write_text(json.dumps({**_ANSWERS, **changes}))
    return path


def test_files_without_a_board_are_valid_and_the_secret_one_is_private(tmp_path: Path) -> None:
    status, said = _run("--from", str(_file(tmp_path)), "--to", str(tmp_path / "node"))
    assert status == 0, said
    settings, errors = config_files.load(tmp_path / "node")
    assert settings and not errors
    assert settings["mqtt"]["user"] == "node"
    assert settings["wifi"]["networks"] == [("greenhouse", _WIFI_SECRET)]
    mode = (tmp_path / "node" / "secrets.json").stat().st_mode
    assert stat.S_IMODE(mode) == 0o600
    assert "marker-" not in (tmp_path / "node" / "config.json").read_text()


def test_tools_7_no_secret_is_printed_whatever_happens(tmp_path: Path, bench: Bench) -> None:
    port = str(bench.port)
    attempts = [
        ("--from", str(_file(tmp_path)), "--to", str(tmp_path / "a")),
        ("--from", str(_file(tmp_path)), "--to", str(tmp_path / "b"), "--json"),
        ("--from", str(_file(tmp_path)), "--port", port),
        ("--from", str(_file(tmp_path)), "--port", str(tmp_path / "none"), "--wait", "0"),
    ]
    for number, changes in enumerate(
        (
            {"node": "Not A Name"},
            {"password": "short" + _WIFI_SECRET * 9},
            {"broker": f"node:{_BROKER_SECRET}@192.168.1.10"},
            {"broker": f"mqtt://node:{_BROKER_SECRET}@192.168.1.10/{_WIFI_SECRET}"},
            {_WIFI_SECRET: "as a key"},
        )
    ):
        folder = tmp_path / f"wrong{number}"
        folder.mkdir()
        attempts.append(("--from", str(_file(folder, **changes)), "--to", str(tmp_path / "c")))
    broken = tmp_path / "broken.toml"
    broken.write_text(f"password = {_WIFI_SECRET}\n")
    attempts.append(("--from", str(broken), "--to", str(tmp_path / "d")))
    statuses = []
    for arguments in attempts:
        status, said = _run(*arguments)
        statuses.append(status)
        assert "marker-" not in said, (arguments, said)
    assert statuses == [0] * 3 + [1] * 7
    assert "marker-" not in repr(node_files.read_answers(_file(tmp_path)))
    assert not (tmp_path / "c").exists(), "something was written although the answers are wrong"


def test_tools_7_the_secrets_file_is_not_in_a_checkout_that_is_committed() -> None:
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    assert "secrets.json" in ignored


def test_other_keys_of_the_board_are_kept_and_credentials_never_go_to_another_broker(
    bench: Bench, tmp_path: Path
) -> None:
    config = {
        "node": "old",
        "sample_s": 5,
        "mqtt": {"host": "old.example", "port": 1884, "keepalive_s": 30},
        "sensors": [{"type": "simulated"}],
    }
    secrets = {
        "wifi": [{"ssid": "other", "password": "eight characters"}],
        "mqtt": {"user": "old", "password": "old password"},
    }
    (bench.folder / "config.json").write_text(json.dumps(config))
    (bench.folder / "secrets.json").write_text(json.dumps(secrets))
    for name in ("trial.json", "setup.json"):
        (bench.folder / name).write_text("{}")
    source = _file(tmp_path, broker="mqtt://192.168.1.10")
    status, said = _run("--from", str(source), "--port", str(bench.port))
    assert status == 0, said
    now = json.loads((bench.folder / "config.json").read_text())
    assert now == {
        **config,
        "node": "bench-1",
        "mqtt": {"host": "192.168.1.10", "keepalive_s": 30},
    }
    hidden = json.loads((bench.folder / "secrets.json").read_text())
    assert [one["ssid"] for one in hidden["wifi"]] == ["greenhouse", "other"]
    assert "mqtt" not in hidden
    assert not (bench.folder / "trial.json").exists(), "it would bring the old settings back"
    assert not list(bench.folder.glob("*.new"))


def test_a_broken_file_on_the_board_is_not_replaced_unasked(bench: Bench, tmp_path: Path) -> None:
    (bench.folder / "config.json").write_text('{"node": ')
    arguments = ("--from", str(_file(tmp_path)), "--port", str(bench.port))
    status, said = _run(*arguments)
    assert status == 1 and "--fresh" in said
    assert (bench.folder / "config.json").read_text() == '{"node": '
    assert _run(*arguments, "--fresh")[0] == 0


def test_every_error_of_the_answers_is_named_at_once_by_the_firmwares_schema() -> None:
    with pytest.raises(CommandError) as raised:
        node_files.make(Answers("", "short", "mqtt://192.168.1.10", "Not A Name"))
    text = str(raised.value)
    assert all(part in text for part in ("node", "ssid", "password")), text


def test_the_environment_answers_and_what_is_missing_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIELDPOST_WIFI_SSID", "greenhouse")
    monkeypatch.setenv("FIELDPOST_WIFI_PASSWORD", _WIFI_SECRET)
    monkeypatch.setenv("FIELDPOST_BROKER", "mqtt://192.168.1.10")
    status, said = _run("--to", str(tmp_path / "node"))
    assert status == 1 and "FIELDPOST_NODE" in said and "--from" in said
    monkeypatch.setenv("FIELDPOST_NODE", "bench-2")
    status, said = _run("--to", str(tmp_path / "node"))
    assert status == 0 and "config.checked spares a board the check" in " ".join(said.split())
    # A file comes before the environment.
    status, _ = _run("--from", str(_file(tmp_path)), "--to", str(tmp_path / "node"))
    assert status == 0
    assert json.loads((tmp_path / "node" / "config.json").read_text())["node"] == "bench-1"


def test_a_slip_in_one_answer_is_asked_again_and_costs_no_other(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    typed = iter(["greenhouse", "short", "long enough", "ann@10.0.0.1", "h", "", "No!", "n"])
    monkeypatch.setattr(provision_command.typer, "prompt", lambda *_, **__: next(typed))
    answers = provision_command._ask(Answers(), True, ClientFiles())
    assert answers == Answers("greenhouse", "long enough", "h", "n")
    told = capsys.readouterr().err
    assert "password" in told and "mqtt://" in told and "No!" in told
    assert "short" not in told


def test_tls_brings_its_certificates_along_and_asks_for_the_authority(tmp_path: Path) -> None:
    answers = Answers("net", "eight characters", "mqtts://broker.example", "bench-1")
    with pytest.raises(CommandError, match="--ca"):
        node_files.make(answers)
    ca = tmp_path / "authority.crt"
    ca.write_text("-----BEGIN CERTIFICATE-----\n")
    files = node_files.make(answers, ClientFiles(ca=ca))
    assert files.config["mqtt"] == {"host": "broker.example", "tls": {"ca_file": "ca.pem"}}
    assert list(files.contents()) == ["ca.pem", "secrets.json", "config.json", "config.checked"]


def test_the_brokers_address_is_shown_and_its_password_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    typed = iter(["net", "", "mqtts://h:8884", "ann", "p@ss/w", "n"])
    hidden: dict[str, bool] = {}

    def prompt(question: str, *, hide_input: bool, **_: object) -> str:
        hidden[question] = hide_input
        return next(typed)

    monkeypatch.setattr(provision_command.typer, "prompt", prompt)
    tls = ClientFiles(ca=Path(__file__))
    answers = provision_command._ask(Answers(), True, tls)
    assert answers.broker == "mqtts://ann:p%40ss%2Fw@h:8884"
    assert list(hidden.values()) == [False, True, False, False, True, False]


def test_a_login_in_the_brokers_address_is_not_asked_for_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(provision_command.typer, "prompt", lambda *_, **__: "mqtt://u:p@h")
    assert provision_command._answer("broker", ClientFiles()) == "mqtt://u:p@h"


def test_nothing_is_asked_while_there_is_no_board(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fieldpost.board.find.find", lambda **_: [])
    monkeypatch.setattr(provision_command, "_ask", lambda *_: pytest.fail("asked"))
    status, said = _run()
    assert status == 1 and "no board was found" in said


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("pasword", "pasword (did you mean password?)"),
        ("SSID", "SSID (did you mean ssid?)"),
        ("sample_s", "has sample_s, none of"),
        ("correct horse battery", "a key that is not shown"),
    ],
)
def test_a_key_that_does_not_belong_there_is_named_unless_it_may_be_a_secret(
    key: str, told: str, tmp_path: Path
) -> None:
    status, said = _run("--from", str(_file(tmp_path, **{key: "x"})), "--to", str(tmp_path))
    assert status == 1 and told in said


def test_a_character_that_is_half_of_one_is_refused_in_words(tmp_path: Path) -> None:
    answers = {"ssid": "net \ud83d", "password": "", "broker": "mqtt://h", "node": "n"}
    source = tmp_path / "answers.json"
    source.write_text(json.dumps(answers))
    status, said = _run("--from", str(source), "--to", str(tmp_path / "node"))
    assert status == 1 and not (tmp_path / "node" / "config.json").exists()
    assert "Traceback" not in said and "wifi[0].ssid" in said, said


_MAIN = """
import json, time
with open("/config.json") as f:
    config = json.load(f)
print("       0.1 ready: %s, boot 4" % config["node"])
print("       0.5 first reading: " + json.dumps({"temperature": 21.5}))
print("       0.9 delivered 1 readings in 2 round trips, 3 segments, 80 ms")
while True:
    time.sleep_ms(10)
"""
_CONFIG = {
    "node": "roof-1",
    "mqtt": {"host": "192.168.1.10"},
    "sample_s": 300,
    "sensors": [{"type": "internal"}],
}


def _config(folder: Path, config: object = _CONFIG, secrets: object = None) -> str:
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    if secrets:
        (folder / "secrets.json").write_text(json.dumps(secrets))
    return str(folder)


def test_a_configuration_from_a_file_is_written_and_a_node_that_is_deployed_starts(
    bench: Bench, tmp_path: Path
) -> None:
    (bench.folder / "main.py").write_text(_MAIN)
    secrets = {"wifi": [{"ssid": "greenhouse", "password": _WIFI_SECRET}]}
    node = _config(tmp_path / "node", secrets=secrets)
    status, said = _run("--config", node, "--port", str(bench.port))
    assert status == 0, said
    assert json.loads(bench.files()["config.json"]) == _CONFIG
    assert json.loads(bench.files()["secrets.json"]) == secrets
    for part in ("roof-1, boot 4", "temperature 21.5", "delivered to the broker", "greenhouse"):
        assert part in said
    assert "fieldpost deploy" not in said and "marker-" not in said
    status, said = _run("--config", node, "--port", str(bench.port), "--json")
    assert status == 0 and json.loads(said)["reading"] == {"temperature": 21.5}


def test_what_the_file_lacks_comes_from_the_answers_or_is_named(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sensors_alone = _config(tmp_path / "a", {"sensors": _CONFIG["sensors"]})
    port = str(bench.port)
    status, said = _run("--config", sensors_alone, "--port", port)
    assert status == 1 and "ssid is missing" in said
    status, said = _run("--config", sensors_alone, "--from", str(_file(tmp_path)), "--port", port)
    assert status == 0, said
    now = json.loads(bench.files()["config.json"])
    assert now["node"] == "bench-1" and now["sensors"] == _CONFIG["sensors"]
    # The board keeps its network, and asks for nothing that it knows.
    status, said = _run("--config", _config(tmp_path / "b"), "--port", port)
    assert status == 0, said
    assert json.loads(bench.files()["secrets.json"])["mqtt"]["password"] == _BROKER_SECRET
    other = {**_CONFIG, "mqtt": {"host": "other.example"}}
    assert _run("--config", _config(tmp_path / "c", other), "--port", port)[0] == 0
    assert "mqtt" not in json.loads(bench.files()["secrets.json"]), "another broker got the login"


def test_a_summary_with_what_may_be_wrong_comes_before_the_writing_and_can_be_declined(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = Answers("net", _WIFI_SECRET, f"mqtt://u:{_BROKER_SECRET}@127.0.0.1", "bench-1")
    files, cautions = provision_command._files(
        answers, ClientFiles(), None, None, (None, None), None, True
    )
    monkeypatch.setattr(provision_command.typer, "confirm", lambda *_, **__: False)
    with pytest.raises(CommandError, match="nothing was written"):
        provision_command._confirm("/dev/ttyACM0", files, cautions, True, False)
    said = capsys.readouterr().out
    for part in ("bench-1", "net", "mqtt://127.0.0.1:1883, with a login", "is the board itself"):
        assert part in said
    assert "marker-" not in said


def test_keys_for_updates_go_to_the_board_or_the_folder_and_their_counter_never_falls(
    bench: Bench, tmp_path: Path
) -> None:
    keys = make_keys(tmp_path / "keys")
    answers = ("--from", str(_file(tmp_path)), "--keys", str(keys.folder))
    assert _run(*answers, "--to", str(tmp_path / "out"))[0] == 0
    assert (tmp_path / "out" / "update.keys").read_bytes() == keys.node_file()
    newer = json.loads(keys.node_file()) | {"counter": 12}
    (bench.folder / "update.keys").write_text(json.dumps(newer))
    assert _run(*answers, "--port", str(bench.port))[0] == 0
    assert json.loads(bench.files()["update.keys"]) == newer
    # Those of somebody else say nothing of ours.
    theirs = make_keys(tmp_path / "theirs", which=1)
    (bench.folder / "update.keys").write_text(
        json.dumps(json.loads(theirs.node_file()) | {"counter": 99})
    )
    assert _run(*answers, "--port", str(bench.port))[0] == 0
    assert bench.files()["update.keys"] == keys.node_file()
    status, said = _run(*answers[:3], str(tmp_path / "none"), "--port", str(bench.port))
    assert status == 1 and "fieldpost keys new" in said
