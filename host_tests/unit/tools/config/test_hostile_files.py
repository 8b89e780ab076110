"""Files, addresses and variables of any kind: each command that reads them ends with a result or
an error in words, shows no secret, and writes nothing but what it was asked for."""

import copy
import json
import random
import tomllib
from pathlib import Path
from typing import Any

import pytest
from rigs.command_line import Ran, fieldpost
from rigs.configurations import FULL, FULL_SECRETS, mutate

from fieldpost.errors import CommandError
from fieldpost.mqtt.tls import ClientFiles
from fieldpost.mqtt.url import parse

SEED = 20261127
PASSWORD = "correct horse"
ROUNDS = 40
ESCAPES = "\x1b]0;owned\x07\x1b[2J\u202e\x85\r"
JSON_FILES = {
    "empty": b"",
    "null": b"null",
    "a list": b"[]",
    "a number": b"7",
    "deep lists": b"[" * 100_000,
    "deep objects": b'{"a":' * 100_000,
    "deep and whole": b"[" * 50_000 + b"]" * 50_000,
    "a long number": b'{"sample_s": ' + b"9" * 100_000 + b"}",
    "an exponent": b'{"sample_s": 1e999999}',
    "not a number": b'{"sample_s": NaN}',
    "a key twice": b'{"node": "a", "node": "b"}',
    "half of a pair": b'{"node": "\\ud800"}',
    "a byte order mark": b'\xef\xbb\xbf{"node": "n"}',
    "not UTF-8": b'{"node": "\xff\xfe"}',
    "UTF-16": '{"node": "n"}'.encode("utf-16"),
    "escapes": json.dumps({ESCAPES: ESCAPES, "node": ESCAPES}).encode(),
    "raw escapes": b'{"\x1b[2J": \x1b]0;owned\x07}',
    "zeros": bytes(100_000),
    "a long text": b'{"node": "' + b"x" * 1_000_000 + b'"}',
    "many keys": json.dumps({f"key{n}": n for n in range(300)}).encode(),
}
TOML_FILES = {
    "empty": b"",
    "deep lists": b"a = " + b"[" * 50_000,
    "deep tables": b"a." * 1000 + b"a = 1",
    "escapes": b'"\x1b[2J" = 1',
    "quoted escapes": rb'"\u001b[2J\u202e" = 1',
    "a node with escapes": rb'node = [{id = "\u001b[2J", name = "\u202e", "\u0007" = 1}]',
    "not UTF-8": b'a = "\xff"',
    "nodes that are numbers": b"node = [1, 2]",
    "a date": b'[[node]]\nid = "1"\nname = 1979-05-27\nconfig = {sample_s = 1979-05-27}',
    "a long number": b"node = " + b"9" * 100_000,
    "inf": b'[[node]]\nid = "1"\nname = "n"\nconfig = {sample_s = inf}',
    "a file far away": b'[[node]]\nid="1"\nname="n"\nsecrets={file="/dev/zero/x"}\nconfig={}',
    "a folder as a file": b'[[node]]\nid="1"\nname="n"\nsecrets={file="."}\n[files]\n"a"="."',
    "a place of ours": b'[[node]]\nid="1"\nname="n"\n[files]\n"../../x"="a"\n"/main.py"="a"',
    "a name with a zero": rb"[[node]]" + b"\n" + rb'id="1"' + b"\n" + rb'name="\u0000"',
    "a variable with a zero": b'[[node]]\nid="1"\nname="n"\nsecrets={a={env="\\u0000="}}',
    "a path with a zero": b'[[node]]\nid="1"\nname="n"\nsecrets={a={file="\\u0000"}}\nconfig={}',
    "an image with a zero": b'[[node]]\nid="1"\nname="n"\n[micropython]\nimage="\\u0000"',
}
# Of addresses; {s} stands for a secret.
ADDRESSES = (
    "",
    " ",
    "mqtt://",
    "mqtt://:1",
    "mqtt://h:0",
    "mqtt://h:99999",
    "mqtt://h:" + "9" * 5000,
    "mqtt://h:\u0663",
    "mqtt://[::1",
    "mqtt://[::1]x:1",
    "mqtt://[v1.x]",
    "mqtt://[" + ESCAPES + "]",
    "mqtt://" + ESCAPES,
    "mqtt://h\0x",
    "mqtt://a:{s}@",
    "mqtt://a:{s}@h/p",
    "mqtt://a:{s}@h:port",
    "mqtt://a:{s}%@h:port",
    "mqtt://%ff:{s}@h",
    "mqtt://:{s}@h",
    "a:{s}@h",
    "http://a:{s}@h",
    ESCAPES + "://a:{s}@h",
    "mqtt://\ud800",
    "mqtt://" + "x" * 100_000,
    "mqtt://" + "x." * 1000,
    "mqtt://\u2100.example",
    "mqtt://xn--\u00e9",
    "mqtts://" + "\u00e9" * 70,
    "\udcff",
)
VARIABLES = ("FIELDPOST_CA", "FIELDPOST_CERT", "FIELDPOST_KEY", "FIELDPOST_DRIVERS")
PLACES = ("/", "/dev/null", "/proc/self/mem", "x" * 5000, "\udcff", ESCAPES, ".", "~")


def shown(text: str) -> bool:
    return PASSWORD in text or PASSWORD.replace(" ", "%20") in text


def run(folder: Path, *words: str, environment: dict[str, str] | None = None) -> Ran:
    """The command; and what it must not do."""
    before = {path for path in folder.rglob("*") if path.is_file()}
    ran = fieldpost(*words, environment=environment)
    ran.check()
    assert not shown(ran.out + ran.err), ran
    new = {path for path in folder.rglob("*") if path.is_file()} - before
    assert all("out" in path.parts for path in new), (words, new)
    if "--json" in words and ran.status == 0:
        json.loads(ran.out)
    return ran


def every_reader(folder: Path, config: Path) -> None:
    """Each command that reads a config.json, and what stands beside it."""
    run(folder, "config", "check", str(config))
    run(folder, "config", "check", str(config), "--board", "pico_w", "--json")
    run(folder, "battery", str(config), "--board", "pico_w", "--json")
    run(folder, "emulate", "--config", str(config), "--image", str(folder / "none.uf2"))
    run(folder, "provision", "--from", str(config), "--to", str(folder / "out"), "--json")


@pytest.mark.parametrize("name", JSON_FILES)
def test_any_json_file_is_read_or_refused_in_words(name: str, tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    config.write_bytes(JSON_FILES[name])
    every_reader(tmp_path, config)
    (tmp_path / "secrets.json").write_bytes(JSON_FILES[name])
    config.write_text(json.dumps({"node": "n", "mqtt": {"host": "h"}}))
    every_reader(tmp_path, config)
    # What is there is kept, unless it is no JSON.
    answers = tmp_path / "answers.json"
    answers.write_text(
        json.dumps({"ssid": "s", "password": "12345678", "broker": "h", "node": "n"})
    )
    out = tmp_path / "out"
    out.mkdir(exist_ok=True)
    for one in ("config.json", "secrets.json"):
        (out / one).write_bytes(JSON_FILES[name])
        run(tmp_path, "provision", "--from", str(answers), "--to", str(out))


@pytest.mark.slow
def test_any_configuration_is_checked_or_refused_in_words(tmp_path: Path) -> None:
    source = random.Random(SEED)
    ended: dict[int, int] = {}
    for _ in range(ROUNDS):
        for name, whole in (("config.json", FULL), ("secrets.json", FULL_SECRETS)):
            value: Any = mutate(source, copy.deepcopy(whole))
            text = json.dumps(value, default=repr, skipkeys=True)
            (tmp_path / name).write_text(text)
        ran = run(tmp_path, "config", "check", str(tmp_path), "--json")
        ended[ran.status] = ended.get(ran.status, 0) + 1
        run(tmp_path, "battery", str(tmp_path), "--board", "esp32")
    assert {0, 1} <= ended.keys(), ended


@pytest.mark.parametrize("name", TOML_FILES)
def test_any_toml_file_is_read_or_refused_in_words(name: str, tmp_path: Path) -> None:
    file = tmp_path / "file.toml"
    file.write_bytes(TOML_FILES[name])
    run(tmp_path, "provision", "--from", str(file), "--to", str(tmp_path / "out"))
    for words in (["fleet", str(file), "plan"], ["fleet", str(file), "plan", "--json"]):
        ran = run(tmp_path, *words)
        assert ran.status, ran


@pytest.mark.slow
def test_any_change_to_a_fleets_file_is_read_or_refused_in_words(tmp_path: Path) -> None:
    source = random.Random(SEED)
    text = (Path(__file__).parents[4] / "examples" / "fleet.toml").read_bytes()
    tomllib.loads(text.decode())
    for _ in range(ROUNDS):
        data = bytearray(text)
        for _ in range(source.randint(1, 6)):
            at = source.randrange(len(data))
            if source.random() < 0.5:
                data[at] = source.choice(b'"[]{}=\n\x1b\xff0a.')
            else:
                del data[at : at + source.randint(1, 30)]
        (tmp_path / "fleet.toml").write_bytes(data)
        run(tmp_path, "fleet", str(tmp_path / "fleet.toml"), "plan", "--port", "/dev/none")


@pytest.mark.parametrize("address", ADDRESSES, ids=lambda one: ascii(one)[:40])
def test_any_address_is_read_or_refused_without_its_secret(address: str, tmp_path: Path) -> None:
    address = address.replace("{s}", "correct%20horse")
    try:
        found = parse(address)
    except CommandError as error:
        assert not shown(str(error))
    else:
        assert not shown(f"{found} {found!r}")
    if "\0" in address or "\ud800" in address or len(address) > 10_000:
        return  # no such variable can be
    name = {"FIELDPOST_BROKER": address}
    # None at all is this machine's own port 1883, where somebody's broker may be.
    if address:
        run(tmp_path, "publish", "t", "m", "--timeout", "0.1", environment=name)
        run(tmp_path, "listen", "t", "--timeout", "0.1", "--json", environment=name)
        run(tmp_path, "cmd", "n", "get", "--timeout", "0.1", environment=name)
    asked = {**name, "FIELDPOST_WIFI_SSID": "s", "FIELDPOST_WIFI_PASSWORD": PASSWORD}
    asked["FIELDPOST_NODE"] = "n"
    run(tmp_path, "provision", "--to", str(tmp_path / "out"), environment=asked)


@pytest.mark.parametrize("place", PLACES, ids=lambda one: ascii(one)[:40])
def test_any_variable_that_names_a_place_is_used_or_refused_in_words(
    place: str, tmp_path: Path
) -> None:
    files = ClientFiles(Path(place), Path(place), Path(place))
    with pytest.raises(CommandError):
        files.context()
    for name in VARIABLES[: 3 if place == "/" else 4]:  # all of a disk takes its time
        environment = {name: place, "FIELDPOST_BROKER": "mqtts://127.0.0.1:1"}
        run(tmp_path, "publish", "t", "m", "--timeout", "0.1", environment=environment)
        run(tmp_path, "config", "check", str(tmp_path), environment=environment)
    for name in ("FIELDPOST_NODE", "FIELDPOST_WIFI_SSID", "FIELDPOST_WIFI_PASSWORD"):
        asked = {"FIELDPOST_WIFI_SSID": "s", "FIELDPOST_WIFI_PASSWORD": "12345678"}
        asked |= {"FIELDPOST_NODE": "n", "FIELDPOST_BROKER": "h", name: place}
        run(tmp_path, "provision", "--to", str(tmp_path / "out"), environment=asked)
