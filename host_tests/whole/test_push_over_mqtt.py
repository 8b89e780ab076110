"""`fieldpost config push --node` and `pull --node` with whole nodes in MicroPython."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import pytest
from rigs.command_line import Ran, fieldpost
from rigs.commanded_node import RESTART, Node

from fieldpost.messages.dialogue import Dialogue
from fieldpost.mqtt import brokers
from fieldpost.mqtt.brokers import Broker
from fieldpost.node_process import send_ctrl_c
from fieldpost.paths import ROOT
from fieldpost.push.parts import questions

SENSORS = [
    {"type": "simulated", "name": f"place_{n}", "prefix": True, "period_s": 120 + n}
    for n in range(16)
]


class Restarting(Node):
    """Is started again by itself, as a board is, whenever it restarts."""

    def __enter__(self) -> Self:
        self.start()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._keep, daemon=True)
        self._thread.start()
        return self

    def _keep(self) -> None:
        while not self._end.is_set():
            assert self._process
            if self._process.poll() == RESTART:
                self.start(connects=False)
            self._end.wait(0.02)

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()
        self.close()


@pytest.fixture(scope="module")
def broker() -> Iterator[Broker]:
    with Broker() as one:
        yield one


def config(folder: Path, value: dict[str, Any]) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(value))
    return folder


def run(broker: brokers.Broker, *words: object, **keys: Any) -> Ran:
    ran = fieldpost(
        "config", *map(str, words), environment={"FIELDPOST_BROKER": broker.url}, **keys
    )
    ran.check()
    return ran


def node_in(tmp_path: Path, name: str, broker: brokers.Broker, **keys: Any) -> Restarting:
    folder = tmp_path / name
    folder.mkdir()
    return Restarting(folder, name, broker, **keys)


def test_pulled_changed_and_pushed_it_is_kept_and_says_its_reading(
    tmp_path: Path, broker: brokers.Broker
) -> None:
    with node_in(tmp_path, "roof", broker, led=True) as node:
        before = node.config()
        ran = run(broker, "pull", tmp_path / "pulled", "--node", "roof")
        assert ran.status == 0 and "its configuration is in" in ran.out, ran
        pulled = json.loads((tmp_path / "pulled" / "config.json").read_text())
        assert pulled == before
        secrets = {"wifi": [{"ssid": "marker", "password": "marker-word"}]}
        (tmp_path / "pulled" / "secrets.json").write_text(json.dumps(secrets))
        ran = run(broker, "push", tmp_path / "pulled", "--node", "roof")
        assert ran.status == 0 and "nothing to change" in ran.out, ran
        assert len(json.dumps(SENSORS)) > 1024, "more than two commands can carry"
        wanted = {**pulled, "sensors": SENSORS, "health_s": 77}
        del wanted["led"]
        config(tmp_path / "pulled", wanted)
        ran = run(broker, "push", tmp_path / "pulled", "--node", "roof", is_terminal=False)
        assert ran.status == 0, ran
        assert "sensors.15" in ran.out and "led: true → not set" in ran.out
        assert "health_s: 77 (new)" in ran.out and "keeps it" in ran.out
        assert "first reading: place_0_temperature" in ran.out
        assert "5 minutes" in ran.err and "by itself" in ran.err
        assert "secrets.json stays here" in ran.out and "marker-" not in ran.out + ran.err
        assert node.config() == wanted
        assert not (node.folder / "config.parts").exists()
        secrets = json.loads((node.folder / "secrets.json").read_text())
        assert secrets["wifi"][0]["password"] == "correct horse"


def test_what_needs_no_restart_is_in_force_at_once_and_a_reading_is_asked_for(
    tmp_path: Path, broker: brokers.Broker
) -> None:
    with node_in(tmp_path, "live", broker, sample_s=3600) as node:
        wanted = config(tmp_path / "new", {**node.config(), "sample_s": 1800, "health_s": 60})
        ran = run(broker, "push", wanted, "--node", "live", "--json")
        told = json.loads(ran.out)
        assert ran.status == 0 and told["ok"] and told["verdict"] == "in force", told
        assert told["written"] == ["config.json"] and "temperature" in told["reading"]
        assert node.config()["sample_s"] == 1800


@pytest.mark.slow
def test_a_trial_that_fails_is_told_with_its_reason_and_the_way_back(
    tmp_path: Path, broker: brokers.Broker
) -> None:
    with node_in(tmp_path, "strayed", broker) as node:
        before = node.config()
        new = {**before, "led": True, "mqtt": {**before["mqtt"], "port": 1}}
        for words, where in ((("--json",), "out"), ((), "err")):
            ran = run(broker, "push", config(tmp_path / "new", new), "--node", "strayed", *words)
            said = getattr(ran, where)
            assert ran.status == 1 and "the setting before is back" in said, ran
            assert "has the configuration back that it had" in said.replace("\n", " ")
            assert node.config() == before
        told = json.loads(run(broker, "pull", tmp_path / "b", "--node", "strayed", "--json").out)
        assert told["ok"] and json.loads((tmp_path / "b" / "config.json").read_text()) == before


@pytest.mark.slow
def test_a_node_that_sleeps_is_told_all_in_one_wake_and_says_when_it_is_due(
    tmp_path: Path, broker: brokers.Broker
) -> None:
    with node_in(tmp_path, "sleeper", broker, mode="duty_cycle", sample_s=4) as node:
        time.sleep(1)  # asleep by now; its session is the broker's to keep
        new = {**node.config(), "sensors": SENSORS[:8], "awake_limit_s": 20}
        ran = run(broker, "push", config(tmp_path / "new", new), "--node", "sleeper")
        assert ran.status == 0 and "place_7" in ran.out, ran
        said = ran.err.replace("\n", " ")
        assert "sleeper is asleep, and due" in said and "3 wakes" in said
        assert said.count("is asleep") == 1, "it was kept awake for the rest"
        assert node.config() == new
        ran = run(broker, "pull", tmp_path / "p", "--node", "sleeper", "--timeout", "30")
        assert ran.status == 0, ran


@pytest.mark.slow
def test_a_sleeper_goes_back_by_itself_too(tmp_path: Path, broker: brokers.Broker) -> None:
    with node_in(tmp_path, "drowsy", broker, mode="duty_cycle", sample_s=1) as node:
        before = node.config()
        new = config(tmp_path / "new", {**before, "mqtt": {**before["mqtt"], "port": 1}})
        ran = run(broker, "push", new, "--node", "drowsy", "--json")
        told = json.loads(ran.out)
        assert ran.status == 1 and told["verdict"] == "went back", told
        assert told["error"]["code"] == "went_back" and not told["written"]
        assert node.config() == before


def test_a_power_cut_between_two_parts_loses_none_and_changes_nothing(
    tmp_path: Path, broker: brokers.Broker
) -> None:
    folder = tmp_path / "cut"
    folder.mkdir()
    node = Node(folder, "cut", broker)
    node.start()
    try:
        before = node.config()
        first, last = questions(before, {**before, "sensors": SENSORS[:7]}, "m")
        del last.arguments["mark"]
        with Dialogue("cut", broker=broker.url, timeout_s=15) as dialogue:
            assert dialogue.ask(first)[0]["ok"]
        node.close()  # SIGKILL: not a word more, not a byte
        assert node.config() == before
        node.start()
        with Dialogue("cut", broker=broker.url, timeout_s=15) as dialogue:
            assert dialogue.ask(last)[0]["on_trial"]
        node.wait_for_restart()
        assert node.config()["sensors"] == SENSORS[:7]
    finally:
        node.close()


@pytest.mark.slow
def test_ctrl_c_says_in_which_state_the_node_is(tmp_path: Path, broker: brokers.Broker) -> None:
    with node_in(tmp_path, "far", broker, mode="duty_cycle", sample_s=600) as node:
        time.sleep(1)
        new = config(tmp_path / "new", {**node.config(), "led": True})
        words = ("config", "push", str(new), "--node", "far", "--broker", broker.url)
        tool = subprocess.Popen(
            [sys.executable, "-m", "fieldpost", *words],
            env={**os.environ, "PYTHONPATH": str(ROOT / "tools")},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert tool.stderr
        first = tool.stderr.readline()
        assert "far is asleep, and due in" in first and "waiting for 3 wakes" in first
        send_ctrl_c(tool)
        _, said = tool.communicate(timeout=20)
        assert tool.returncode == 130
        assert "nothing is changed: far has the configuration that it had" in said


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"sample_z": 1}, "sample_z"),
        ({"node": "another"}, "gets its name on a cable"),
        ({"commands": "off"}, "with the board at hand"),
        ({"mqtt": {"host": "127.0.0.1", "port": 1, "base": "x"}}, "mqtt.base"),
        ({"board": "pico-w", "sensors": [{"type": "digital", "pin": 23}]}, "radio"),
    ],
)
def test_what_is_not_for_the_node_is_refused_before_anything_is_sent(
    tmp_path: Path, owned: Restarting, broker: brokers.Broker, change: dict[str, Any], why: str
) -> None:
    before = owned.config()
    new = config(tmp_path / "new", {**before, **change})
    ran = run(broker, "push", new, "--node", owned.name, "--json")
    told = json.loads(ran.out)
    assert ran.status == 1 and why in told["error"]["message"], told
    assert owned.config() == before


def test_where_the_login_goes_is_for_the_cable(
    tmp_path: Path, owned: Restarting, broker: brokers.Broker
) -> None:
    before = owned.config()
    new = {**before, "mqtt": {**before["mqtt"], "host": "thief.example"}}
    ran = run(broker, "push", config(tmp_path / "new", new), "--node", owned.name)
    said = ran.err.replace("\n", " ")
    assert ran.status == 1 and "decides where the login goes" in said and "--port" in said
    assert owned.config() == before


def test_a_dry_run_sends_nothing(
    tmp_path: Path, owned: Restarting, broker: brokers.Broker
) -> None:
    before = owned.config()
    new = config(tmp_path / "new", {**before, "led": True})
    ran = run(broker, "push", new, "--node", owned.name, "--dry-run")
    assert ran.status == 0 and "led: true (new)" in ran.out and "nothing was sent" in ran.out
    assert owned.config() == before


@pytest.fixture(scope="module")
def owned(
    tmp_path_factory: pytest.TempPathFactory, broker: brokers.Broker
) -> Iterator[Restarting]:
    """A node that only its owner may send elsewhere."""
    with node_in(tmp_path_factory.mktemp("owned"), "owned", broker, commands="safe") as node:
        yield node


@pytest.mark.slow
def test_a_node_that_nobody_knows_is_said_so_and_one_place_is_meant(
    tmp_path: Path, broker: brokers.Broker
) -> None:
    new = config(tmp_path / "new", {"node": "ghost", "mqtt": {"host": "h"}})
    ran = run(broker, "push", new, "--node", "ghost", "--timeout", "0.5", "--json")
    assert json.loads(ran.out)["error"]["code"] == "no_node"
    ran = run(broker, "pull", new, "--node", "ghost", "--port", "/dev/x")
    assert ran.status == 2
