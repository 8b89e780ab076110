"""`fieldpost publish`: what it says is what a subscriber sees, and every failure ends soon."""

import io
import os
import pty
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

import pytest

from fieldpost.errors import CommandError
from fieldpost.messages import home_assistant
from fieldpost.messages.publish import DEFAULT_MESSAGE, publish_command
from fieldpost.mqtt import brokers
from fieldpost.mqtt import url as mqtt_url
from fieldpost.mqtt.brokers import Broker
from fieldpost.mqtt.client import Connection
from fieldpost.paths import ROOT
from fieldpost.processes import programs

CONNACK = b"\x20\x02\x00\x00"
PASSWORD = "ze:ta/q@x"
PASSWORD_ENCODED = "ze%3Ata%2Fq%40x"


def fieldpost(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """The command as a user runs it."""
    return subprocess.run(
        [sys.executable, "-m", "fieldpost", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(ROOT / "tools"), **environment},
    )


@pytest.fixture(scope="module")
def mosquitto() -> Iterator[Broker]:
    if not brokers.find_mosquitto() or not programs.find("mosquitto_sub"):
        pytest.skip("Mosquitto and its clients are not installed")
    with Broker("mosquitto") as broker:
        yield broker


@contextmanager
def witness(broker: Broker, topic: str, count: int) -> Iterator[Iterator[str]]:
    """What mosquitto_sub prints of `count` messages; it is subscribed when the block begins."""
    command = ["mosquitto_sub", "-p", str(broker.port), "-t", topic, "-v", "-d"]
    command += ["-C", str(count), "-W", "60", "-q", "2"]
    # To a pipe it would print all at its end; to a terminal it prints each line at once.
    ours, its = pty.openpty()
    process = subprocess.Popen(command, stdout=its)
    os.close(its)
    try:
        with os.fdopen(ours, errors="replace") as terminal:
            lines = _lines(terminal)
            for line in lines:
                if line.startswith("Subscribed "):
                    break
            yield (line for line in lines if not line.startswith(("Client ", "Subscribed ")))
    finally:
        process.kill()
        process.wait()


def _lines(terminal: TextIO) -> Iterator[str]:
    try:
        for line in terminal:
            yield line.rstrip("\r\n")
    except OSError:
        return  # Linux says that nobody is at the other end any more.


@contextmanager
def server(talk: Callable[[socket.socket], None]) -> Iterator[str]:
    """A one-connection TCP server with a conversation of its own; yields its URL."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        try:
            peer, _ = listener.accept()
        except OSError:
            return
        with peer:
            peer.settimeout(5)
            try:
                talk(peer)
            except OSError:
                pass  # The client has gone: that is for the test to judge.

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"mqtt://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.close()
        thread.join(6)


def drain(peer: socket.socket) -> None:
    """Listen, say nothing, until the peer hangs up."""
    while peer.recv(1024):
        pass


# What arrives ------------------------------------------------------------------------------------


@pytest.mark.slow
def test_mosquitto_sub_prints_what_publish_sent_and_each_step_is_told(mosquitto: Broker) -> None:
    with witness(mosquitto, "cljtest", 3) as subscriber:
        for qos in ("0", "1", "2"):
            done = fieldpost(
                *("publish", "cljtest", f"hello ü {qos}", "--qos", qos),
                FIELDPOST_BROKER=mosquitto.url,
            )
            assert (done.returncode, done.stderr) == (0, "")
            assert done.stdout.splitlines() == [
                f"connected to {mosquitto.url}",
                "publishing to cljtest",
                "delivery complete",
            ]
        assert list(subscriber) == [f"cljtest hello ü {qos}" for qos in range(3)]


def test_without_a_message_the_built_in_one_is_sent(mosquitto: Broker) -> None:
    with witness(mosquitto, "t/default", 1) as subscriber:
        assert fieldpost("publish", "t/default", "--broker", mosquitto.url).returncode == 0
        assert list(subscriber) == [f"t/default {DEFAULT_MESSAGE}"]


@pytest.mark.parametrize("retain", [False, True])
def test_a_message_is_retained_only_if_asked_to(mosquitto: Broker, retain: bool) -> None:
    topic = f"t/retained/{retain}"
    publish_command(topic, "kept", broker=mosquitto.url, retain=retain)
    with witness(mosquitto, topic, 1) as subscriber:
        if not retain:
            publish_command(topic, "later", broker=mosquitto.url)
        assert list(subscriber) == [f"{topic} {'kept' if retain else 'later'}"]


def test_by_default_the_session_is_clean_keepalive_30_qos_0_and_not_retained() -> None:
    packets: list[bytes] = []

    def talk(peer: socket.socket) -> None:
        packets.append(peer.recv(1024))
        peer.sendall(CONNACK)
        rest = b""
        while piece := peer.recv(1024):
            rest += piece
        packets.append(rest)

    with server(talk) as url:
        publish_command("cljtest", "hi", broker=url)
    connect, rest = packets
    # MQTT 3.1.1 section 3.1: protocol name and level, flags (clean session only), keepalive.
    assert connect[2:12] == b"\x00\x04MQTT\x04\x02\x00\x1e"
    publish = b"\x30\x0b\x00\x07cljtesthi"
    assert rest == publish + b"\xe0\x00"  # and a DISCONNECT, so that no will would be sent


def test_amqtt_delivers_it_too() -> None:
    with Broker("amqtt") as broker:
        for qos in (0, 1, 2):
            publish_command("t", "hello", broker=broker.url, qos=qos)


# What goes wrong ---------------------------------------------------------------------------------


def test_nothing_listens_there() -> None:
    done = fieldpost("publish", "t", "--broker", f"mqtt://127.0.0.1:{brokers.free_port()}")
    assert done.returncode == 1
    assert "nothing listens at mqtt://127.0.0.1" in done.stderr
    assert "`fieldpost broker`" in done.stderr and "--broker" in done.stderr


def test_no_such_host() -> None:
    with pytest.raises(CommandError, match=r"no host is named nowhere\.invalid"):
        publish_command("t", broker="mqtt://nowhere.invalid")


@pytest.mark.slow
def test_a_wrong_password_is_named_and_never_shown() -> None:
    program = "mosquitto" if brokers.find_mosquitto() else "amqtt"
    with Broker(program, users={"ann": "another"}) as broker:
        url = broker.url.replace("//", f"//ann:{PASSWORD_ENCODED}@")
        done = fieldpost("publish", "t", FIELDPOST_BROKER=url)
        assert done.returncode == 1
        assert "wrong password, or no user ann there" in done.stderr
        for form in (PASSWORD, PASSWORD_ENCODED):
            assert form not in done.stdout + done.stderr
        nobody = fieldpost("publish", "t", FIELDPOST_BROKER=broker.url)
        assert nobody.returncode == 1
        assert "wants a user and a password" in nobody.stderr


def test_the_right_password_is_decoded_and_never_shown() -> None:
    program = "mosquitto" if brokers.find_mosquitto() else "amqtt"
    with Broker(program, users={"ann": PASSWORD}) as broker:
        url = broker.url.replace("//", f"//ann:{PASSWORD_ENCODED}@")
        done = fieldpost("publish", "t", "--broker", url)
    assert done.returncode == 0
    for form in (PASSWORD, PASSWORD_ENCODED):
        assert form not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("url", "told"),
    [
        (f"ann:{PASSWORD}@host", "no mqtt:// or mqtts:// in front"),
        (f"http://ann:{PASSWORD_ENCODED}@host", "begins with http://"),
        (f"mqtts://ann:{PASSWORD_ENCODED}@", "names no host"),
        (f"mqtt://ann:{PASSWORD_ENCODED}@", "names no host"),
        (f"mqtt://ann:{PASSWORD_ENCODED}@host:x", "port must be a number from 1 to 65535"),
        (f"mqtt://ann:{PASSWORD_ENCODED}@host:0", "port must be a number from 1 to 65535"),
        (f"mqtt://ann:{PASSWORD_ENCODED}@host:65536", "port must be a number from 1 to 65535"),
        (f"mqtt://ann:{PASSWORD}@host", ""),
        (f"mqtt://ann:{PASSWORD_ENCODED}@host/topic", "nothing may follow the port"),
        (f"mqtt://:{PASSWORD_ENCODED}@host", "a password but no user"),
        ("mqtt://u:p#w@h", "# as %23"),
        ("mqtt://u:p?w@h", "? as %3F"),
        ("mqtt://u:%FF@h", "itself is %25"),
        (f"mqtt://[ann:{PASSWORD_ENCODED}@host", ""),
    ],
)
def test_a_bad_address_says_what_is_wrong_and_not_the_password(url: str, told: str) -> None:
    with pytest.raises(CommandError) as caught:
        mqtt_url.parse(url)
    text = str(caught.value)
    assert told in text
    assert "mqtt://[user:password@]host[:port]" in text
    for word in (PASSWORD, PASSWORD_ENCODED, "q@x", "ta/q"):
        assert word not in text


def test_good_addresses_are_understood() -> None:
    parse = mqtt_url.parse
    assert parse("host") == parse("mqtt://host")
    assert parse("10.0.0.1:1884") == parse("mqtt://10.0.0.1:1884")
    assert parse("fe80::1") == parse("mqtt://[fe80::1]")
    assert parse("mqtt://host") == mqtt_url.BrokerAddress("host", 1883)
    assert parse("mqtt://[fe80::1]:99") == mqtt_url.BrokerAddress("fe80::1", 99)
    assert str(parse("mqtt://[fe80::1]:99")) == "mqtt://[fe80::1]:99"
    with_user = parse(f"mqtt://ann:{PASSWORD_ENCODED}@host:1/")
    assert (with_user.user, with_user.password, with_user.port) == ("ann", PASSWORD, 1)
    assert PASSWORD not in f"{with_user} {with_user!r}"


@pytest.mark.parametrize("topic", ["a/+", "#", "", "a\0b", "x" * 65536])
def test_a_topic_that_no_one_can_publish_to_is_refused_at_once(topic: str) -> None:
    with pytest.raises(CommandError):
        publish_command(topic, broker="mqtt://nowhere.invalid")


def test_a_peer_that_accepts_and_says_nothing_does_not_hang_it() -> None:
    started = time.monotonic()
    with server(drain) as url, pytest.raises(CommandError, match="did not answer within 1 s"):
        publish_command("t", broker=url, timeout_s=1)
    assert time.monotonic() - started < 4


def test_a_peer_that_hangs_up_is_not_taken_for_a_broker() -> None:
    with (
        server(lambda peer: None) as url,
        pytest.raises(CommandError, match="is it an MQTT broker"),
    ):
        publish_command("t", broker=url, timeout_s=5)


def test_a_connection_lost_before_the_acknowledgement_is_reported(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def talk(peer: socket.socket) -> None:
        peer.recv(1024)
        peer.sendall(CONNACK)
        peer.recv(1024)

    with server(talk) as url, pytest.raises(CommandError, match="not delivered"):
        publish_command("t", broker=url, qos=1, timeout_s=5)
    printed = capsys.readouterr()
    assert "connection lost" in printed.err
    assert "delivery complete" not in printed.out


def test_an_acknowledgement_that_never_comes_does_not_hang_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def talk(peer: socket.socket) -> None:
        peer.recv(1024)
        peer.sendall(CONNACK)
        drain(peer)

    with server(talk) as url, pytest.raises(CommandError, match="did not acknowledge within 1 s"):
        publish_command("t", broker=url, qos=1, timeout_s=1)
    assert "delivery complete" not in capsys.readouterr().out


def test_a_message_comes_in_by_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[bytes] = []
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\x00\xff, as it is")))
    with Broker() as broker:
        ear = Connection(
            mqtt_url.parse(broker.url), on_message=lambda message: heard.append(message.payload)
        )
        ear.open()
        ear.subscribe("t", 1)
        publish_command("t", "-", broker=broker.url, qos=1)
        end = time.monotonic() + 10
        while not heard and time.monotonic() < end:
            time.sleep(0.02)
        ear.close()
    assert heard == [b"\x00\xff, as it is"]


@pytest.mark.slow
def test_a_node_that_is_not_there_is_not_removed_from_home_assistant() -> None:
    with Broker() as broker:
        with pytest.raises(CommandError, match="keeps nothing of a node kitchen"):
            home_assistant.remove("kitchen", broker=broker.url)
        publish_command(
            "homeassistant/device/kitchen/config", "{}", broker=broker.url, qos=1, retain=True
        )
        assert "is removed" in home_assistant.remove("kitchen", broker=broker.url)
        with pytest.raises(CommandError, match="nothing was removed"):
            home_assistant.remove("kitchen", broker=broker.url)
