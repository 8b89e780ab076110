"""`fieldpost cmd`, each command of the table, against a node in MicroPython: awake and asleep."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rigs.commanded_node import Node, Results

from fieldpost import cli
from fieldpost.messages import dialogue
from fieldpost.mqtt import brokers
from fieldpost.paths import ROOT
from firmware.remote import commands

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(
    broker: brokers.Broker, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """`fieldpost cmd WORDS…`: its status, standard output and standard error."""

    def one(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["fieldpost", "cmd", *words, "--broker", broker.url])
        status: object = 0
        try:
            cli.main()
        except SystemExit as ended:
            status = ended.code or 0
        said = capsys.readouterr()
        assert isinstance(status, int)
        return status, said.out, said.err

    return one


@pytest.fixture
def awake(tmp_path: Path, broker: brokers.Broker) -> Iterator[Node]:
    node = Node(tmp_path, "awake", broker)
    node.start()
    yield node
    node.close()


@pytest.fixture
def sleeper(tmp_path: Path, broker: brokers.Broker) -> Iterator[Node]:
    node = Node(tmp_path, "sleeper", broker, mode="duty_cycle", sample_s=1, led=True)
    node.start()
    yield node
    node.close()


def exercise(node: Node, run: Run) -> set[str]:
    """Every command that restarts nothing, as a person would type it; their names."""

    def told(*words: str) -> str:
        status, output, error = run(node.name, *words)
        assert status == 0, error
        assert output.startswith(f"{node.name}: done\n")
        return output

    assert "  value: 1\n" in told("get", "sample_s")
    assert '"host": "127.0.0.1"' in told("get", "key=mqtt")
    assert "  key: health_s\n" in told("set", "health_s=60")
    assert node.config()["health_s"] == 60
    told("set", "health_s=61", "log_level=debug")
    assert "  key: health_s\n" in told("set", "key=health_s", "value=60")
    assert node.config()["health_s"] == 60 and node.config()["log_level"] == "debug"
    assert "  value: 60\n" in told("get", "key=health_s")
    told("sample")
    assert "  waiting: " in told("deliver")
    before = node.blinks
    told("identify")
    end = time.monotonic() + 5
    while node.blinks < before + 5:
        assert time.monotonic() < end, "nobody would find it"
        time.sleep(0.05)
    outbox = told("outbox")
    assert re.search(r"  depth: \d+\n", outbox) and "  dropped: 0\n" in outbox
    assert " stored" in told("log")
    assert "  minutes: 0\n" in told("stay_awake", "0")
    told("forget_network")
    return {"get", "set", "sample", "deliver", "identify", "outbox", "log"} | {
        "stay_awake",
        "forget_network",
    }


def restart(node: Node, run: Run) -> set[str]:
    """The commands that restart the node."""
    status, output, _ = run(node.name, "restart", "--json")
    assert status == 0 and json.loads(output)["ok"] is True
    node.wait_for_restart()
    assert run(node.name, "safe_mode")[0] == 0
    node.wait_for_restart()
    assert "safe mode" in run(node.name, "log")[1]
    assert run(node.name, "safe_mode", "on=false")[0] == 0
    node.wait_for_restart()
    assert "safe mode" not in run(node.name, "log")[1]
    return {"restart", "safe_mode"}


def known() -> set[str]:
    return {one[3:] for one in dir(commands.Commands) if one.startswith("do_")}


@pytest.mark.slow
def test_a_node_that_is_awake_does_every_command(awake: Node, run: Run) -> None:
    assert exercise(awake, run) | restart(awake, run) == known()


@pytest.mark.slow
def test_a_node_that_sleeps_does_every_command_at_its_next_delivery(
    sleeper: Node, run: Run
) -> None:
    assert exercise(sleeper, run) == known() - {"restart", "safe_mode"}
    time.sleep(0.5)
    error = run(sleeper.name, "get", "key=mode")[2]
    assert re.search(r"sleeper is asleep, and due (now|in \d+ s): waiting for", error)
    # In safe mode a sleeper stays awake, to be helped.
    assert restart(sleeper, run) == {"restart", "safe_mode"}


@pytest.mark.slow
def test_a_wrong_broker_is_taken_back_by_a_node_that_sleeps(
    sleeper: Node, run: Run, broker: brokers.Broker
) -> None:
    right = sleeper.config()["mqtt"]["port"]
    status, output, _ = run(sleeper.name, "set", "key=mqtt.port", "value=1")
    assert status == 0 and "  on_trial: true\n" in output
    sleeper.wait_for_restart(connects=False)
    assert sleeper.config()["mqtt"]["port"] == 1
    with Results(sleeper.name, broker) as results:
        sleeper.wait_for_restart()  # by itself, after the trial
        told = results.next()
    assert told["ok"] is False and "the setting before is back" in told["error"]
    assert sleeper.config()["mqtt"]["port"] == right
    assert run(sleeper.name, "get", "key=mqtt.port")[0] == 0


def test_what_comes_behind_a_command_that_ends_the_connection_is_sent_again(
    awake: Node, broker: brokers.Broker
) -> None:
    with dialogue.Dialogue(awake.name, broker=broker.url, timeout_s=15) as told:
        behind = dialogue.Question("get", {"key": "sample_s"})
        first, second = told.ask(dialogue.Question("forget_network", {}), behind)
    assert first["ok"] is True and second["value"] == 1


def test_what_is_refused_is_said_on_the_standard_error_with_status_1(
    awake: Node, run: Run
) -> None:
    for words, why in (
        (("dance",), "unknown command dance; known: deliver, forget_network"),
        (("set", "key=sample_s", "value=0"), "must be a whole number from 1"),
        (("set", "key=sample_s"), "value is missing"),
        (("set", "key=mqtt.password", "value=x"), "credentials"),
        (("stay_awake", "minutes=long"), "minutes must be"),
        (("safe_mode", "on=perhaps"), "on must be true or false"),
    ):
        status, output, error = run(awake.name, *words)
        assert (status, output) == (1, "") and error.startswith(f"{awake.name} refuses: ")
        assert why in error
    status, output, error = run(awake.name, "dance", "--json")
    assert status == 1 and json.loads(output)["ok"] is False and error == ""


def test_what_no_node_can_take_is_not_sent(run: Run) -> None:
    for words, why in (
        (("set", "sample_s"), "NAME=VALUE"),
        (("set", "id=3"), "made here"),
        (("set", "key=node", "value=" + "x" * 500), "a node takes 512"),
    ):
        status, output, error = run("nobody", *words)
        assert (status, output) == (2, "") and why in error and "Traceback" not in error
    assert dialogue.BYTES_MAX == 512
    source = (ROOT / "firmware" / "remote" / "inbox.py").read_text()
    assert f"_BYTES_MAX = const({dialogue.BYTES_MAX})" in source


def test_an_offline_node_is_said_so(awake: Node, run: Run) -> None:
    awake.interrupt()
    status, _, error = run(awake.name, "outbox", "--timeout", "1")
    assert status == 1 and "awake did not answer" in error


@pytest.mark.slow
def test_the_log_is_bounded_and_its_level_is_set_by_configuration_and_command(
    tmp_path: Path, broker: brokers.Broker, run: Run
) -> None:
    node = Node(tmp_path, "quiet", broker, log_level="warning")
    node.start(connects=False)
    try:
        end = time.monotonic() + 15
        while run(node.name, "get", "key=log_level", "--timeout", "1")[0] != 0:
            assert time.monotonic() < end
        lines = json.loads(run(node.name, "log", "--json")[1])["lines"]
        # The first line comes before the configuration was read.
        assert len(lines) == 1 and "reset:" in lines[0]
        assert run(node.name, "set", "key=log_level", "value=info")[0] == 0
        for _ in range(14):
            assert run(node.name, "outbox")[0] == 0
        lines = json.loads(run(node.name, "log", "--json")[1])["lines"]
        assert len(lines) == 12 and max(map(len, lines)) <= 120
        assert node.config()["log_level"] == "info", "it must survive a restart"
    finally:
        node.close()
