"""`fieldpost config push --node` with a node that answers as it is told to: what is made of it."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from fieldpost.board.screen import Screen
from fieldpost.errors import CommandError
from fieldpost.messages import dialogue as dialogue_module
from fieldpost.messages import patience
from fieldpost.messages.dialogue import Dialogue, Refused, Unanswered
from fieldpost.mqtt.url import BrokerAddress
from fieldpost.push import over_mqtt
from fieldpost.push.local import Local
from firmware.config.change import Trial

CONFIG: dict[str, Any] = {"node": "n", "mqtt": {"host": "h"}, "sample_s": 60}
TEXT = json.dumps(CONFIG)
LED = {**CONFIG, "led": True}


class Message:
    def __init__(self, topic: str, told: object, retain: bool = False) -> None:
        self.topic = "fieldpost/n/" + topic
        self.payload = told if isinstance(told, bytes) else json.dumps(told).encode()
        self.retain = retain


class Node:
    """Stands in for a connection with a node behind it. `retained`: what the broker keeps.

    `answers`: by command, what follows it: (topic, payload) each, `id` filled in.
    """

    retained: list[Message]
    answers: dict[str, list[tuple[str, dict[str, Any]]]]
    asked: list[dict[str, Any]]

    def __init__(self, address: BrokerAddress, on_message: Any, **_: Any) -> None:
        self._on_message = on_message

    def open(self) -> None:
        for one in self.retained:
            self._on_message(one)

    def subscribe(self, topic: str, qos: int) -> None:
        pass

    def publish(self, topic: str, data: bytes, qos: int, retain: bool) -> None:
        command = json.loads(data)
        self.asked.append(command)
        for name, told in self.answers.get(command["do"], []):
            told = {"id": command["id"], **told} if name == "cmd/result" else told
            self._on_message(Message(name, told))

    def close(self) -> None:
        pass


class Silent(Screen):
    def say(self, where: str, text: str) -> None: ...
    def progress(self, where: str, what: str, done: int, total: int | None) -> None: ...
    def count_down(self, where: str, what: str, left_s: float, total_s: float) -> None: ...


def result(**told: Any) -> tuple[str, dict[str, Any]]:
    return ("cmd/result", {"ok": True, **told})


def pieces(text: str, size: int = 9) -> list[tuple[str, dict[str, Any]]]:
    return [
        result(boot=3, mark="m", size=len(text), at=at, text=text[at : at + size])
        for at in range(0, len(text), size)
    ]


def reading(boot: int, seq: int, **fields: Any) -> tuple[str, dict[str, Any]]:
    return ("telemetry", {"boot": boot, "seq": seq, "ts": 1795368917, **fields})


@pytest.fixture(autouse=True)
def node(monkeypatch: pytest.MonkeyPatch) -> type[Node]:
    monkeypatch.setattr(dialogue_module, "Connection", Node)
    monkeypatch.setattr(patience, "TIMEOUT_S", 0.2)
    monkeypatch.setattr(over_mqtt, "_RETAINED_S", 0.05)
    monkeypatch.setattr(over_mqtt, "_READING_S", 0.1)
    monkeypatch.setattr(over_mqtt, "_SPARE_S", 0.2)
    monkeypatch.setattr(Trial, "LIMIT_MS", 200)
    Node.retained = [Message("status", {"state": "online"}, True)]
    Node.answers = {"get": pieces(TEXT)}
    Node.asked = []
    return Node


def local(config: dict[str, Any] = LED, secrets: dict[str, Any] | None = None) -> Local:
    return Local(Path("node/config.json"), config, secrets)


def push(config: dict[str, Any] = LED, wait: bool = True) -> tuple[over_mqtt.Outcome, str]:
    """How it ended, and the state that is told of it."""
    with Dialogue("n", also=("health", "telemetry")) as dialogue:
        found = over_mqtt.look(dialogue)
        bringing = over_mqtt.Bringing(dialogue, found, local(config))
        assert "nothing is changed" in bringing.state()
        return bringing.run(Silent(), wait), bringing.state()


def test_the_pieces_are_put_together_in_any_order_and_however_often_they_come(
    node: type[Node],
) -> None:
    told = pieces(TEXT)
    assert len(told) > 3
    node.answers["get"] = [told[-1], *told[:2], *told[:2], *told]
    with Dialogue("n") as dialogue:
        found = over_mqtt.look(dialogue)
    assert (found.config, found.mark, found.boot, found.chip) == (CONFIG, "m", 3, None)


@pytest.mark.parametrize(
    ("board", "chip"),
    [
        ("RP2040 MicroPython 1.29.0", "RP2040"),
        ("ESP32S3 MicroPython 1.29.0", "ESP32-S3"),
        ("unix MicroPython 1.29.0", None),
        (7, None),
    ],
)
def test_the_nodes_health_says_which_board_it_is(
    node: type[Node], board: object, chip: str | None
) -> None:
    node.retained.append(Message("health", {"board": board}, True))
    with Dialogue("n", also=("health",)) as dialogue:
        found = over_mqtt.look(dialogue)
    assert (found.chip.name if found.chip else None) == chip


def test_a_file_for_another_board_and_pins_that_this_one_lacks_are_refused() -> None:
    found = over_mqtt.Found(CONFIG, "m", 3, "RP2040 …", over_mqtt.pins.CHIPS["RP2040"])
    for change, why in (
        ({"board": "esp32-c3"}, "it is for esp32-c3, and this one has RP2040"),
        ({"sensors": [{"type": "digital", "pin": 23}]}, "radio"),
    ):
        with pytest.raises(CommandError, match=why):
            over_mqtt.fit("n", found, local({**CONFIG, **change}))
    assert over_mqtt.fit("n", found, local({**CONFIG, "board": "Pico W"})) == []
    # What is not known of the node, its file may say.
    unknown = over_mqtt.Found(CONFIG, "m", 3, None, None)
    change = {"board": "pico-w", "sensors": [{"type": "digital", "pin": 23}]}
    with pytest.raises(CommandError, match="radio"):
        over_mqtt.fit("n", unknown, local({**CONFIG, **change}))


def test_secrets_stay_where_they_are_and_that_is_said() -> None:
    found = over_mqtt.Found(CONFIG, "m", 3, None, None)
    (said,) = over_mqtt.fit("n", found, local(secrets={"wifi": [{"password": "marker"}]}))
    assert "secrets.json stays here" in said and "marker" not in said


def test_an_older_node_that_tells_nothing_of_itself_is_named(node: type[Node]) -> None:
    node.answers["get"] = [("cmd/result", {"ok": False, "error": "key must be a text"})]
    with pytest.raises(Refused, match=r"key must be a text\. Its firmware may be older"):
        push()
    node.answers["get"] = [result(note="the whole answer, 504 bytes, did not arrive")]
    with pytest.raises(CommandError, match="504 bytes, did not arrive"):
        push()


@pytest.mark.parametrize("text", ["[1]", "{", '{"a":' * 20 + "1" + "}" * 20, '{"a":NaN}'])
def test_what_is_no_configuration_is_said_so(node: type[Node], text: str) -> None:
    node.answers["get"] = pieces(text)
    with pytest.raises(CommandError, match="what the node has told of itself is"):
        push()


def test_a_change_that_is_kept_gives_the_first_reading_of_the_new_boot(node: type[Node]) -> None:
    node.answers["set"] = [
        reading(3, 99, temperature=1.0),
        result(restart=True, on_trial=True),
        reading(3, 100, temperature=2.0),
        reading(4, 0, temperature=21.5, failed=["dht"]),
        result(key=None),
        reading(4, 1, temperature=22.0),
    ]
    outcome, state = push()
    assert (outcome.verdict, outcome.boot) == ("kept", 4)
    assert outcome.reading == {"temperature": 21.5, "failed": ["dht"]}
    assert state == "n has the new configuration"
    assert node.asked[-1]["values"] == [["led", True]] and node.asked[-1]["mark"] == "m"


def test_a_change_that_was_taken_back_says_why(node: type[Node]) -> None:
    error = "not connected with it (no answer): the setting before is back"
    node.answers["set"] = [
        result(restart=True, on_trial=True),
        ("cmd/result", {"ok": False, "error": error}),
    ]
    with pytest.raises(over_mqtt.WentBack, match="the setting before is back"):
        push()


def test_an_answer_that_came_twice_or_not_at_all_is_no_verdict(node: type[Node]) -> None:
    again = ("cmd/result", {"ok": False, "error": "a command with this id was done already"})
    for before in ([again], [result(restart=True, on_trial=True), again, again]):
        node.answers["set"] = [*before, result(key=None), reading(4, 0, t=1)]
        assert push()[0].verdict == "kept"


@pytest.mark.slow
def test_a_verdict_that_was_lost_is_seen_by_what_the_node_has(
    node: type[Node], monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = {"get": pieces(TEXT), "set": [result(restart=True, on_trial=True)]}
    publish = Node.publish

    def restarted_with(config: dict[str, Any]) -> None:
        def then(self: Node, topic: str, data: bytes, qos: int, retain: bool) -> None:
            publish(self, topic, data, qos, retain)
            if b'"set"' in data:
                self.answers["get"] = pieces(json.dumps(config))

        monkeypatch.setattr(Node, "publish", then)
        node.answers = dict(answers)

    restarted_with(LED)
    assert push()[0].verdict == "kept"
    restarted_with(CONFIG)
    with pytest.raises(over_mqtt.WentBack, match="its reason did not come here"):
        push()
    restarted_with({**CONFIG, "health_s": 5})
    with pytest.raises(Unanswered, match="has not told within"):
        push()


def test_a_node_that_never_tells_how_it_ended_goes_back_by_itself(
    node: type[Node], monkeypatch: pytest.MonkeyPatch
) -> None:
    node.answers["set"] = [result(restart=True, on_trial=True)]
    publish = Node.publish

    def silent_then(self: Node, topic: str, data: bytes, qos: int, retain: bool) -> None:
        publish(self, topic, data, qos, retain)
        if b'"set"' in data:
            self.answers = {}

    with monkeypatch.context() as patched:
        patched.setattr(Node, "publish", silent_then)
        with pytest.raises(Unanswered, match=r"goes back .* by itself.*cmd n get"):
            push()
    began = time.monotonic()
    outcome, state = push(wait=False)
    assert outcome.verdict == "on trial" and "on trial" in state
    assert time.monotonic() - began < 1


def test_a_change_that_is_refused_leaves_all_as_it_was(node: type[Node]) -> None:
    node.answers["set"] = [("cmd/result", {"ok": False, "error": "led: must be true"})]
    with pytest.raises(Refused, match="nothing is changed, n refuses: led: must be true"):
        push()


def test_what_is_in_force_at_once_is_followed_by_a_reading_that_is_asked_for(
    node: type[Node],
) -> None:
    node.answers |= {"set": [reading(3, 7, t=1), result()], "sample": [result()]}
    node.answers["sample"].append(reading(3, 8, t=2))
    outcome, _ = push({**CONFIG, "sample_s": 30})
    assert (outcome.verdict, outcome.reading) == ("in force", {"t": 2})
    node.answers["sample"] = [result()]
    outcome, _ = push({**CONFIG, "sample_s": 30})
    assert outcome.verdict == "in force" and outcome.reading is None


def test_a_sleeper_is_kept_awake_for_it_and_released_when_it_does_not_restart(
    node: type[Node], capsys: pytest.CaptureFixture[str]
) -> None:
    node.retained = [Message("status", {"state": "asleep", "for_s": 0.1}, True)]
    node.answers |= {"stay_awake": [result(minutes=1)]}
    with Dialogue("n", also=("health",)) as dialogue:
        over_mqtt.look(dialogue)
        over_mqtt.release(dialogue)
    asked = [(one["do"], one.get("minutes")) for one in node.asked]
    assert asked == [("stay_awake", 1), ("get", None), ("stay_awake", 0)]


def test_how_long_is_waited_for_a_sleeper_is_said_with_a_limit_of_ones_own_too(
    node: type[Node], capsys: pytest.CaptureFixture[str]
) -> None:
    node.retained = [Message("status", {"state": "asleep", "for_s": 50}, True)]
    node.answers = {}
    with Dialogue("n", timeout_s=0.1) as dialogue, pytest.raises(Unanswered):
        dialogue.ask(dialogue_module.Question("log", {}))
    assert "asleep, and due in 50 s: waiting for 0.1 s" in capsys.readouterr().err


def test_no_more_is_sent_at_once_than_an_inbox_holds(node: type[Node]) -> None:
    sensors = [
        {"type": "digital", "pin": n, "name": "x" * 23, "field": "y" * 40} for n in range(64)
    ]
    with Dialogue("n") as dialogue, pytest.raises(Unanswered):
        over_mqtt.Bringing(
            dialogue, over_mqtt.look(dialogue), local({**CONFIG, "sensors": sensors})
        ).run(Silent())
    assert len([one for one in node.asked if one["do"] == "set"]) == 6
