"""Every command as a script or a service runs it: --json that succeeds and fails, no standard
input, a pipe, narrow and wide terminals, encodings that lack what we write. The commands are those
of the parser, so a new one has to have its line here.
"""

from __future__ import annotations

import functools
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import pytest
from paho.mqtt.client import MQTTMessage
from rigs.command_line import Ran, fieldpost
from rigs.deploy import Bench, project
from rigs.flash import version_of_the_port
from rigs.fleets import CONNECTED, fleet
from rigs.hostile_board import HostilePort, honest, plug_in
from rigs.port import micropython
from rigs.shown import WIDE, changing, terminal, without_controls, words_in
from rigs.stores import telemetry
from rigs.update_keys import PASSPHRASE, make_keys
from rigs.update_release import make_release
from rigs.wired_board import wire
from typer.main import get_command

from fakes.board_images import uf2_image
from fakes.home_assistant import TOKEN, FakeHomeAssistant
from fakes.raw_repl import RawReplBoard
from fakes.uf2_drive import Uf2Drive
from fieldpost import cli
from fieldpost.board.ports import Port
from fieldpost.config import reference
from fieldpost.deploy import deployment
from fieldpost.flash import flashing
from fieldpost.keys.folder import KeyFolder
from fieldpost.mqtt import url as mqtt_url
from fieldpost.mqtt.brokers import Broker, free_port
from fieldpost.mqtt.client import Connection
from fieldpost.new_sensor import command as new_sensor
from fieldpost.paths import ROOT
from fieldpost.store import address
from fieldpost.store.opened import open_store
from fieldpost.terminal import result

PAGE = (ROOT / "docs" / "json.md").read_text("utf-8")
PORT = "/dev/ttyBOARD"
_AWAY = "--port /dev/nowhere --wait 0"
_NOWHERE = "--broker mqtt://127.0.0.1:1"
_ANSWERS = '{"ssid": "net", "password": "secret12", "broker": "mqtt://10.0.0.1", "node": "n"}'
_CONFIG = {"node": "n", "mqtt": {"host": "10.0.0.1"}, "sensors": [{"type": "internal"}]}
_SECRETS = {"wifi": [{"ssid": "net", "password": "secret12"}]}
_READING = '{"boot": 1, "seq": 1, "ts": 1755366460, "temperature": 21.5}'
# What a node says that was just configured.
_MAIN = """
import time
print("       0.1 ready: n, boot 4")
print("       0.5 first reading: {}".format('{"temperature": 21.5}'))
print("       0.5 sample 0 stored")
print("       0.9 delivered 1 readings in 2 round trips, 3 segments, 80 ms")
while True:
    time.sleep_ms(10)
"""


@dataclass(frozen=True)
class Case:
    """fails: words with which it fails, and its code then. succeeds: words with which it
    succeeds, and what has to be there for that, by the name of a method of Place. In both {dir} is
    the folder, and {broker} the broker. asks: words with which it would read from a person, or
    from standard input. goes_on: it ends on Ctrl-C, as soon as it has said something."""

    fails: str
    code: str
    succeeds: str = ""
    needs: str = ""
    asks: str = ""
    goes_on: bool = False


CASES = {
    "boards": Case("--port /dev/nowhere", "board_port", f"--port {PORT}", "honest_board"),
    "flash": Case(
        "--image {dir}/none.uf2",
        "bad_file",
        "--volume {dir}/VOLUME --image {dir}/image.uf2",
        "board_in_its_bootloader",
    ),
    "provision": Case(
        "--from {dir}/none.toml --to {dir}/out", "bad_file", "--from answers.json --to {dir}/out"
    ),
    "scan": Case(_AWAY, "board_port", "--port {dir}/tty --scl 5 --sda 4", "wired_board"),
    "deploy": Case(_AWAY, "board_port", "--port {dir}/tty", "project_and_board"),
    "fleet": Case(
        "{dir}/none.toml plan", "bad_file", f"fleet.toml plan --port {PORT}", "honest_board"
    ),
    "shell": Case(_AWAY, "board_port"),
    "reset": Case(_AWAY, "board_port", f"--port {PORT}", "honest_board"),
    "pull": Case(_AWAY, "board_port", "{dir}/pulled --port {dir}/tty", "board"),
    "erase": Case(_AWAY, "board_port", f"--port {PORT} --yes", "honest_board"),
    "broker": Case(
        "--loopback --port {taken}", "port_taken", "--loopback --port {free}", goes_on=True
    ),
    "monitor": Case(
        f"--timeout 1 {_NOWHERE}", "broker_away", "--timeout 0.5 --node n --broker {broker}"
    ),
    "collect": Case(
        "--store sqlite:readings.db",
        "usage",
        "--store sqlite:///{dir}/readings.db --broker {broker}",
        goes_on=True,
    ),
    "serve": Case(
        "--store sqlite:readings.db",
        "usage",
        "--loopback --store sqlite:///{dir}/readings.db --port {free}",
        goes_on=True,
    ),
    "gaps": Case("--store sqlite:///{dir}/none.db", "store_away", "", "store"),
    "export": Case("--format parquet", "usage", "--out {dir}/readings.csv", "store"),
    "stores doctor": Case("--store sqlite:///{dir}/none/x.db", "missing", "", "store"),
    "stores copy": Case(
        "sqlite:///{dir}/none.db sqlite:///{dir}/copy.db",
        "store_away",
        "sqlite:///{dir}/readings.db sqlite:///{dir}/copy.db",
        "store",
    ),
    "stores prune": Case("1h", "usage", "30d", "store"),
    "publish": Case(
        f"a b {_NOWHERE}", "broker_away", "a b --broker {broker}", asks=f"a - {_NOWHERE}"
    ),
    "listen": Case(
        f"a {_NOWHERE}", "broker_away", "fieldpost/n/status --count 1 --broker {broker}"
    ),
    "cmd": Case(f"n get {_NOWHERE}", "broker_away", "n get --broker {broker}", "node"),
    "pace": Case(f"4 {_NOWHERE}", "broker_away", "4 --broker {broker}"),
    "battery": Case("{dir}/out", "bad_file", "config.json --board esp32"),
    "new-sensor": Case("X", "usage", "tmp117", "other_checkout"),
    "run": Case("{dir}/none", "bad_file", "--count 1 --every 1 --broker {broker}"),
    "doctor": Case(_NOWHERE, "missing", ""),
    "demo": Case("--nonsense", "usage", "--readings 2 --outage 1"),
    "swarm": Case(
        "--broker mqtts://a",
        "usage",
        "--nodes 2 --minutes 0.02 --every 1 --spread 0 --broker {broker}",
    ),
    "emulate": Case("--image {dir}/none.uf2", "bad_file"),
    "setup": Case("--umqtt {dir}/none", "bad_file", ""),
    "config check": Case("broken.json", "bad_config", "config.json"),
    "config show": Case("nosuchkey", "usage", "mqtt.host"),
    "config push": Case(f"config.json {_AWAY}", "board_port", "{dir} --port {dir}/tty", "board"),
    "config pull": Case(_AWAY, "board_port", "{dir}/pulled --port {dir}/tty", "board"),
    "keys new": Case("", "file_kept", "--dir {dir}/other"),
    "keys show": Case("--dir none", "bad_file", ""),
    "keys rotate": Case("--dir none", "bad_file", ""),
    "release make": Case("--dir none", "bad_file", "--platform esp32"),
    "release show": Case("none", "bad_file", "{dir}/made", "release"),
    "certs ca": Case("", "file_kept", "--dir {dir}/other"),
    "certs server": Case("a --dir none", "bad_file", "localhost"),
    "certs node": Case("a --dir none", "bad_file", "n"),
    "certs person": Case("a --dir none", "bad_file", "ann"),
    "certs mosquitto": Case("--dir none", "bad_file", ""),
    "certs show": Case("--dir none", "bad_file", ""),
    "certs renew": Case("nobody", "bad_file", "localhost"),
    "update": Case(f"--all --status {_NOWHERE}", "broker_away", "--status --broker {broker}"),
    "ha remove": Case(f"n {_NOWHERE}", "broker_away", "gone --broker {broker}"),
    "ha import": Case(
        "{dir}/none.jsonl",
        "bad_file",
        "readings.jsonl",
        "home_assistant",
        asks="- --url http://127.0.0.1:1",
    ),
}
# Other ways to fail.
_MORE = {
    "battery": ("battery", "usage"),
    "a broker, for the pull of a node": (
        f"config pull {{dir}}/x --node n --timeout 0.2 {_NOWHERE}",
        "broker_away",
    ),
    "no broker for a store": (f"collect --store sqlite:///{{dir}}/r.db {_NOWHERE}", "broker_away"),
    "no folder for a store": ("collect --store sqlite:///{dir}/no/r.db", "store_away"),
    "no store": ("collect --store sqlite:///{dir}/config.json", "store_unfit"),
    "several boards": ("deploy --port /dev/nowhere --port /dev/no --wait 0", "some_failed"),
    "one pin of two": ("scan --scl 4", "usage"),
    "telemetry": (f"listen --telemetry {_NOWHERE}", "broker_away"),
    "too few": ("listen a --count 1 --timeout 0.1 --broker {broker}", "timeout"),
    "an unknown node": ("cmd nobody get --timeout 0.1 --broker {broker}", "no_node"),
}
# Boots the emulated Pico W, for a minute: host_tests/on_pico_w/test_emulate.py.
_SUCCEEDS_ELSEWHERE = {"emulate"}
_HAS_NO_JSON = {"shell"}


def _makes_nothing(*_: object, **__: object) -> subprocess.CompletedProcess[str]:
    return subprocess.CompletedProcess([], 0, stdout="")


def commands() -> dict[str, click.Command]:
    """Each command, as one types it."""
    found: dict[str, click.Command] = {}
    groups: list[tuple[str, Any]] = [("", get_command(cli.app))]
    while groups:
        path, group = groups.pop()
        for name, command in group.commands.items():
            if hasattr(command, "commands"):
                groups.append((f"{path}{name} ", command))
            else:
                found[f"{path}{name}"] = command
    return found


def test_each_command_has_its_line() -> None:
    assert sorted(CASES) == sorted(commands())
    for name, command in commands().items():
        has_json = any("--json" in one.opts for one in command.params)
        assert has_json is (name not in _HAS_NO_JSON), name


class Place:
    """A folder, with what a command may need in it and around it."""

    def __init__(self, folder: Path, broker: Broker, patch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self._broker = broker
        self._patch = patch
        self._things = ExitStack()
        for name, text in {
            "config.json": json.dumps(_CONFIG),
            "secrets.json": json.dumps(_SECRETS),
            "broken.json": '{"node": "n", "mqtt": {"host": "h", "prot": 1}}',
            "fleet.toml": fleet(n=CONNECTED),
            "answers.json": _ANSWERS,
            "readings.jsonl": json.dumps({"topic": "fieldpost/n/telemetry", "payload": _READING}),
        }.items():
            (folder / name).write_text(text)
        patch.chdir(folder)
        patch.delenv("FIELDPOST_BROKER", raising=False)
        patch.setenv("FIELDPOST_HA_TOKEN", TOKEN)
        patch.setenv("NET", "secret12")
        patch.setenv("FIELDPOST_KEY_PASSPHRASE", PASSPHRASE)

    def words(self, name: str, more: str) -> list[str]:
        """The words of a command."""
        places = {
            "dir": str(self.folder),
            "broker": self._broker.url,
            "taken": str(self._broker.port),
            "free": str(free_port()),
        }
        return [*name.split(), *more.format(**places).split()]

    def close(self) -> None:
        """What was made goes."""
        self._things.close()

    def store(self) -> None:
        """Of readings, where commands look by themselves."""
        store = open_store(address.parse(address.DEFAULT_URL))
        store.write([telemetry(1, seq, temperature=21.5) for seq in range(3)])
        store.close()

    def certificates(self) -> None:
        """An authority, and the broker's certificate."""
        for words in ("ca", "server localhost"):
            assert fieldpost("certs", *words.split()).status == 0

    def keys(self) -> None:
        """A folder of keys."""
        make_keys(self.folder / "keys")

    def release(self) -> None:
        """One that was made, in the folder made."""
        make_release(KeyFolder(self.folder / "keys"), self.folder / "made")

    def honest_board(self) -> None:
        """At PORT, behind the real link."""
        plug_in(self._patch, lambda clock: HostilePort(clock, random.Random(1), honest))

    def board(self) -> Bench:
        """At the port tty: a node that is configured."""
        bench = Bench(self.folder)
        (bench.folder / "main.py").write_text(_MAIN)
        (bench.folder / "secrets.json").write_text(json.dumps(_SECRETS))
        return self._things.enter_context(bench)

    def wired_board(self) -> None:
        """At the port tty, with a BME280."""
        wire(self.folder / "board", "bench.i2c(5, 4, CommandI2C({0x76: FakeBme280(now)}))")
        board = RawReplBoard(self.folder / "board", self.folder / "tty", micropython())
        self._things.enter_context(board)

    def project_and_board(self) -> None:
        """A board, and in the place of our files a few."""
        root = project(self.folder / "project", "one")
        defaults = deployment.Wish.__init__.__defaults__
        assert defaults and defaults[0] == ROOT
        self._patch.setattr(deployment.Wish.__init__, "__defaults__", (root, *defaults[1:]))
        self._things.enter_context(Bench(self.folder))

    def board_in_its_bootloader(self) -> None:
        """Its drive is VOLUME, and it answers when it has image.uf2."""
        data = uf2_image(version=version_of_the_port())
        (self.folder / "image.uf2").write_bytes(data)
        (self.folder / "board").mkdir()
        tty = self.folder / "tty"
        board = RawReplBoard(self.folder / "board", tty, micropython())
        self._things.callback(board.unplug)

        def ports() -> list[Port]:
            return [Port(str(tty), "micropython", "Pico", "2E8A:0005", "77")] * tty.exists()

        self._patch.setattr(flashing, "all_ports", ports)
        drive = Uf2Drive(
            self.folder / "VOLUME", "RP2040", len(data), on_written=lambda _: board.plug_in()
        )
        self._things.enter_context(drive)

    def node(self) -> None:
        """It is at the broker, and does what it is told."""

        def answer(message: MQTTMessage) -> None:
            told = json.loads(message.payload)
            given = json.dumps({"id": told["id"], "ok": True, "value": 1}).encode()
            sent = threading.Thread(
                target=functools.partial(connection.publish, qos=0, retain=False),
                args=("fieldpost/n/cmd/result", given),
            )
            sent.start()

        connection = Connection(mqtt_url.parse(self._broker.url), on_message=answer)
        connection.open()
        self._things.callback(connection.close)
        connection.subscribe("fieldpost/n/cmd", 1)

    def other_checkout(self) -> None:
        """Where the files of a new sensor go."""
        root = self.folder / "checkout"
        for name in ("firmware/sensor_types", "lib", "host_tests/unit/lib", "docs"):
            (root / name).mkdir(parents=True)
        shutil.copy(ROOT / "docs" / "sensors.md", root / "docs")
        made = new_sensor.parts
        self._patch.setattr(new_sensor, "parts", lambda name: made(name, root))
        self._patch.setattr(new_sensor, "ROOT", root)
        self._patch.setattr(new_sensor.subprocess, "run", _makes_nothing)

    def home_assistant(self) -> None:
        """It knows the node's temperature."""
        home = self._things.enter_context(FakeHomeAssistant())
        home.entity("n.temperature", "sensor.n", "°C")
        self._patch.setenv("FIELDPOST_HA_URL", home.url)


@pytest.fixture(scope="module")
def kept(broker: Broker) -> Broker:
    """A broker that keeps a node's status, and that of one to be removed."""
    connection = Connection(mqtt_url.parse(broker.url))
    connection.open()
    for node in "n", "gone":
        topic = f"fieldpost/{node}/status"
        connection.publish(topic, b'{"state": "online"}', qos=1, retain=True)
    connection.close()
    return broker


@pytest.fixture
def place(kept: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    one = Place(tmp_path, kept, monkeypatch)
    yield one
    one.close()


def prepared(place: Place, name: str) -> Case:
    if name.startswith("certs "):
        place.certificates()
    if name.startswith(("keys ", "release ")):
        place.keys()
    return CASES[name]


@pytest.mark.parametrize("name", CASES)
def test_a_failure_is_one_object_with_a_code_and_its_status_and_a_sentence(
    name: str, place: Place
) -> None:
    case = prepared(place, name)
    words = place.words(name, case.fails)
    as_json = [] if name in _HAS_NO_JSON else ["--json"]
    ran = fieldpost(*words, *as_json, is_terminal=False, encoding="cp1252")
    ran.check()
    told = json.loads(ran.out) if as_json else {"ok": False, "error": {"code": case.code}}
    assert told["ok"] is False and told["error"]["code"] == case.code, told
    assert ran.status == result.status_of(case.code)
    for encoding in "ascii", "cp1252":
        said = fieldpost(*words, is_terminal=False, encoding=encoding)
        said.check()
        assert said.status == ran.status, said


@pytest.mark.parametrize("what", _MORE)
def test_other_failures_have_their_codes(what: str, place: Place) -> None:
    words, code = _MORE[what]
    ran = fieldpost(*place.words("", words), "--json", is_terminal=False)
    ran.check()
    assert json.loads(ran.out)["error"]["code"] == code
    assert ran.status == result.status_of(code)


@pytest.mark.parametrize("name", sorted(CASES.keys() - _SUCCEEDS_ELSEWHERE - _HAS_NO_JSON))
def test_a_success_is_one_object_with_the_keys_of_the_page(name: str, place: Place) -> None:
    case = prepared(place, name)
    if case.needs:
        getattr(place, case.needs)()
    words = [*place.words(name, case.succeeds), "--json"]
    if case.goes_on:
        ran = interrupted(words)
    else:
        ran = fieldpost(*words, is_terminal=False, encoding="cp1252")
    ran.check()
    objects = [json.loads(line) for line in ran.out.splitlines()] if goes_on(name) else None
    told = json.loads(ran.out) if objects is None else objects[-1]
    if objects is None:
        assert next(iter(told)) == "ok"
        # A machine that lacks something is told so by the doctor.
        assert told["ok"] is (ran.status == 0) and (told["ok"] or name == "doctor"), told
    assert ran.status == 0 or name == "doctor", ran
    keys = set(re.findall(r"`(\w+)`", rows()[name]))
    if keys:
        assert told.keys() - {"ok", "error"} <= keys, told


# What takes long, or succeeds once, was seen above, with --json.
_BRIEF = [
    name
    for name, case in CASES.items()
    if case.needs not in ("board", "wired_board", "project_and_board", "board_in_its_bootloader")
    and not case.goes_on
    and name not in {"demo", "run", "new-sensor", "ha remove", "certs ca"}
    and not name.startswith(("keys new", "keys rotate"))
    and name not in _SUCCEEDS_ELSEWHERE | _HAS_NO_JSON
]


@pytest.mark.parametrize("name", _BRIEF)
def test_a_success_is_told_to_a_person_on_60_columns_and_in_a_pipe(
    name: str, place: Place
) -> None:
    case = prepared(place, name)
    if case.needs:
        getattr(place, case.needs)()
    for is_terminal, encoding in (True, "cp1252"), (False, "ascii"):
        ran = fieldpost(
            *place.words(name, case.succeeds),
            is_terminal=is_terminal,
            encoding=encoding,
            environment={"COLUMNS": "60"},
        )
        ran.check()
        assert ran.status == 0 or name == "doctor", ran
        assert re.search("[A-Za-z]{3}", ran.out), ran


def test_ctrl_c_is_told_to_a_script_and_has_its_status(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupts(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(reference, "show_command", interrupts)
    ran = fieldpost("config", "show", "--json", is_terminal=False)
    assert json.loads(ran.out)["error"]["code"] == "interrupted" and ran.status == 130


def goes_on(name: str) -> bool:
    """Whether it prints an object a line."""
    return name in ("collect", "listen", "monitor", "run")


def rows() -> dict[str, str]:
    """Of the page's commands, what it says of each."""
    part = PAGE.split("## Commands\n")[1].split("\n## ")[0]
    return dict(re.findall(r"^\| `([^`]+)` \| (.*) \|$", part, re.M))


def interrupted(words: list[str]) -> Ran:
    """A command that goes on, with Ctrl-C as soon as it has said something."""
    heard = threading.Event()

    def press() -> None:
        if heard.wait(20):
            os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=press, daemon=True).start()
    return fieldpost(*words, is_terminal=False, on_out=heard.set)


@pytest.mark.parametrize("name", CASES)
def test_without_an_input_it_ends_with_a_result_or_an_error_in_words(
    name: str, place: Place
) -> None:
    case = prepared(place, name)
    words = place.words(name, case.asks or case.fails)
    for has_input in False, True:
        ran = fieldpost(*words, is_terminal=False, has_input=has_input)
        ran.check()
        assert ran.status == result.status_of(case.code if not case.asks else "broker_away"), ran


@pytest.mark.parametrize(
    "words", ["provision", "flash", "shell", "erase", "config push config.json"]
)
def test_what_asks_a_person_asks_nobody_who_is_not_there(words: str, place: Place) -> None:
    for has_input in False, True:
        ran = fieldpost(*words.split(), is_terminal=False, has_input=has_input)
        ran.check()
        assert ran.status == 1 and "no board was found" in ran.err, ran


@pytest.mark.skipif(os.name != "posix", reason="needs a shell")
def test_a_process_that_is_started_without_an_input_gets_an_empty_one() -> None:
    command = f"exec {sys.executable} -m fieldpost provision --to /dev/null/x <&-"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and "is missing: give it with --from FILE" in done.stderr


# Tables and bars; and the wheel that turns while something is waited for.
FRAME = re.compile("[─━╸╺═│┃╭╮╰╯\u2800-\u28ff]")
CHANGING = changing(r"\d+ s\b")


def shown(words: list[str], width: int, is_terminal: bool) -> str:
    ran = fieldpost(*words, is_terminal=is_terminal, environment=terminal(width))
    assert not ran.thrown and "Traceback" not in ran.err, ran
    if not is_terminal:
        ran.check()
    return without_controls(ran.out + ran.err)


def said_words(text: str) -> set[str]:
    return words_in(text, FRAME, CHANGING)


@pytest.mark.parametrize("width", [60, 120])
@pytest.mark.parametrize("name", CASES)
def test_an_error_is_whole_on_any_width_and_in_a_pipe(name: str, width: int, place: Place) -> None:
    words = place.words(name, prepared(place, name).fails)
    whole = said_words(shown(words, WIDE, is_terminal=True))
    for is_terminal in True, False:
        text = shown(words, width, is_terminal)
        if is_terminal:
            wider = [line for line in text.splitlines() if len(line) > width]
            assert all(len(line.split()) == 1 for line in wider), "\n".join(wider)
        # A word that is too long for its place is folded, which loses nothing of it.
        long = " ".join(one for one in whole if len(one) > width // 4)
        cut = [one for one in said_words(text) - whole if one not in long and "\\" not in one]
        assert not cut, (cut, text)


@pytest.mark.parametrize("width", [60, 120])
@pytest.mark.parametrize("name", CASES)
def test_the_help_is_whole_on_any_width(name: str, width: int) -> None:
    words = [*name.split(), "--help"]
    text = shown(words, width, is_terminal=True)
    cut = {one for one in said_words(text) if "…" in one}
    assert cut <= said_words(shown(words, WIDE, is_terminal=True)), (cut, text)
    for option in commands()[name].params:
        if not getattr(option, "hidden", False):
            assert all(one in text for one in option.opts if one.startswith("--")), option
    # What an option may be is one word, however long.
    wider = [line for line in text.splitlines() if len(line) > width and len(line.split()) > 2]
    assert not wider, "\n".join(wider)
