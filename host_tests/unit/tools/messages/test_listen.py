"""`fieldpost listen` prints what mosquitto_sub -v prints, and ends when it was told to."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from fieldpost.errors import CommandError
from fieldpost.messages.listen import listen_command
from fieldpost.messages.publish import publish_command
from fieldpost.mqtt import brokers
from fieldpost.mqtt.brokers import Broker
from fieldpost.mqtt.client import Connection
from fieldpost.mqtt.url import parse
from fieldpost.paths import ROOT
from fieldpost.processes import programs

# What is asked here holds at any broker; what is Mosquitto's own has a test of its own below.
_HERE = ["mosquitto", "amqtt"] if brokers.find_mosquitto() else ["amqtt"]


@pytest.fixture(scope="module", params=_HERE)
def broker(request: pytest.FixtureRequest) -> Iterator[Broker]:
    with Broker(request.param) as broker:
        yield broker


@contextmanager
def listening(broker: Broker, topic: str, *options: str) -> "Iterator[subprocess.Popen[str]]":
    """The command as a user runs it, subscribed by the time the block begins."""
    process = subprocess.Popen(
        [sys.executable, "-m", "fieldpost", "listen", topic, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "tools"), "FIELDPOST_BROKER": broker.url},
    )
    try:
        assert process.stderr
        assert process.stderr.readline() == f"connected to {broker.url}\n"
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.slow
def test_topic_and_payload_of_each_message_until_the_count(broker: Broker) -> None:
    with listening(broker, "a/#", "--count", "3", "--timeout", "10") as process:
        for number in range(3):
            publish_command(f"a/{number}", f"grüße {number}", broker=broker.url, qos=1)
        printed, _ = process.communicate(timeout=15)
    assert printed.splitlines() == [f"a/{number} grüße {number}" for number in range(3)]
    assert process.returncode == 0


def test_its_lines_are_those_of_mosquitto_sub() -> None:
    if not brokers.find_mosquitto() or not programs.find("mosquitto_sub"):
        pytest.skip("Mosquitto and its clients are not installed")
    with Broker("mosquitto") as broker:
        for topic, message in (
            ("x/1", "one"),
            ("x/2", "two words"),
            ("x/3", "ü€😀"),
            ("x/4", "{}"),
        ):
            publish_command(topic, message, broker=broker.url, retain=True)
        reference = subprocess.run(
            ["mosquitto_sub", "-p", str(broker.port), "-t", "x/#", "-v", "-C", "4", "-W", "5"],
            capture_output=True,
            text=True,
            timeout=10,
        )
        with listening(broker, "x/#", "--count", "4", "--timeout", "5") as process:
            printed, _ = process.communicate(timeout=10)
    assert sorted(printed.splitlines()) == sorted(reference.stdout.splitlines())
    assert len(printed.splitlines()) == 4


def test_json_says_all_of_a_message_whatever_its_bytes(broker: Broker) -> None:
    with listening(broker, "j/#", "--json", "--qos", "1", "--count", "2") as process:
        publisher = Connection(parse(broker.url))
        publisher.open()
        publisher.publish("j/text", 'a "quoted"\nü'.encode(), qos=1, retain=False)
        publisher.publish("j/bytes", b"\xff\x00", qos=1, retain=False)
        publisher.close()
        printed, _ = process.communicate(timeout=10)
    text, raw = (json.loads(line) for line in printed.splitlines())
    assert text == {"topic": "j/text", "qos": 1, "retain": False, "payload": 'a "quoted"\nü'}
    assert raw == {"topic": "j/bytes", "qos": 1, "retain": False, "payload_base64": "/wA="}


def test_too_few_messages_in_time_is_a_failure_and_an_end_by_time_alone_is_none(
    broker: Broker,
) -> None:
    started = time.monotonic()
    with pytest.raises(CommandError, match=r"0 of 2 messages came within 0\.5 s"):
        listen_command("nothing/here", broker=broker.url, count=2, timeout_s=0.5)
    listen_command("nothing/here", broker=broker.url, timeout_s=0.5)
    assert time.monotonic() - started < 5


@pytest.mark.slow
def test_a_lost_connection_is_reported_and_dialled_again(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with Broker() as broker:
        publish_command("k/before", "1", broker=broker.url, retain=True)

        def interrupt() -> None:
            time.sleep(1)
            broker.stop()
            broker.start()
            publish_command("k/after", "2", broker=broker.url, retain=True)

        thread = threading.Thread(target=interrupt)
        thread.start()
        listen_command("k/#", broker=broker.url, count=2, timeout_s=20)
        thread.join()
    printed = capsys.readouterr()
    assert "k/after 2" in printed.out
    told = [line for line in printed.err.splitlines() if "connect" in line]
    assert [line.split()[:2] for line in told] == [
        ["connected", "to"],
        ["connection", "lost:"],
        ["connected", "to"],
    ]


@pytest.mark.parametrize("topic", ["a/b#", "#/a", "a/b+", "", "a\0"])
def test_a_filter_that_no_broker_takes_is_refused_at_once(topic: str) -> None:
    with pytest.raises(CommandError):
        listen_command(topic, broker="mqtt://nowhere.invalid", timeout_s=1)


def test_a_stranger_s_payload_does_not_drive_the_terminal(
    broker: Broker, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_command("e/x", "\x1b]0;owned\x07ü", broker=broker.url, retain=True)
    capsys.readouterr()
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    listen_command("e/x", broker=broker.url, count=1, timeout_s=5)
    # amqtt hands retained messages to clients that never asked for their topic.
    publish_command("e/x", "", broker=broker.url, retain=True)
    assert capsys.readouterr().out.startswith("e/x \\x1b]0;owned\\x07ü\n")


def test_ctrl_c_ends_it_quietly(broker: Broker) -> None:
    with listening(broker, "c/#") as process:
        process.send_signal(2)
        printed, told = process.communicate(timeout=5)
    assert (printed, told, process.returncode) == ("", "", 0)


@pytest.mark.slow
def test_a_reader_that_leaves_early_ends_it_without_a_traceback(broker: Broker) -> None:
    with listening(broker, "p/#", "--timeout", "10") as process:
        assert process.stdout
        publish_command("p/1", "x", broker=broker.url)
        assert process.stdout.readline() == "p/1 x\n"
        process.stdout.close()
        for _ in range(2):
            publish_command("p/1", "x", broker=broker.url)
        process.wait(timeout=5)
        assert process.stderr
        assert "Traceback" not in process.stderr.read()
        # communicate() in the clean-up must not touch the closed pipe.
        process.stdout = None
