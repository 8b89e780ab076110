"""Settings changed by command: what a flash that refuses, or a link that breaks, does to them."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from rigs.field import Field
from rigs.told import CONFIG, TOPIC, Told

from firmware.config import change as settings
from firmware.remote import commands
from simulation.scenario import BROKER


@pytest.fixture
def told() -> Told:
    return Told()


def test_a_power_cut_before_the_new_settings_were_in_place_leaves_no_trial(told: Told) -> None:
    note = {"id": "1", "key": "mqtt.host", "old": told.flash.files["config.json"].decode()}
    settings._files.write_atomic("trial.json", json.dumps(note).encode(), told.flash)
    told.start()
    assert not told.trial.is_open and told.trial.verdict is None
    assert "trial.json" not in told.flash.files


def test_that_commands_were_too_many_is_told_once(told: Told) -> None:
    for number in range(11):
        told.send(f"c{number}", "sample")
    for _ in range(30):
        told.acknowledge()
    too_many = [one for one in told.session.answers if one["id"] is None]
    assert [one["error"] for one in too_many] == ["too many commands at once"]
    assert [one["id"] for one in told.session.answers if one["id"]] == [f"c{n}" for n in range(8)]


def test_an_item_of_a_list_may_be_new_behind_the_last_and_goes_with_those_behind_it() -> None:
    config = {"sensors": [{"type": "internal"}]}
    settings.put(config, "sensors.1", {"type": "bme280"})
    settings.put(config, "sensors.2", {"type": "dht22"})
    assert config["sensors"] == [{"type": "internal"}, {"type": "bme280"}, {"type": "dht22"}]
    for _ in range(2):
        settings.put(config, "sensors.1")
        assert config["sensors"] == [{"type": "internal"}]
    for index in ("2", "x"):
        with pytest.raises(ValueError, match=f"no such key: sensors.{index}"):
            settings.put(config, f"sensors.{index}", {"type": "dht22"})
    assert config["sensors"] == [{"type": "internal"}]


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
    told.acknowledge()
    told.acknowledge()
    assert told.restarts == 0, "nobody waited for the last of them"
    assert [(one["id"], one["ok"]) for one in told.session.answers] == [
        ("1", True),
        ("2", False),
        ("3", False),
    ]
    assert "send it again" in told.session.answers[-1]["error"] and told.config() == CONFIG
    told.acknowledge()
    assert told.restarts == 1


@pytest.mark.parametrize("spoilt", [b"x", b"null", b"[1]", b"[[1],0,[]]", b"[[],0,[[5,false]]]"])
def test_answers_that_flash_does_not_give_back_are_none(spoilt: bytes) -> None:
    assert commands._load_owed(spoilt) == ([], 0, [])


def test_a_node_that_is_to_sample_takes_a_reading(told: Told) -> None:
    told.send("1", "sample")
    told.commands.step()
    assert told.session.answers == [{"id": "1", "ok": True}]
    assert told.samples_asked == [True]


def test_a_node_that_is_looked_for_blinks(told: Told) -> None:
    told.send("1", "identify")
    told.commands.step()
    assert told.session.answers == [{"id": "1", "ok": True}]
    assert told.blinks_s == [10]
    assert told.node.stay_awake_until_ms == 17_000, "and does not go to sleep in it"


def test_a_command_that_comes_with_a_verdict_is_done_after_it(told: Told) -> None:
    told.set("1", "mqtt.host", "right.example")
    told.start()
    told.step_trial(True, 1000)
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
    assert not told.step_trial(False, late_ms)
    told.flash.write_error = None
    assert not told.step_trial(False, late_ms + 59_999)
    assert told.trial.is_open and told.config()["mqtt"]["host"] == "mistyped.example"
    assert told.step_trial(False, late_ms + 60_000)
    assert told.config() == CONFIG
    assert not told.trial.is_open, "nobody takes back what is back"


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


@pytest.mark.parametrize("port", ["esp32", "rp2"])
def test_limits_of_the_battery_above_any_supply_are_taken_back(port: str) -> None:
    """A node that obeys them never connects again: nobody could tell it to stop."""
    meter = [{"type": "supply", "pin": 35, "scale": 2}] if port == "esp32" else []
    field = Field(port, [{"type": "simulated"}, *meter], hours=3)
    too_high = {"below_mv": 20000, "stop_mv": 20000, "stretch": 2}
    world = field.run.world
    world.at(
        int(250e6), lambda: field.machine.orders.send("set", key="low_battery", value=too_high)
    )
    field.run.play()
    assert "low_battery" not in json.loads(field.machine.flash.files["config.json"])
    silent_s = [later["at"] - one["at"] for one, later in itertools.pairwise(field.readings)]
    assert 300 < max(silent_s) < 3600 and field.readings[-1]["at"] > 2.9 * 3600
    assert any("supply too low" in str(one[-1]) for one in world.trace)


def test_a_verdict_is_told_again_on_the_next_connection_until_it_was_acknowledged(
    told: Told,
) -> None:
    told.set("1", "mqtt.host", "right.example")
    told.start()
    assert not told.step_trial(True, 1000)
    verdict = {"id": "1", "key": "mqtt.host", "ok": True}
    told.commands.step()
    told.commands.tell_again()  # The connection broke.
    told.session.others.clear()
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
    told.step_trial(True, 1000)
    told.commands.step()
    told.acknowledge()
    assert told.restarts == 1
    told.start()
    told.commands.step()
    assert told.session.answers == [{"id": "1", "key": "mqtt.host", "ok": True}]


# What only the owner may change ------------------------------------------------------------------


def told_of(**config: Any) -> Told:
    """A node whose config.json says so, instead of `CONFIG`'s "commands": "all"."""
    told = Told()
    mine = {key: value for key, value in CONFIG.items() if key != "commands"} | config
    settings._files.write_atomic("config.json", json.dumps(mine).encode(), told.flash)
    return told


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("mqtt.host", "thief.example"),
        ("mqtt.port", 1884),
        ("mqtt.tls", None),
        ("mqtt.tls.insecure_skip_verify", True),
        ("mqtt.tls.ca_file", "certs/mine.der"),
        ("mqtt.tls.server_name", "thief.example"),
        ("mqtt", {"host": "thief.example"}),
        ("ntp.host", "thief.example"),
        ("wifi.static", {"address": "10.0.0.2", "gateway": "10.0.0.1", "dns": "10.0.0.9"}),
        ("wifi", {"static": {"address": "10.0.0.2", "gateway": "10.0.0.1"}}),
        ("commands", "all"),
    ],
)
def test_no_command_sends_the_login_elsewhere_or_weakens_tls(key: str, value: Any) -> None:
    """Whoever may write to `…/cmd` must not come by the password."""
    tls = {"ca_file": "certs/ca.der"}
    told = told_of(mqtt={"host": "broker.example", "tls": tls}, ntp={"host": "time.example"})
    before = told.config()
    answer = told.set("1", key, value)
    assert answer["ok"] is False and "with the board at hand" in answer["error"]
    assert told.config() == before and "trial.json" not in told.flash.files
    told.acknowledge()
    assert told.restarts == 0


@pytest.mark.parametrize("value", ["off", "safe"])
def test_commands_are_switched_off_by_hand_alone(value: str) -> None:
    assert Told().set("1", "commands", value)["ok"] is False


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("low_battery", {"below_mv": 60000, "stop_mv": 60000}),
        ("sensors", [{"type": "driver", "driver": "machine:bootloader", "pin": 1}]),
        ("awake_pin", 3),
        ("awake_limit_s", 3),
        ("outbox.flash_kib", 0),
        ("retry.cap_s", 3600),
        ("watchdog_s", 5),
        ("mqtt.keepalive_s", 20),
        ("mode", "duty_cycle"),
    ],
)
def test_whatever_needs_a_restart_is_on_trial(key: str, value: Any) -> None:
    told = told_of()
    before = told.config()
    answer = told.set("1", key, value)
    assert answer["ok"] and answer["on_trial"], answer
    told.acknowledge()
    assert told.restarts == 1
    told.start()
    assert told.trial.is_open
    told.step_trial(False, settings.Trial.LIMIT_MS)
    assert told.config() == before


# Commands that come again ------------------------------------------------------------------------


def test_a_command_is_not_done_again_after_a_restart_or_after_many_others() -> None:
    told = Told()
    for number in range(20):
        assert told.set(f"c{number}", "sample_s", 60 + number)["ok"]
    told.start()
    for number in (0, 10, 19):
        answer = told.set(f"c{number}", "sample_s", 5)
        assert answer["ok"] is False and "done already" in answer["error"]
    assert told.config()["sample_s"] == 79


def test_what_is_remembered_of_commands_is_bounded_and_survives_garbage() -> None:
    told = Told()
    for number in range(100):
        told.set(f"c{number}".ljust(32, "x"), "sample_s", 60 + number)
    assert len(told.flash.files["commands.done"]) < 1400
    for garbage in (b"", b"{", b"5", b"\xff"):
        told.flash.files["commands.done"] = garbage
        told.start()
        assert told.set("again", "sample_s", 60)["ok"]


# Answers that have not arrived -------------------------------------------------------------------


def test_answers_go_one_at_a_time_each_until_it_is_acknowledged(told: Told) -> None:
    for name in "abc":
        told.send(name, "sample")
    for _ in range(5):
        told.commands.step()
    assert told.names() == ["a"], "an end of the connection names its cause"
    told.commands.tell_again()  # The connection broke.
    told.session.others.clear()
    told.commands.step()
    assert told.names() == ["a", "a"] and not told.commands.is_idle()
    for _ in range(3):
        told.acknowledge()
    assert told.names() == ["a", "a", "b", "c"] and told.commands.is_idle()


@pytest.mark.parametrize("sleeps", [True, False])
def test_what_has_not_arrived_and_what_is_not_done_outlasts_a_sleep_and_a_restart(
    told: Told, sleeps: bool
) -> None:
    """The broker has an acknowledgement of each of these commands, and sends none again."""
    told.send("a", "sample")
    told.commands.step()
    told.send("b", "sample")
    told.inbox.receive(TOPIC, b"", False)
    told.inbox.receive(TOPIC, b"\xff\xfe", False)
    told.inbox.receive(TOPIC, b"x" * 600, False)
    told.inbox.receive(TOPIC, b'{"id":"r","do":"sample"}', True)
    (told.commands.leave if sleeps else told.commands.keep)()
    told.start()
    assert not told.inbox.is_idle(), "it has something to tell"
    for _ in range(12):
        told.acknowledge()
    errors = [one.get("error") for one in told.session.answers]
    assert told.names() == ["a", "b", None, None, None, None]
    assert errors[2:] == [
        "not JSON",
        "not JSON",
        "larger than 512 bytes",
        "retained commands are refused",
    ]
    assert "commands.owed" not in told.flash.files
    told.start()
    assert told.inbox.is_idle()


def test_a_restart_at_a_sleep_is_answered_after_it(told: Told) -> None:
    told.send("a", "restart")
    told.commands.step()
    told.commands.leave()
    assert told.restarts == 1
    told.start()
    told.acknowledge()
    assert told.names() == ["a"] and told.session.answers[0]["ok"]


def test_a_verdict_that_has_not_arrived_is_told_once_more_after_each_sleep(told: Told) -> None:
    told.set("1", "mqtt.host", "right.example")
    told.flash.files.pop("commands.owed", None)
    told.start()
    told.step_trial(True, 1000)
    for _ in range(5):
        told.commands.step()
        told.commands.leave()
        told.start()
    told.commands.step()
    assert told.names() == ["1"]
    told.acknowledge()
    told.acknowledge()
    assert told.names() == ["1"] and "trial.json" not in told.flash.files


def test_a_flash_that_refuses_to_keep_an_answer_ends_no_sleep_and_loses_no_verdict(
    told: Told,
) -> None:
    told.set("1", "mqtt.host", "right.example")
    told.start()
    told.step_trial(True, 1000)
    told.commands.step()
    told.flash.write_error = 28
    told.commands.leave()
    told.flash.write_error = None
    assert "trial.json" in told.flash.files
    for garbage in (b"", b"{", b"[]", b"5", b"[[1],0,[]]", b"[[],0,[1]]", b"\xff"):
        told.flash.files["commands.owed"] = garbage
        told.start()
        assert not told.inbox.is_idle()
        told.inbox.queue.clear()
        told.commands.step()
        assert told.names() == ["1"]


def test_what_is_kept_is_written_once_and_bounded(told: Told) -> None:
    for number in range(40):
        told.send(f"c{number}", "nothing of the kind " * 20)
    told.inbox.receive(TOPIC, b"x" * 600, False)
    for _ in range(40):
        told.commands.step()
    told.commands.leave()
    assert 1000 < len(told.flash.files["commands.owed"]) < 12_000
    writes = told.flash.wear["commands.owed.new"].writes
    for _ in range(5):
        told.commands.leave()
    assert told.flash.wear["commands.owed.new"].writes == writes


def test_a_large_answer_that_ended_two_connections_is_told_in_short(told: Told) -> None:
    told.send("a", "x" * 300)
    told.commands.step()
    told.send("b", "sample")
    for _ in range(2):
        told.commands.leave()
        told.start()
        told.commands.step()
    assert told.session.answers[0]["ok"] is False
    assert "did not arrive" in told.session.answers[0]["note"]
    told.acknowledge()
    assert told.session.answers[1] == {"id": "b", "ok": True}


# The interpreter's own limit ---------------------------------------------------------------------


def test_the_interpreters_limit_ends_one_command_and_not_the_node(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told = Told()

    def too_deep(*_: Any) -> Any:
        """As a Pico W's JSON does at 120 brackets."""
        raise RuntimeError("maximum recursion depth exceeded")

    monkeypatch.setattr(commands.Commands, "_parse", staticmethod(too_deep))
    told.send("a", "sample")
    told.commands.step()
    assert told.session.answers == [{"id": None, "ok": False, "error": "nested too deep"}]


@pytest.mark.parametrize(
    ("id_as_json", "is_taken"),
    [
        ('"\\ud83d\\ude00"', False),
        ('"\\uD83D"', False),
        ('"\\udfff"', False),
        ('"\\ud55c\\ud7ff"', True),  # Hangul: characters of their own
        ('"\U0001f600"', True),
    ],
)
def test_half_a_character_is_refused_and_one_beyond_16_bits_is_taken(
    id_as_json: str, is_taken: bool
) -> None:
    told = Told()
    told.inbox.receive(TOPIC, b'{"id":%s,"do":"dance"}' % id_as_json.encode(), False)
    told.commands.step()
    (answer,) = told.session.answers
    if is_taken:
        assert answer["id"] == json.loads(id_as_json) and "dance" in answer["error"]
    else:
        assert answer["id"] is None and "itself, not as two escapes" in answer["error"]
