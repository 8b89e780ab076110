"""Settings changed by command: what a flash that refuses, or a link that breaks, does to them."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
from rigs.field import Field

from fakes.flash import FakeFlash
from firmware.config import change as settings
from firmware.config import check as schema
from firmware.remote.commands import Actions, Commands
from firmware.remote.inbox import Inbox
from simulation.scenario import BROKER

CONFIG = {"node": "n", "sample_s": 60, "mqtt": {"host": "broker.example"}}
SECRETS = {"wifi": [{"ssid": "home", "password": "correct horse"}]}
TOPIC = b"fieldpost/n/cmd"


class Session:
    """Keeps what is published; `waiting`: the broker has not acknowledged it yet."""

    def __init__(self) -> None:
        self.answers: list[dict[str, Any]] = []
        self.waiting = False

    def publish(self, _topic: bytes, payload: bytes, _retain: bool, _qos: int) -> None:
        self.answers.append(json.loads(payload))
        self.waiting = True

    def waits(self) -> bool:
        return self.waiting


class Told:
    """A node that is told something, on a flash."""

    def __init__(self) -> None:
        self.flash = FakeFlash()
        settings._files.write_atomic("config.json", json.dumps(CONFIG).encode(), self.flash)
        self.restarts = 0
        self.start()

    def start(self) -> None:
        self.session = Session()
        self.trial = settings.Trial(self.flash)
        self.applied: dict[str, Any] = {}
        node: Any = SimpleNamespace(
            link=SimpleNamespace(session=self.session),
            apply=self.applied.__setitem__,
            publish_health=lambda: None,
            uplink=SimpleNamespace(discovery=None),
        )
        actions = Actions(node, self.flash, self._restart)
        actions.check = lambda found: schema.check(found, SECRETS)  # type: ignore[method-assign]
        self.inbox = Inbox(TOPIC, self.trial, self.flash, self._restart, lambda _text: None)
        self.commands = Commands(
            node, self.inbox, actions, self.trial, lambda _text: None, self.flash
        )

    def _restart(self) -> None:
        self.restarts += 1

    def send(self, name: str, do: str, **more: Any) -> None:
        self.inbox.receive(TOPIC, json.dumps({"id": name, "do": do, **more}).encode(), False)

    def set(self, name: str, key: str, value: Any) -> dict[str, Any]:
        self.send(name, "set", key=key, value=value)
        self.commands.step()
        return self.session.answers[-1]

    def acknowledge(self) -> None:
        self.session.waiting = False
        self.commands.step()

    def config(self) -> dict[str, Any]:
        return json.loads(self.flash.files["config.json"])


@pytest.fixture
def told() -> Told:
    return Told()


def test_a_setting_that_is_as_it_was_restarts_nothing_and_tries_nothing(told: Told) -> None:
    answer = told.set("1", "mqtt.host", "broker.example")
    assert answer == {"id": "1", "ok": True, "key": "mqtt.host"}
    told.acknowledge()
    assert told.restarts == 0 and "trial.json" not in told.flash.files


@pytest.mark.parametrize("refused", ["config.json.new", "trial.json.new"])
def test_a_setting_that_flash_refuses_is_refused_and_leaves_no_trial(
    told: Told, refused: str
) -> None:
    """The answer must come: the link is not what has failed."""
    create = told.flash.open

    def open_or_refuse(path: str, mode: str = "r") -> Any:
        if path == refused:
            raise OSError(5)
        return create(path, mode)

    told.flash.open = open_or_refuse  # type: ignore[method-assign]
    answer = told.set("1", "mqtt.host", "elsewhere.example")
    assert not answer["ok"] and "flash" in answer["error"]
    told.acknowledge()
    assert told.restarts == 0 and told.config() == CONFIG
    assert "trial.json" not in told.flash.files


@pytest.mark.parametrize("reads", [0, 1])
def test_a_setting_is_refused_while_flash_does_not_give_what_it_would_change(
    told: Told, reads: int
) -> None:
    """config.json is read for the change, and once more for the trial."""
    create, left = told.flash.open, [reads]

    def open_or_fail(path: str, mode: str = "r") -> Any:
        if path == "config.json":
            left[0] -= 1
            if left[0] < 0:
                raise OSError(5)
        return create(path, mode)

    told.flash.open = open_or_fail  # type: ignore[method-assign]
    answer = told.set("1", "mqtt.host", "elsewhere.example")
    assert not answer["ok"] and "flash" in answer["error"]
    assert told.config() == CONFIG and "trial.json" not in told.flash.files


def test_a_live_setting_is_in_force_as_the_schema_has_it(told: Told) -> None:
    """MicroPython's clock adds no 90000.0 ms."""
    assert told.set("1", "sample_s", 90.0)["ok"]
    assert told.applied == {"sample_s": 90} and isinstance(told.applied["sample_s"], int)


@pytest.mark.parametrize("late", [False, True])
def test_what_comes_behind_a_restart_is_refused_before_it(told: Told, late: bool) -> None:
    """Acknowledged to the broker, it would come to nobody's ears."""
    told.send("1", "restart")
    if late:
        told.commands.step()
    told.send("2", "set", key="sample_s", value=90)
    told.send("3", "outbox")
    for _ in range(4):
        told.commands.step()
    assert told.restarts == 0, "nobody waited for the answers"
    assert [(one["id"], one["ok"]) for one in told.session.answers] == [
        ("1", True),
        ("2", False),
        ("3", False),
    ]
    assert "send it again" in told.session.answers[-1]["error"] and told.config() == CONFIG
    told.acknowledge()
    assert told.restarts == 1


def test_a_command_that_comes_with_a_verdict_is_done_after_it(told: Told) -> None:
    told.set("1", "mqtt.host", "right.example")
    told.start()
    told.trial.step(True, 1000, None)
    told.commands.step()
    told.send("2", "dance")
    told.acknowledge()
    told.commands.step()
    assert "dance" in told.session.answers[1]["error"]


def test_a_trial_whose_end_flash_refuses_ends_a_minute_later(told: Told) -> None:
    told.set("1", "mqtt.host", "mistyped.example")
    told.start()
    told.flash.write_error = 5
    late_ms = settings.Trial.LIMIT_MS
    assert not told.trial.step(False, late_ms, "no answer")
    told.flash.write_error = None
    assert not told.trial.step(False, late_ms + 59_999, "no answer")
    assert told.trial.is_open and told.config()["mqtt"]["host"] == "mistyped.example"
    assert told.trial.step(False, late_ms + 60_000, "no answer")
    assert told.config() == CONFIG


@pytest.mark.parametrize("port", ["esp32", "rp2"])
def test_a_node_that_sleeps_tries_a_setting_in_three_wakes_before_it_takes_it_back(
    port: str,
) -> None:
    """Five minutes are over with its first sleep."""
    field = Field(port, [{"type": "simulated"}], hours=2)
    field.run.world.at(
        250_000_000,
        lambda: field.machine.orders.send("set", key="mqtt.host", value="brokre.example"),
    )
    field.run.play()
    lines = [str(one[-1]) for one in field.run.world.trace]
    assert len([one for one in lines if "next try in" in one]) == 3
    assert field.machine.orders.rolled_back == 1
    assert json.loads(field.machine.flash.files["config.json"])["mqtt"]["host"] == BROKER
    assert "trial.json" not in field.machine.flash.files and field.readings[-1]["at"] > 6600


def test_a_verdict_is_told_again_on_the_next_connection_until_it_was_acknowledged(
    told: Told,
) -> None:
    told.set("1", "mqtt.host", "right.example")
    told.start()
    assert not told.trial.step(True, 1000, None)
    verdict = {"id": "1", "key": "mqtt.host", "ok": True}
    told.commands.step()
    told.commands.tell_again()  # The connection broke.
    told.session.waiting = False
    told.commands.step()
    assert told.session.answers == [verdict, verdict]
    told.acknowledge()
    assert "trial.json" not in told.flash.files
    told.commands.tell_again()
    told.commands.step()
    assert len(told.session.answers) == 2


def test_a_restart_that_was_answered_comes_before_a_verdict(told: Told) -> None:
    told.set("1", "mqtt.host", "right.example")
    told.start()
    told.send("2", "restart")
    told.commands.step()
    told.trial.step(True, 1000, None)
    told.commands.step()
    told.acknowledge()
    assert told.restarts == 1
    told.start()
    told.commands.step()
    assert told.session.answers == [{"id": "1", "key": "mqtt.host", "ok": True}]
