"""A broker that answers anything at all: every command at it ends in time, with a result or an
error in words; no thread of it dies, its terminal is not driven, and its memory is bounded."""

import json
import time

import pytest
from rigs.command_line import Ran, fieldpost
from rigs.hostile_broker import Answer, Endless, Hostile, answers_commands, endless, polite, spoils

from fakes import mqtt_packets as mqtt
from fieldpost.doctor import as_node, sessions, watcher
from fieldpost.doctor import broker as doctor_broker
from fieldpost.messages import patience
from fieldpost.mqtt.bounded import BoundedClient

SEED = 20261127
# Each round is another broker; `make proof` has many.
ROUNDS = pytest.mark.parametrize("rounds", [4, pytest.param(20, marks=pytest.mark.slow)])
WAIT_S = "0.1"
COMMANDS: tuple[tuple[str, ...], ...] = (
    ("cmd", "n", "get", "key=mqtt", "--timeout", WAIT_S),
    ("cmd", "n", "log", "--json", "--timeout", WAIT_S),
    ("listen", "#", "--timeout", WAIT_S),
    ("listen", "#", "--json", "--timeout", WAIT_S),
    ("listen", "--telemetry", "--timeout", WAIT_S),
    ("publish", "a/b", "text", "--qos", "1", "--timeout", WAIT_S),
)
LIMIT_S = 5.0
# What a message may have; and what is under way to somebody who reads no more.
TAKEN_MAX = 24 * 1024 * 1024
HUGE = b"\x30\xff\xff\xff\x7f"
STATUS = mqtt.publish("fieldpost/n/status", b'{"state":"online"}', 0, False, False, 0)
FLOODS = {
    "one message of 256 MB": (HUGE, bytes(65_536)),
    "answers to nothing": (b"", b"\x90\x03\x00\x09\x00" * 5000),
    "messages of QoS 2 that it never releases": (
        b"",
        mqtt.packet(0x34, b"\x00\x01a\x00\x07" + b"x" * 30_000),
    ),
    "messages": (b"", STATUS),
}


@pytest.fixture(autouse=True)
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that was lost is dialled again at once."""
    monkeypatch.setattr(BoundedClient, "_reconnect_wait", lambda _: time.sleep(0.01))


def run(answer: Answer, *words: str, seed: int = SEED) -> tuple[Ran, int]:
    """The command at such a broker, and how many bytes it took."""
    begin = time.monotonic()
    with Hostile(answer, seed) as broker:
        ran = fieldpost(*words, environment={"FIELDPOST_BROKER": broker.url})
        took_s = time.monotonic() - begin
    ran.check()
    assert took_s < LIMIT_S, (words, took_s)
    return ran, broker.sent_bytes


@ROUNDS
@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_any_answers_of_a_broker_end_in_a_result_or_in_words(
    words: tuple[str, ...], rounds: int
) -> None:
    ended: dict[int, int] = {}
    for seed in range(rounds):
        ran, _ = run(spoils, *words, seed=SEED + seed)
        ended[ran.status] = ended.get(ran.status, 0) + 1
    assert ended.get(1), ended


@ROUNDS
@pytest.mark.parametrize("words", COMMANDS[:2], ids=" ".join)
def test_any_answer_of_a_node_to_cmd_is_shown_or_refused_in_words(
    words: tuple[str, ...], rounds: int
) -> None:
    ended: dict[int, int] = {}
    for seed in range(rounds):
        ran, _ = run(answers_commands, *words, seed=seed)
        ended[ran.status] = ended.get(ran.status, 0) + 1
    assert {0, 1} <= ended.keys(), ended


@pytest.mark.parametrize("name", FLOODS)
@pytest.mark.parametrize("at", [mqtt.CONNECT, mqtt.SUBSCRIBE])
def test_what_never_ends_takes_no_memory_and_no_time(name: str, at: int) -> None:
    for words in COMMANDS[0], COMMANDS[2], COMMANDS[4]:
        _, taken = run(endless(at, *FLOODS[name]), *words)
        if name.startswith("one message"):
            assert taken < TAKEN_MAX, (words, taken)


@pytest.mark.parametrize(
    "packet",
    [
        b"\x20\x00",
        b"\x20\x01\x00",
        b"\x20\x02\x00\x01",
        b"\x20\x02\x00\x02",
        b"\x20\x02\x00\xff",
        b"\x20\x04\x00\x00\x00\x00",
        b"\x20\xff\xff\xff\xff\x7f",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\x1b[2J\x1b]0;owned\x07",
        b"\x00\x00",
        b"",
        None,
    ],
    ids=str,
)
def test_no_connack_as_it_should_be_is_an_error_in_words(packet: bytes | None) -> None:
    def answer(broker: Hostile, kind: int, body: bytes) -> bytes | None:
        return packet

    for words in COMMANDS:
        ran, _ = run(answer, *words)
        assert ran.status == 1, ran


def test_a_topic_that_is_no_utf_8_is_left_out_and_the_next_message_is_heard() -> None:
    def answer(broker: Hostile, kind: int, body: bytes) -> bytes:
        more = b""
        if kind == mqtt.SUBSCRIBE:
            more = mqtt.packet(0x30, b"\x00\x02\xff\xfehello")
            more += mqtt.publish("a", b"heard", 0, False, False, 0)
        return polite(broker, kind, body) + more

    ran, _ = run(answer, "listen", "#", "--count", "1", "--timeout", "2")
    assert (ran.status, ran.out) == (0, "a heard\n"), ran


def test_a_node_that_keeps_saying_how_long_it_sleeps_is_believed_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(patience, "_OVERDUE_S", 0.2)
    monkeypatch.setattr(patience, "TIMEOUT_S", 0.5)

    def answer(broker: Hostile, kind: int, body: bytes) -> bytes | Endless:
        first = polite(broker, kind, body)
        if kind != mqtt.PUBLISH:
            return first
        status = b'{"state":"asleep","for_s":0.1}'
        return Endless(first, mqtt.publish("fieldpost/n/status", status, 0, True, False, 0))

    with Hostile(answer) as broker:
        ran = fieldpost("cmd", "n", "get", environment={"FIELDPOST_BROKER": broker.url})
    ran.check()
    assert ran.err.count("is asleep") == 1


@pytest.mark.slow
def test_a_broker_that_reads_no_more_holds_nobody() -> None:
    def answer(broker: Hostile, kind: int, body: bytes) -> bytes | Endless:
        return Endless(polite(broker, kind, body), b"")

    ran, _ = run(answer, "publish", "a", "x" * 20_000_000, "--qos", "1", "--timeout", WAIT_S)
    assert ran.status == 1 and "did not acknowledge" in ran.err


def test_cmd_hears_the_answer_after_a_connection_that_was_lost() -> None:
    asked: list[bytes] = []

    def answer(broker: Hostile, kind: int, body: bytes) -> bytes:
        first = polite(broker, kind, body)
        if kind == mqtt.PUBLISH:
            asked.append(json.loads(body[body.index(b"{") :])["id"])
            return first + b"\x00\x00"  # at which every client hangs up
        if kind == mqtt.SUBSCRIBE and asked and b"result" in body:
            told = json.dumps({"id": asked[0], "ok": True}).encode()
            return first + mqtt.publish("fieldpost/n/cmd/result", told, 0, False, False, 0)
        return first

    ran, _ = run(answer, "cmd", "n", "get", "--timeout", "3")
    assert (ran.status, ran.out) == (0, "n: done\n"), ran


@pytest.fixture
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_broker, "_LIMIT_S", 0.1)
    for module in as_node, sessions:
        monkeypatch.setattr(module, "LIMIT_S", 0.1)
    monkeypatch.setattr(watcher, "_RETAINED_S", 0.2)
    monkeypatch.setattr(as_node, "_ECHO_S", 0.05)
    monkeypatch.setattr(as_node, "_READING_S", 0.05)
    monkeypatch.setattr(watcher, "_QUIET_S", 0.05)


@pytest.mark.slow
@pytest.mark.usefixtures("short_waits")
def test_doctor_says_what_it_found_of_a_broker_that_answers_anything() -> None:
    for seed in range(3):
        with Hostile(spoils, SEED + seed) as broker:
            fieldpost("doctor", "--broker", broker.url, "--node", "n").check()
    for flood in FLOODS.values():
        with Hostile(endless(mqtt.SUBSCRIBE, *flood)) as broker:
            fieldpost("doctor", "--broker", broker.url, "--node", "n").check()
