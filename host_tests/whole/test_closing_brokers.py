"""Whole nodes at brokers that close the connection on what they do not take: readings go on."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter, deque
from typing import Any

import pytest
from rigs.field import NODE, Field

from fakes.broker import Record
from fakes.habits import Habits

MODES = ("always_on", "duty_cycle")
PORTS = ("esp32", "rp2")
CMD, STATUS, HEALTH = (
    f"fieldpost/{NODE}/cmd",
    f"fieldpost/{NODE}/status",
    f"fieldpost/{NODE}/health",
)
# What is left out is tried again after 15 minutes, and after 30 more.
AGAIN_IN_AN_HOUR = 2
BIRTH, DISCOVERY = "homeassistant/status", f"homeassistant/device/{NODE}/config"


class Closed:
    """A node with habits around it, for some hours. `sent`: how often each reading came."""

    def __init__(
        self, habits: Habits, mode: str, port: str = "esp32", hours: float = 1.0, **config: Any
    ) -> None:
        own = {"sample_s": 60, "health_s": 300, **config}
        self.field = Field(port, [{"type": "simulated"}], hours=hours, mode=mode, **own)
        self.broker = self.field.run.broker
        self.broker.habits = habits
        self.field.run.world.trace = deque()  # All of it, not the last of it alone.
        self.topics: Counter[str] = Counter()
        self.crashes: list[str | None] = []  # as each health report tells of one
        self.answers: dict[str, list[dict[str, Any]]] = {}
        self.broker.watch("#", self._note)
        self.broker.watch(f"{CMD}/result", self._hear)

    def _note(self, record: Record) -> None:
        self.topics[record.topic] += 1
        if record.topic == HEALTH:
            self.crashes.append(json.loads(record.payload).get("crash"))

    def _hear(self, record: Record) -> None:
        answer = json.loads(record.payload)
        self.answers.setdefault(answer["id"], []).append(answer)

    def tell_each_s(self, interval_s: int, *commands: dict[str, Any]) -> int:
        """Send these again and again, each with an id from c1 on; how many in all."""
        world, orders = self.field.run.world, self.field.machine.orders
        times = range(interval_s, 3400, interval_s)
        for at_s in times:
            for arguments in commands:
                world.at(at_s * 1_000_000, lambda one=arguments: orders.send(**one))
        return len(times) * len(commands)

    def play(self) -> Closed:
        self.field.run.play()
        return self

    @property
    def lines(self) -> list[str]:
        return [str(one[-1]) for one in self.field.run.world.trace]

    def told(self, text: str) -> int:
        return sum(text in line for line in self.lines)

    def connections(self) -> int:
        return len(self.broker.connects)

    def check_readings(self, least: int) -> None:
        """Each arrived, none more than twice on the wire, and none is stuck at the end."""
        sent = Counter((one["boot"], one["seq"]) for one in self.field.readings)
        assert len(sent) >= least
        assert max(sent.values()) <= 2, "nothing is sent more than twice"
        numbers = sorted(seq for _, seq in sent)
        assert numbers == list(range(len(numbers))), "none is missing between"


CLOSES_ON_SUBSCRIBE = Habits(subscribe_denied=("#",), on_subscribe="close")


@pytest.mark.parametrize("discovery", [None, "homeassistant"])
@pytest.mark.parametrize("port", PORTS)
@pytest.mark.parametrize("mode", MODES)
def test_what_closes_on_a_subscription_has_each_reading_and_the_topic_is_left_out(
    mode: str, port: str, discovery: str | None
) -> None:
    """As RabbitMQ does with a topic permission to write only."""
    node = Closed(CLOSES_ON_SUBSCRIBE, mode, port, home_assistant=discovery).play()
    node.check_readings(59)
    left = [CMD, *([BIRTH] if discovery else [])]
    assert sorted(node.field.health["refused"]) == left
    for topic in left:
        assert node.told(f"link: {topic} is left out for 15 min") == 1
        assert node.told(f"link: broker closes on {topic};") == 3 + AGAIN_IN_AN_HOUR
    assert node.topics[STATUS] > 3
    if mode == "always_on":
        assert node.connections() <= 2 + (3 + AGAIN_IN_AN_HOUR) * len(left)


@pytest.mark.parametrize("mode", MODES)
def test_what_refuses_a_subscription_and_closes_on_a_message_has_both_named(mode: str) -> None:
    """As aedes does: SUBACK 0x80 is an answer, and no consent."""
    habits = Habits(
        subscribe_denied=("#",),
        on_subscribe="refuse",
        publish_denied=(DISCOVERY,),
        on_publish="close",
    )
    node = Closed(habits, mode, home_assistant="homeassistant").play()
    node.check_readings(59)
    assert sorted(node.field.health["refused"]) == [CMD, DISCOVERY, BIRTH]
    assert node.told("broker takes") == 0


LIMITS = {
    "health, by permission": (
        Habits(publish_denied=(HEALTH,), on_publish="close"),
        [HEALTH],
    ),
    "status, never acknowledged": (
        Habits(publish_denied=(STATUS,), on_publish="ignore"),
        [STATUS],
    ),
    "everything retained": (Habits(retained_max=-1), [STATUS, HEALTH, DISCOVERY, "the will"]),
    "packets above 200 bytes": (Habits(packet_max=200), [HEALTH, DISCOVERY]),
    "packets above 1000 bytes": (Habits(packet_max=1000), [DISCOVERY]),
}


@pytest.mark.parametrize("resets", [False, True], ids=["closes", "resets"])
@pytest.mark.parametrize("limit", LIMITS)
@pytest.mark.parametrize("mode", MODES)
def test_what_the_broker_does_not_take_is_named_and_given_up_and_readings_go_on(
    mode: str, limit: str, resets: bool
) -> None:
    habits, left = LIMITS[limit]
    node = Closed(
        dataclasses.replace(habits, unread_resets=resets), mode, home_assistant="homeassistant"
    ).play()
    node.check_readings(59)
    for topic in left:
        assert node.told(f"link: {topic} is left out for 15 min") == 1
    assert node.told("is left out for 15 min") == len(left)
    assert node.told("is left out for") <= (1 + AGAIN_IN_AN_HOUR) * len(left)
    assert node.told("does another client have this id?") == 0
    if HEALTH not in left:
        assert sorted(node.field.health["refused"]) == sorted(left)
    if mode == "always_on":
        assert node.connections() <= 5 + (3 + AGAIN_IN_AN_HOUR) * len(left)


@pytest.mark.parametrize("mode", MODES)
def test_a_broker_of_qos_0_only_is_told_in_one_sentence_and_not_besieged(mode: str) -> None:
    node = Closed(Habits(qos_max=0), mode).play()
    assert node.field.readings == []
    assert node.told("broker closes on readings: does it take …/telemetry from us, with QoS 1?")
    # Full jitter up to five minutes, and half a minute at least.
    assert node.connections() < 60


@pytest.mark.parametrize("port", PORTS)
@pytest.mark.parametrize("mode", MODES)
def test_what_was_left_out_is_tried_again_until_it_is_taken(mode: str, port: str) -> None:
    node = Closed(CLOSES_ON_SUBSCRIBE, mode, port, hours=27, sample_s=600)
    world = node.field.run.world
    world.at(int(10 * 3600e6), setattr, node.broker, "habits", Habits())
    node.play()
    node.check_readings(160)
    # After 15, 45, 105, 225, 465 and 945 minutes.
    assert node.told(f"link: {CMD} is left out for ") == 6
    assert node.told(f"broker takes {CMD} again") == 1
    assert "refused" not in node.field.health


@pytest.mark.parametrize("mode", MODES)
def test_what_is_still_not_taken_costs_one_connection_each_time(mode: str) -> None:
    node = Closed(CLOSES_ON_SUBSCRIBE, mode, hours=27, sample_s=600).play()
    node.check_readings(160)
    # After 15, 45, 105, 225, 465 and 945 minutes.
    assert node.told(f"link: {CMD} is left out for ") == 7
    assert node.told(f"link: broker closes on {CMD};") == 9


@pytest.mark.parametrize("port", PORTS)
@pytest.mark.parametrize("mode", MODES)
def test_a_wrong_password_is_told_in_the_first_wake_though_a_reset_has_taken_its_answer_along(
    mode: str, port: str
) -> None:
    """Mosquitto closes with the early packets unread, and the reset that follows takes CONNACK
    from the node's buffer."""
    node = Closed(Habits(unread_resets=True), mode, port, hours=0.05)
    node.broker.users = {"somebody": "else"}
    answers: list[bytes] = []

    def forget_the_first(name: str, data: bytes) -> bytes | None:
        answers.append(data)
        return None if len(answers) == 1 else data

    node.broker.answer = forget_the_first
    node.play()
    told = [line for line in node.lines if " link: " in line or " asleep for " in line]
    assert "broker closed before CONNACK: trying without early packets" in told[0]
    assert "link: not authorised; next try" in told[1], "in the same wake"
    again = [line for line in told if "before CONNACK" in line]
    assert len(again) == 1, "what is known is not tried again at each wake"


@pytest.mark.parametrize("early", ["hang", "answer"])
@pytest.mark.parametrize("port", PORTS)
def test_a_sleeper_delivers_in_each_wake_what_its_early_packets_did_not(
    port: str, early: str
) -> None:
    node = Closed(Habits(early=early), "duty_cycle", port, hours=0.5).play()
    first = {one["seq"]: one["at"] for one in reversed(node.field.readings)}
    assert list(range(29)) == sorted(first)[:29]
    assert all(at - 60 * seq < 30 for seq, at in first.items())


@pytest.mark.parametrize("resets", [False, True], ids=["closes", "resets"])
@pytest.mark.parametrize("limit", LIMITS)
@pytest.mark.parametrize("port", PORTS)
@pytest.mark.parametrize("mode", MODES)
def test_each_command_is_answered_whatever_else_the_broker_closes_on(
    mode: str, port: str, limit: str, resets: bool
) -> None:
    """A command that the broker has handed over does not come again."""
    habits, left = LIMITS[limit]
    habits = dataclasses.replace(habits, unread_resets=resets)
    node = Closed(habits, mode, port, home_assistant="homeassistant")
    told = node.tell_each_s(
        100, {"do": "outbox"}, {"do": "get", "key": "sample_s"}, {"do": "sample"}
    )
    node.play()
    assert node.field.machine.orders.unanswered() == []
    # At a sleeper's broker that refuses the will there is no session to wait in for long; and one
    # that is always on misses what is sent while its will is tried again.
    missed = told - len(node.answers)
    if left[-1] != "the will":
        assert missed == 0
    elif mode == "always_on":
        assert missed <= 3
    assert all(one["ok"] for one, *_ in node.answers.values())


@pytest.mark.parametrize(
    ("mode", "port"), [("always_on", "esp32"), ("always_on", "rp2"), ("duty_cycle", "rp2")]
)
def test_an_answer_that_is_too_large_for_the_broker_is_told_in_short_and_keeps_back_no_other(
    mode: str, port: str
) -> None:
    node = Closed(Habits(packet_max=300), mode, port)
    told = node.tell_each_s(600, {"do": "log"}, {"do": "outbox"})
    node.play()
    assert set(node.answers) == {f"c{one}" for one in range(1, told + 1)}
    logs = [node.answers[f"c{one}"][-1] for one in range(1, told + 1, 2)]
    assert all(one["ok"] and "did not arrive" in one["note"] for one in logs)
    assert node.told(f"{CMD}/result is left out") == 0


@pytest.mark.parametrize("port", PORTS)
@pytest.mark.parametrize("mode", MODES)
def test_a_crash_is_told_of_until_it_has_arrived_and_then_no_more_though_an_extra_is_left_out(
    mode: str, port: str
) -> None:
    node = Closed(Habits(publish_denied=(STATUS,), on_publish="close"), mode, port)
    node.field.machine.flash.files["crash.txt"] = b"Traceback: here"
    node.play()
    assert node.crashes[0] == "Traceback: here" and node.crashes[-1] is None
    assert "crash.txt" not in node.field.machine.flash.files


@pytest.mark.parametrize("mode", MODES)
def test_a_crash_that_the_broker_takes_no_report_of_is_kept(mode: str) -> None:
    node = Closed(Habits(publish_denied=(HEALTH,), on_publish="close"), mode)
    node.field.machine.flash.files["crash.txt"] = b"Traceback: here"
    node.play()
    assert "crash.txt" in node.field.machine.flash.files


@pytest.mark.parametrize("port", PORTS)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("closes", [False, True])
def test_a_login_is_doubted_only_once_nothing_else_is_left_to_doubt(
    mode: str, port: str, closes: bool
) -> None:
    """rumqttd closes on a wrong password without CONNACK; a Mosquitto that keeps nothing retained
    closes on a will in the same way, and then everything works but the will."""
    node = Closed(Habits() if closes else Habits(retained_max=-1), mode, port)
    node.field.run.scenario.nodes[0].secrets["mqtt"] = {"user": "n", "password": "mistyped"}
    node.broker.users = {"n": "right" if closes else "mistyped"}
    if closes:
        node.broker.answer = lambda name, data: None if name == "CONNACK" else data
    node.play()
    assert bool(node.told("wrong user or password?")) == closes
    told = [line.split("link: ")[1] for line in node.lines if "broker closes on CONNECT" in line]
    words = [line.split(";")[0] for line in told[:6]]
    assert words[:5] == 2 * ["broker closes on CONNECT"] + 3 * [
        "broker closes on CONNECT: does it take our login and will?"
    ]
    if closes:
        assert words[5] == (
            "broker closes on CONNECT, with a will and without: wrong user or password?"
        )
    else:
        assert node.told("link: the will is left out for 15 min") == 1


@pytest.mark.parametrize("port", PORTS)
def test_a_broker_that_takes_few_early_packets_is_not_asked_for_the_password(port: str) -> None:
    """aedes, after an outage of an hour."""
    node = Closed(Habits(early_max=42), "always_on", port, hours=2)
    node.broker.connack_delay_ms = 50  # It looks the login up meanwhile.
    world = node.field.run.world
    world.at(int(600e6), node.broker.stop, "reset")
    world.at(int(4200e6), node.broker.start)
    node.play()
    node.check_readings(118)
    assert node.told("broker closed before CONNACK: trying without early packets") == 1
    assert node.told("password") == 0
