"""Credentials stay where they were put: none in git, none in what the node or the tools emit.

Marker secrets are planted, and then all that came out is searched for them in every form in which
they might have travelled.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from rigs.leaks import LOGIN, MARKERS, QUESTIONS, USER, WIFI, ask_for_everything, leaks, node_files
from rigs.port import SCRIPTS
from rigs.tls import HOST, INTERPRETERS, Node, TlsBroker, need, wait_until

from fieldpost import node_process
from fieldpost.certs.authority import Authority
from fieldpost.mqtt import url as mqtt_url
from fieldpost.mqtt.brokers import Broker
from fieldpost.mqtt.client import Connection
from fieldpost.node_process import Interpreter, NodeProcess
from fieldpost.paths import ROOT


def fieldpost(*arguments: str, **environment: str) -> str:
    """All that `fieldpost …` prints, on either stream."""
    done = subprocess.run(
        [sys.executable, "-m", "fieldpost", *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT / "tools"), **environment},
        capture_output=True,
        text=True,
        timeout=30,
    )
    return done.stdout + done.stderr


def test_the_search_finds_what_it_is_for() -> None:
    for secret in MARKERS:
        carriers = (
            secret,
            quote(secret, safe=""),
            json.dumps({"x": secret}),
            base64.b64encode(secret.encode()).decode(),
            secret.encode().hex(),
            repr(secret.encode()),
        )
        for carrier in carriers:
            assert leaks("before " + carrier + " after", secret), carrier
    assert leaks(b"x" + b"\x30\x81\x00key" + b"y", b"\x30\x81\x00key")
    assert leaks(repr(b"\x30\x81\x00key"), b"\x30\x81\x00key")
    assert not leaks("nothing", *MARKERS)


# Git --------------------------------------------------------------------------------------------


def git(*arguments: str) -> str:
    if not (ROOT / ".git").exists():
        pytest.skip("this is no git checkout")
    done = subprocess.run(
        ["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, timeout=30
    )
    assert done.returncode <= 1, done.stderr  # 1: nothing found
    return done.stdout


def test_credentials_are_ignored_wherever_they_lie() -> None:
    names = (
        "secrets.json",
        "examples/greenhouse/secrets.json",
        "certs/ca.key",
        "certs/key.der",
        "key.der",
        "nodes/kitchen/key.der",
        "broker/server.key",
        "client.key",
        "trial.json",
        "setup.json",
        "setup.key",
    )
    ignored = git("check-ignore", "--no-index", *names).split()
    assert sorted(set(names) - set(ignored)) == []


def test_no_credentials_are_in_the_tree() -> None:
    files = git("ls-files", "-z").split("\0")
    assert "firmware/app.py" in files
    endings = (".key", ".der", ".p12", ".pfx")
    assert [name for name in files if name.endswith(("secrets.json", *endings))] == []
    begin = "-----BEGIN"  # in two pieces, so that this line is not found
    pattern = begin + r" [A-Z ]*PRIVATE KEY-----$"
    assert git("grep", "-lE", "-e", pattern) == ""


# The node ---------------------------------------------------------------------------------------


@contextmanager
def crashed_once(
    folder: Path, interpreter: Interpreter, config: dict[str, Any], secrets: dict[str, Any]
) -> Iterator[list[str]]:
    """Console of a node that met a bug at its second reading, and was started again without it."""
    lines: list[str] = []
    runner = folder / "crashing.py"
    runner.write_text((SCRIPTS / "crashing.py").read_text())
    node = NodeProcess(folder, lines.append, interpreter)
    node.write_files(config, secrets)
    whole = node._command

    def crashing() -> tuple[list[str], dict[str, str]]:
        command, environment = whole()
        return [*command[:-1], str(runner)], environment

    node._command = crashing  # type: ignore[method-assign]
    try:
        node.start()
        assert wait_until(lambda: any("pause of" in line for line in lines), 20), lines
        assert wait_until(lambda: node.status is not None, 20), lines
        node.kill()
        node._command = whole  # type: ignore[method-assign]
        node.start()
        assert wait_until(lambda: sum("link: up" in line for line in lines) >= 2, 20), lines
        yield lines
    finally:
        node.kill()


@pytest.mark.parametrize("interpreter", INTERPRETERS)
def test_a_node_tells_no_password_to_console_broker_or_flash(
    tmp_path: Path, interpreter: Interpreter
) -> None:
    need(interpreter)
    folder = tmp_path / "node"
    folder.mkdir()
    heard: list[tuple[str, bytes]] = []
    with Broker(users={USER: LOGIN}) as broker:
        url = broker.url.replace("//", f"//{USER}:{quote(LOGIN, safe='')}@")
        listener = Connection(
            mqtt_url.parse(url), on_message=lambda m: heard.append((m.topic, bytes(m.payload)))
        )
        listener.open()
        listener.subscribe("#", 1)
        with crashed_once(folder, interpreter, *node_files(broker.port)) as lines:
            results = ask_for_everything(listener, heard)
            assert wait_until(
                lambda: any(b"a bug of the second reading" in payload for _, payload in heard)
            ), "the crash was never published"
        listener.close()
    console = "\n".join(lines)
    published = b"\n".join(topic.encode() + b" " + payload for topic, payload in heard)
    assert b'"outbox"' in published and b"telemetry" in published
    assert len(results) == len(QUESTIONS)
    kept = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    # That they were there to be leaked:
    assert leaks(kept.pop(folder / "secrets.json"), WIFI) and "link: up" in console
    assert leaks(published, WIFI, LOGIN) == []
    assert leaks(console, WIFI, LOGIN) == []
    assert {path.name: leaks(data, WIFI, LOGIN) for path, data in kept.items()} == {
        path.name: [] for path in kept
    }


@pytest.mark.parametrize("interpreter", INTERPRETERS)
def test_a_node_tells_nothing_of_its_key(tmp_path: Path, interpreter: Interpreter) -> None:
    authority = Authority(tmp_path / "certs")
    authority.create("Test CA")
    authority.issue_server([HOST])
    own = authority.issue_node("kitchen").path.parent
    key = (own / "key.der").read_bytes()
    # In PKCS#8 of a P-256 key, the secret itself is 32 bytes from the 36th on (RFC 5208, 5915).
    assert key[34:36] == b"\x04\x20"
    secrets = (key, key[36:68])
    with TlsBroker(authority, tmp_path) as broker:
        with Node(tmp_path / "good", broker.port, own, interpreter=interpreter) as good:
            good.says("delivered ")
        # One whose key does not parse, and one whose key is not its certificate's.
        spoilt = tmp_path / "spoilt"
        spoilt.mkdir()
        for file in own.iterdir():
            (spoilt / file.name).write_bytes(file.read_bytes())
        (spoilt / "key.der").write_bytes(key[:90])
        with Node(tmp_path / "bad", broker.port, spoilt, interpreter=interpreter) as bad:
            bad.says("nothing started")
        log = broker.log()
    for said in ("\n".join(good.lines), "\n".join(bad.lines), log):
        assert leaks(said, *secrets) == []


# The tools --------------------------------------------------------------------------------------

_SECRETS = {
    "good": {"wifi": [{"ssid": "s", "password": WIFI}], "mqtt": {"user": USER, "password": LOGIN}},
    "no user": {"wifi": [{"ssid": "s", "password": WIFI}], "mqtt": {"password": LOGIN}},
    "wrong way round": {"wifi": {WIFI: "ssid"}, LOGIN: "password", "mqtt": [LOGIN]},
    "misspelt": {"wifi": [{"ssid": "s", "pasword": WIFI}], "mqtt": {"usr": "u", "passwrd": LOGIN}},
    "too long": {"wifi": [{"ssid": "s", "password": WIFI * 9}], "mqtt": {"user": LOGIN * 99}},
}


@pytest.mark.parametrize("case", [*_SECRETS, "not json"])
def test_config_check_shows_no_secret_whatever_is_wrong_with_it(tmp_path: Path, case: str) -> None:
    config = {"node": "kitchen", "mqtt": {"host": "h"}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    text = json.dumps(_SECRETS[case]) if case in _SECRETS else f'{{"wifi": "{WIFI}", {LOGIN}'
    (tmp_path / "secrets.json").write_text(text)
    said = fieldpost("config", "check", str(tmp_path))
    said += fieldpost("config", "check", str(tmp_path), "--json")
    assert "kitchen" in said or "secrets.json" in said
    assert leaks(said, *MARKERS) == []


def test_credentials_in_the_wrong_file_are_named_and_not_shown(tmp_path: Path) -> None:
    broker = f"mqtt://ann:{LOGIN}@h"
    config = {"node": "kitchen", "mqtt": {"host": broker, "password": LOGIN}, "ssid": {"p": WIFI}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "secrets.json").write_text(json.dumps(_SECRETS["good"]))
    said = fieldpost("config", "check", str(tmp_path))
    said += fieldpost("config", "check", str(tmp_path), "--json")
    assert "belongs in secrets.json" in said
    assert leaks(said, *MARKERS) == []


@pytest.mark.parametrize("how", ["refused", "nobody there", "no host", "bad port", "no TLS", "ok"])
def test_publish_and_listen_show_no_password_of_an_address(how: str) -> None:
    coded = quote(LOGIN, safe="")
    with Broker(users={USER: LOGIN}) as broker:
        url = {
            "refused": f"mqtt://{USER}:{coded}x@127.0.0.1:{broker.port}",
            "nobody there": f"mqtt://{USER}:{coded}@127.0.0.1:9",
            "no host": f"mqtt://{USER}:{coded}@no-such-host.invalid",
            "bad port": f"mqtt://{USER}:{LOGIN}@127.0.0.1:x",
            "no TLS": f"mqtts://{USER}:{coded}@127.0.0.1:{broker.port}",
            "ok": f"mqtt://{USER}:{coded}@127.0.0.1:{broker.port}",
        }[how]
        said = ""
        for command in (
            ["publish", "t"],
            ["listen", "t", "--timeout", "1"],
            ["listen", "t", "--timeout", "1", "--json"],
        ):
            said += fieldpost(*command, "--broker", url)
        said += fieldpost("publish", "t", FIELDPOST_BROKER=url)
    assert ("connected to" in said) == (how == "ok"), said
    assert leaks(said, LOGIN) == []


def test_help_shows_no_password_of_the_environment() -> None:
    for command in ("publish", "listen"):
        said = fieldpost(command, "--help", FIELDPOST_BROKER=f"mqtt://u:{quote(LOGIN)}@h")
        assert "FIELDPOST_BROKER" in said
        assert leaks(said, LOGIN) == []


def test_files_that_the_tools_write_for_a_node_are_its_owners_alone(tmp_path: Path) -> None:
    node = node_process.NodeProcess(tmp_path, print)
    node.write_files({"node": "x"}, {"wifi": []})
    assert (tmp_path / "secrets.json").stat().st_mode & 0o777 == 0o600
