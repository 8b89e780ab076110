"""Whole nodes: main.py in MicroPython, a folder as its file system, a real broker, a witness."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from pathlib import Path

import pytest
from rigs.mosquitto import need_mosquitto
from rigs.port import run_port
from rigs.port_node import (
    SECRETS,
    PortNode,
    Witness,
    configuration,
    library_of,
    wait_until,
)
from rigs.session import VERSIONS

from fieldpost.mqtt.brokers import Broker
from fieldpost.processes import programs

# Readings --------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
def test_a_killed_broker_and_a_power_cut_cost_no_reading(tmp_path: Path, version: str) -> None:
    """Each arrives in order, and exactly once by its key."""
    need_mosquitto("amqtt keeps no session when it is killed")
    with Broker("mosquitto", persistence=True) as broker, Witness(broker.port) as witness:
        # It keeps the witness's session from here on, also when it is killed: the node is often
        # back before the witness.
        broker.stop()
        broker.start()
        with PortNode(tmp_path / "node", configuration(broker.port), version) as node:
            wait_until(lambda: len(witness.keys()) >= 2)
            broker.kill()
            before = len(node.taken())
            wait_until(lambda: len(node.taken()) >= before + 2)
            node.cut_power()
            first = len(node.taken())
            node.start()
            wait_until(lambda: len(node.taken()) >= first + 1)
            broker.start()
            wait_until(lambda: set(node.taken()) <= set(witness.keys()))
            last = len(node.taken())
            wait_until(lambda: len(witness.keys()) > last)
            assert node.interrupt() == 0
        keys = witness.keys()
        assert keys == sorted(keys)
        assert witness.account.out_of_order == 0
        assert {boot for boot, _ in keys} == {1, 2}
        assert set(node.taken()) >= set(keys)
        account = witness.account
        account.taken.update(node.taken())
        assert account.duplicated == 0
        # What waited has its time, too: it was taken when the clock was set.
        assert all("ts" in reading for reading in account.delivered.values())


def test_amqtt_is_served_as_well(tmp_path: Path) -> None:
    with Broker("amqtt") as broker, Witness(broker.port) as witness:
        with PortNode(tmp_path / "node", configuration(broker.port)) as node:
            wait_until(lambda: len(witness.keys()) >= 3)
            assert node.interrupt() == 0
        assert witness.keys()[:3] == [(1, 0), (1, 1), (1, 2)]
        assert witness.said("fieldpost/port/status")[0] == {"state": "online"}


def test_a_node_says_when_it_goes_and_the_broker_says_when_it_vanished(tmp_path: Path) -> None:
    status = "fieldpost/port/status"
    with (
        Broker() as broker,
        Witness(broker.port) as witness,
        PortNode(tmp_path / "node", configuration(broker.port)) as node,
    ):
        wait_until(lambda: witness.said(status) == [{"state": "online"}])
        assert node.interrupt() == 0
        wait_until(lambda: witness.said(status)[1:] == [{"state": "offline"}])
        node.start()
        wait_until(lambda: witness.said(status)[2:] == [{"state": "online"}])
        node.cut_power()
        wait_until(lambda: witness.said(status)[3:] == [{"state": "offline"}])


def test_a_wrong_password_is_told_and_the_readings_are_kept(tmp_path: Path) -> None:
    with Broker(users={"port": "right"}) as broker:
        with PortNode(tmp_path / "node", configuration(broker.port)) as node:
            wrong = SECRETS | {"mqtt": {"user": "port", "password": "mistaken"}}
            node.cut_power()
            (tmp_path / "node" / "secrets.json").write_text(json.dumps(wrong))
            node.start()
            line = node.says("link: not authorised")
            assert float(line.split("next try in ")[1].split()[0]) >= 1
            node.says("2 waiting")
            assert node.interrupt() == 0
            assert not any("mistaken" in line for line in node.lines)
        assert list((tmp_path / "node" / "outbox").glob("*.seg"))


# One message from the REPL ---------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
def test_what_publish_sends_from_the_repl_mosquitto_sub_prints(
    tmp_path: Path, version: str
) -> None:
    program = programs.find("mosquitto_sub")
    if not program:
        pytest.skip("mosquitto_sub is not installed")
    with Broker() as broker:
        (tmp_path / "config.json").write_text(json.dumps(configuration(broker.port)))
        (tmp_path / "secrets.json").write_text(json.dumps(SECRETS))
        command = [program, "-p", str(broker.port), "-t", "cljtest", "-v", "-C", "3", "-W", "20"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as witness:
            time.sleep(0.5)
            output = run_port(
                "from firmware import publish\n"
                'publish("cljtest", "hello")\n'
                'publish("cljtest", "kept, grün", qos=1, retain=True)\n'
                'publish("cljtest")\n',
                cwd=tmp_path,
                first=library_of(version, tmp_path),
                heap="384K",
            )
            printed = witness.communicate(timeout=25)[0]
        assert printed.splitlines() == [
            "cljtest hello",
            "cljtest kept, grün",
            "cljtest Hello from Fieldpost",
        ]
        assert output.splitlines()[:4] == [
            f"connected to 127.0.0.1:{broker.port}",
            "publishing to cljtest: hello",
            "delivery complete",
            "disconnected",
        ]
        kept = subprocess.run(
            [*command[:-4], "-C", "1", "-W", "5"], capture_output=True, text=True, timeout=20
        )
        assert kept.stdout == "cljtest kept, grün\n"


def test_starts_that_a_person_interrupts_do_not_lead_to_safe_mode(tmp_path: Path) -> None:
    """As `fieldpost boards` and `deploy` do, one after the other, at a desk without a broker."""
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        config = configuration(nobody.getsockname()[1])
    with PortNode(tmp_path / "node", config) as node:
        for times in range(1, 8):
            node.says("ready:", times)
            assert node.interrupt() == 0
            node.start()
        node.says("ready:", 8)
        assert not any("safe mode" in line for line in node.lines)


# What goes wrong at the start ------------------------------------------------------------------


def test_a_bad_configuration_starts_nothing_and_tells_every_error(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.2)
        config = configuration(listener.getsockname()[1])
        config |= {"node": "No Spaces!", "sample_s": -5, "helth_s": 60}
        with PortNode(tmp_path / "node", config, FIELDPOST_UNIX_LED="1") as node:
            node.says("nothing started")
            node.says("LED on")
            told = [line for line in node.lines if "configuration: " in line]
            assert any("node" in line and "No Spaces!" in line for line in told)
            assert any("sample_s" in line and "-5" in line for line in told)
            assert any("helth_s" in line and "health_s" in line for line in told)
            assert "3 errors, nothing started" in told[3]
            with pytest.raises(TimeoutError):
                listener.accept()
            assert node.interrupt() == 0
            assert node.lines[-1] == "LED off"
        assert sorted(path.name for path in (tmp_path / "node").iterdir()) == [
            "config.json",
            "secrets.json",
        ]


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("config.json", None, "config.json: there is no such file"),
        ("secrets.json", None, "secrets.json: there is no such file"),
        ("config.json", '{"node": "po', "config.json: is not JSON"),
        ("config.json", "[]", "config.json"),
    ],
)
def test_a_missing_or_broken_file_is_named(
    tmp_path: Path, name: str, content: str | None, told: str
) -> None:
    with PortNode(tmp_path / "node", configuration(1)) as node:
        node.cut_power()
        node.lines.clear()
        if content is None:
            (tmp_path / "node" / name).unlink()
        else:
            (tmp_path / "node" / name).write_text(content)
        node.start()
        node.says("1 errors, nothing started")
        assert any(told in line for line in node.lines)


# What escapes ----------------------------------------------------------------------------------


def test_a_crash_is_kept_and_published_at_the_next_start_and_the_pause_grows(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "node"
    health = "fieldpost/port/health"
    with Broker() as broker, Witness(broker.port) as witness:
        config = configuration(broker.port, health_s=10)
        for pause_s in (5, 10, 20):
            with PortNode(folder, config, script="crashing.py") as node:
                assert node.status() == 3  # asks for a restart
                node.says("RuntimeError: a bug of the second reading")
                node.says(f"pause of {pause_s} s")
            kept = (folder / "crash.txt").read_text()
            assert "RuntimeError: a bug of the second reading" in kept
            assert "line" in kept and "sampler" in kept
        with PortNode(folder, None) as node:
            wait_until(
                lambda: any(
                    "a bug of the second" in r.get("crash", "") for r in witness.said(health)
                )
            )
            wait_until(lambda: not (folder / "crash.txt").exists())
            assert node.interrupt() == 0
        # What was taken before each crash came through.
        wait_until(lambda: {(boot, 0) for boot in (1, 2, 3, 4)} <= set(witness.keys()))
