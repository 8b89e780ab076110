"""A broker at a bench says how to reach it, lets in who may, and ends with Ctrl-C.

Everything here listens on loopback alone: 127.0.0.2 stands for every interface.
"""

import io
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from fieldpost.bench_broker import addresses, bench
from fieldpost.bench_broker.bench import Options, broker_command
from fieldpost.bench_broker.report import Report
from fieldpost.bench_broker.visitors import Visitors
from fieldpost.certs.authority import Authority
from fieldpost.cli import app
from fieldpost.errors import CommandError
from fieldpost.mqtt import url as mqtt_url
from fieldpost.mqtt.brokers import HOST, Broker, find_mosquitto, free_port
from fieldpost.mqtt.client import Connection
from fieldpost.mqtt.tls import ClientFiles
from fieldpost.paths import ROOT
from fieldpost.terminal.console import Console

_NETWORK = "192.168.1.7"
needs_mosquitto = pytest.mark.skipif(not find_mosquitto(), reason="Mosquitto is not installed")


@contextmanager
def running(*options: str, folder: Path, **environment: str) -> Iterator[dict[str, Any]]:
    """`fieldpost broker --loopback --json …`: what it says. It ends with Ctrl-C, status 0."""
    process = subprocess.Popen(
        [sys.executable, "-m", "fieldpost", "broker", "--loopback", "--json", *options],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT / "tools"), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout
        line = process.stdout.readline()
        assert line, process.communicate()[1]
        told = json.loads(line)
        yield told
        process.send_signal(signal.SIGINT)
        rest = process.communicate(timeout=20)
        assert process.returncode == 0, rest
        assert rest[0] == ""
        with pytest.raises(OSError):
            socket.create_connection((HOST, told["port"]), 1)
    finally:
        process.kill()
        process.communicate()


def reach(url: str, files: ClientFiles | None = None) -> None:
    connection = Connection(mqtt_url.parse(url, files))
    connection.open()
    connection.close()


def test_it_says_where_it_is_serves_and_ends_with_ctrl_c(tmp_path: Path) -> None:
    port = free_port()
    with running("--port", str(port), folder=tmp_path) as told:
        assert told["ok"]
        assert told["local_url"] == f"mqtt://127.0.0.1:{port}"
        assert told["url"] is None  # no board can reach loopback
        reach(told["local_url"])
    assert list(tmp_path.iterdir()) == []


def test_amqtt_serves_with_a_password_that_is_made_up(tmp_path: Path) -> None:
    arguments = ("--using", "amqtt", "--user", "ann", "--port", str(free_port()))
    with running(*arguments, folder=tmp_path) as told:
        assert told["program"] == "amqtt"
        place = told["local_url"].partition("://")[2]
        reach(f"mqtt://ann:{told['password']}@{place}")
        with pytest.raises(CommandError, match="refused"):
            reach(told["local_url"])


def test_a_password_that_was_given_is_not_repeated(tmp_path: Path) -> None:
    arguments = ("--user", "ann", "--port", str(free_port()))
    with running(*arguments, folder=tmp_path, FIELDPOST_BROKER_PASSWORD="geheim") as told:
        assert "geheim" not in json.dumps(told)
        reach(f"mqtt://ann:geheim@127.0.0.1:{told['port']}")


@pytest.mark.slow
@pytest.mark.parametrize("using", ["mosquitto", "amqtt"])
def test_tls_is_had_with_a_certificate_that_is_made(tmp_path: Path, using: str) -> None:
    if using == "mosquitto" and not find_mosquitto():
        pytest.skip("Mosquitto is not installed")
    arguments = ("--tls", "--using", using, "--port", str(free_port()))
    with running(*arguments, folder=tmp_path) as told:
        assert told["local_url"].startswith("mqtts://")
        reach(told["local_url"], ClientFiles(tmp_path / told["ca"]))
        with pytest.raises(CommandError):
            reach(f"mqtt://127.0.0.1:{told['port']}")


@pytest.mark.slow
@needs_mosquitto
def test_with_certificates_it_knows_each_who_comes(tmp_path: Path) -> None:
    with running("--certificates", "--port", str(free_port()), folder=tmp_path) as told:
        own = tmp_path / "certs" / "people" / "bench"
        files = ClientFiles(own / "ca.crt", own / "client.crt", own / "client.key")
        reach(told["local_url"], files)
        with pytest.raises(CommandError):
            reach(told["local_url"], ClientFiles(tmp_path / told["ca"]))


def test_a_port_that_was_asked_for_and_is_taken_ends_it_with_who_has_it(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(
            CommandError, match=rf"port {port} is taken by .*process {os.getpid()}"
        ):
            broker_command(Options(port=port, is_loopback=True))


def test_the_usual_port_that_is_taken_is_replaced_by_the_next(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(addresses, "is_free", lambda _host, port: port > 1884)
    monkeypatch.setattr(addresses, "holder", lambda _port: "mosquitto (process 812)")
    assert bench._port(Options(), HOST) == 1885
    told = capsys.readouterr().err
    assert told == "Port 1883 is taken by mosquitto (process 812). This one gets port 1885.\n"


def test_a_broker_that_dies_ends_the_command_with_its_last_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    start = Broker.start

    def start_and_die(self: Broker) -> None:
        start(self)
        assert self.pid
        os.kill(self.pid, signal.SIGKILL)

    monkeypatch.setattr(Broker, "start", start_and_die)
    with pytest.raises(CommandError, match="has ended by itself"):
        broker_command(Options(port=free_port(), is_loopback=True))


def test_a_name_and_certificates_exclude_each_other() -> None:
    done = CliRunner().invoke(app, ["broker", "--user", "ann", "--certificates"])
    assert isinstance(done.exception, CommandError)


# What a person is told --------------------------------------------------------------------------


@pytest.fixture
def everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every interface of a machine that is 192.168.1.7, as 127.0.0.2."""
    monkeypatch.setattr(bench, "EVERYWHERE", "127.0.0.2")
    monkeypatch.setattr(addresses, "addresses", lambda: [_NETWORK, "10.0.0.7"])
    monkeypatch.setattr(addresses, "host_names", lambda: ["bench", "bench.local"])
    # Ends as soon as all is said.
    monkeypatch.setattr(Broker, "running", lambda self: _interrupt() if self.pid else False)


def _interrupt() -> bool:
    # Broker.start() asks, too, and needs an answer.
    frame = sys._getframe(2)
    if frame.f_code.co_name == "_serve":
        raise KeyboardInterrupt
    return True


_OPTIONS = Options(using="amqtt" if not find_mosquitto() else None)


def said(capsys: pytest.CaptureFixture[str], monkeypatch: Any, **changed: Any) -> str:
    monkeypatch.setenv("COLUMNS", "300")
    broker_command(replace(_OPTIONS, **changed))
    return capsys.readouterr().out


@pytest.mark.usefixtures("everywhere")
def test_a_person_gets_the_address_of_this_machine_and_the_lines_to_type(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    text = said(capsys, monkeypatch, port=port)
    assert "every interface" in text
    assert "You asked for it" in text
    assert f"for a board      mqtt://{_NETWORK}:{port}\n" in text
    assert f"  or             mqtt://10.0.0.7:{port}\n" in text
    assert f"FIELDPOST_BROKER=mqtt://{_NETWORK}:{port} fieldpost provision\n" in text
    assert f'"mqtt": {{"host": "{_NETWORK}", "port": {port}}}' in text
    assert f"mosquitto_sub -p {port} -v -t 'fieldpost/#'" in text
    assert text.endswith("The broker has ended.\n")


def test_the_usual_port_is_left_out_of_what_is_typed() -> None:
    console = Console(file=io.StringIO(), width=100)
    broker = Broker(_OPTIONS.using, port=1883)  # never started
    try:
        Report(broker, [_NETWORK], False, None, None).show(console)
    finally:
        broker.close()
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert f"for a board      mqtt://{_NETWORK}\n" in text
    assert f'"mqtt": {{"host": "{_NETWORK}"}}\n' in text


@pytest.mark.usefixtures("everywhere")
def test_the_certificate_is_for_every_name_of_this_machine_and_keeps_those_it_had(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = tmp_path / "my certs"
    authority = Authority(folder)
    authority.create("Mine")
    authority.issue_server(["broker.lan"])
    text = said(capsys, monkeypatch, port=free_port(), certs=folder)
    server = next(one for one in authority.certificates() if one.kind == "server")
    names = ["broker.lan", _NETWORK, "10.0.0.7", "bench", "bench.local", "localhost", HOST]
    assert list(server.names) == names
    line = next(one for one in text.splitlines() if "fieldpost listen" in one)
    assert str(folder / "ca.crt") in shlex.split(line)
    before = server.path.read_bytes()
    said(capsys, monkeypatch, port=free_port(), certs=folder)
    assert server.path.read_bytes() == before  # nothing was lacking


def test_who_comes_and_goes_is_told_once_each_and_our_own_look_at_the_port_is_not(
    tmp_path: Path,
) -> None:
    log = tmp_path / "log"
    visitors = Visitors(log)
    assert visitors.news() == []
    log.write_text(
        "1795782804: New connection from 127.0.0.1:36466 on port 1883.\n"
        "1795782804: Client <unknown> closed its connection.\n"
        "1795782804: Client connection from 127.0.0.1 failed: error:0A000126:SSL "
        "routines::unexpected eof while reading.\n"
        "1795782804: New client connected from 192.168.1.30:36466 as greenhouse (p2, c1, k60).\n"
        "1795782805: Client greenh"
    )
    clock = time.strftime("%H:%M:%S", time.localtime(1795782804))
    assert visitors.news() == [
        f"{clock}  New client connected from 192.168.1.30:36466 as greenhouse (p2, c1, k60)."
    ]
    with log.open("a") as file:
        file.write("ouse disconnected.\n")
    assert [line[10:] for line in visitors.news()] == ["Client greenhouse disconnected."]
    assert visitors.news() == []
