"""A broker of our own starts, stops, comes back on its port, and leaves nothing behind."""

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
from paho.mqtt.client import MQTTMessage

from fieldpost.errors import CommandError
from fieldpost.mqtt import brokers
from fieldpost.mqtt import url as mqtt_url
from fieldpost.mqtt.brokers import Broker, Program
from fieldpost.mqtt.client import Connection


@pytest.fixture(params=["mosquitto", "amqtt"])
def program(request: pytest.FixtureRequest) -> Program:
    if request.param == "mosquitto" and not brokers.find_mosquitto():
        pytest.skip("Mosquitto is not installed")
    return request.param


@pytest.fixture
def arrived() -> list[tuple[str, bytes]]:
    return []


@pytest.fixture
def opened() -> Iterator[list[Connection]]:
    """Connections to close at the end."""
    connections: list[Connection] = []
    yield connections
    for connection in connections:
        connection.close()


def test_it_accepts_as_soon_as_it_has_started_and_never_again_after_its_end(
    program: Program,
) -> None:
    with Broker(program) as broker:
        assert broker.program == program
        assert broker.name.lower().startswith(program)
        socket.create_connection(("127.0.0.1", broker.port), timeout=1).close()
        pid = broker.pid
    assert pid is not None
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", broker.port), timeout=1)


def test_it_comes_back_on_the_same_port_after_a_stop_and_after_a_kill(program: Program) -> None:
    with Broker(program) as broker:
        port = broker.port
        for end in (broker.stop, broker.kill):
            end()
            assert not broker.running()
            broker.start()
            assert broker.running()
            assert broker.port == port


@pytest.mark.slow
def test_a_known_subscriber_gets_what_was_published_while_it_was_still_away(
    program: Program, arrived: list[tuple[str, bytes]], opened: list[Connection]
) -> None:
    with Broker(program, subscriber=("witness", "t/#")) as broker:
        address = mqtt_url.parse(broker.url)
        first = Connection(address, client_id="witness", clean=False)
        first.open()
        first.subscribe("t/#", 1)
        first.close()
        broker.stop()
        broker.start()
        publisher = Connection(address)
        opened.append(publisher)
        publisher.open()
        sent = [b"%d" % number for number in range(20)]
        for message in sent:
            publisher.publish("t/a", message, qos=1, retain=False)
        back = Connection(
            address,
            client_id="witness",
            clean=False,
            on_message=lambda m: arrived.append((m.topic, bytes(m.payload))),
        )
        opened.append(back)
        back.open()
        end = time.monotonic() + 5
        while len(arrived) < len(sent) and time.monotonic() < end:
            time.sleep(0.01)
    assert [message for _, message in arrived] == sent


@pytest.mark.slow
def test_with_users_it_lets_in_who_knows_the_password_and_nobody_else(program: Program) -> None:
    with Broker(program, users={"ann": "s:ecret ü"}) as broker:
        port = broker.port
        known = mqtt_url.BrokerAddress("127.0.0.1", port, "ann", "s:ecret ü")
        connection = Connection(known)
        connection.open()
        connection.close()
        for stranger in (
            mqtt_url.BrokerAddress("127.0.0.1", port),
            mqtt_url.BrokerAddress("127.0.0.1", port, "ann", "wrong"),
            mqtt_url.BrokerAddress("127.0.0.1", port, "bob", "s:ecret ü"),
        ):
            with pytest.raises(CommandError, match="refused us"):
                Connection(stranger).open()


def test_its_files_are_gone_afterwards_passwords_and_all(
    program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with Broker(program, users={"ann": "secret"}) as broker:
        assert any(tmp_path.iterdir())
        broker.stop()
    assert list(tmp_path.iterdir()) == []


def test_mosquitto_keeps_retained_messages_over_a_restart_only_if_asked_to(
    arrived: list[tuple[str, bytes]], opened: list[Connection]
) -> None:
    if not brokers.find_mosquitto():
        pytest.skip("Mosquitto is not installed")
    for persistence in (True, False):
        arrived.clear()
        with Broker("mosquitto", persistence=persistence) as broker:
            address = mqtt_url.parse(broker.url)
            publisher = Connection(address)
            publisher.open()
            publisher.publish("t", b"kept", qos=1, retain=True)
            publisher.close()
            broker.stop()
            broker.start()
            witness = Connection(
                address, on_message=lambda m: arrived.append((m.topic, bytes(m.payload)))
            )
            opened.append(witness)
            witness.open()
            witness.subscribe("t", 1)
            # What follows a retained message cannot arrive before it.
            witness.publish("t", b"last", qos=1, retain=False)
            end = time.monotonic() + 5
            while ("t", b"last") not in arrived and time.monotonic() < end:
                time.sleep(0.01)
        assert (("t", b"kept") in arrived) is persistence
        assert ("t", b"last") in arrived


def test_amqtt_serves_where_mosquitto_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(brokers, "find_mosquitto", lambda: None)
    assert Broker().program == "amqtt"
    with pytest.raises(CommandError, match="not installed"):
        Broker("mosquitto")


def test_amqtt_is_not_asked_for_what_it_cannot_do() -> None:
    with pytest.raises(CommandError, match="persistence needs mosquitto"):
        Broker("amqtt", persistence=True)


def test_amqtt_serves_whoever_comes_while_others_subscribe() -> None:
    """Each of many is served, though retained messages make amqtt take its time with each."""
    with Broker("amqtt") as broker:
        address = mqtt_url.parse(broker.url)
        first = Connection(address)
        first.open()
        for n in range(20):
            first.subscribe(f"kept/{n}", 0)
            first.publish(f"kept/{n}", b"kept", qos=1, retain=True)

        def come(n: int) -> None:
            one = Connection(address)
            one.open()
            try:
                for k in range(5):
                    one.subscribe(f"mine/{n}/{k}", 0, timeout_s=5)
            finally:
                one.close()

        with ThreadPoolExecutor(8) as pool:
            for done in [pool.submit(come, n) for n in range(32)]:
                done.result()
        first.close()


def test_all_that_comes_while_a_collector_is_away_is_kept_as_what_it_was(program: Program) -> None:
    count = 1200 if program == "mosquitto" else 20
    came: list[MQTTMessage] = []
    with Broker(program) as broker:
        address = mqtt_url.parse(broker.url)
        collector = Connection(address, client_id="collector", clean=False)
        collector.open()
        collector.subscribe("t", 1)
        collector.close()
        other = Connection(address)
        other.open()
        other.publish_all("t", [b"x"] * count, timeout_s=20)
        other.close()
        back = Connection(address, on_message=came.append, client_id="collector", clean=False)
        back.open()
        end = time.monotonic() + 20
        while len(came) < count and time.monotonic() < end:
            time.sleep(0.02)
        back.close()
    assert len(came) == count and not any(one.retain for one in came)


def test_a_client_hears_of_what_it_has_asked_for_and_of_nothing_else(program: Program) -> None:
    with Broker(program) as broker:
        address = mqtt_url.parse(broker.url)
        other = Connection(address)
        other.open()
        other.subscribe("kept/#", 1)
        other.publish("kept/1", b"kept", qos=1, retain=True)
        arrived: list[str] = []
        came = threading.Event()

        def note(message: MQTTMessage) -> None:
            arrived.append(message.topic)
            if message.payload == b"last":
                came.set()

        one = Connection(address, on_message=note)
        one.open()
        one.subscribe("mine/+", 1)
        other.publish("mine/1", b"last", qos=1, retain=False)
        assert came.wait(10) and arrived == ["mine/1"]
        one.close()
        other.close()


def test_a_port_that_is_taken_is_an_error_if_given_and_replaced_if_picked(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        given = Broker(program, port=port)
        with pytest.raises(CommandError, match=f"did not start on port {port}"), given:
            pass
        free = brokers.free_port()
        ports = iter([port, free])
        monkeypatch.setattr(brokers, "free_port", lambda: next(ports))
        with Broker(program) as picked:
            assert picked.port == free


def test_a_picked_port_is_none_that_outgoing_connections_are_given() -> None:
    # A client that dials a stopped broker on such a port can end up talking to itself.
    range_file = Path("/proc/sys/net/ipv4/ip_local_port_range")
    lowest = int(range_file.read_text().split()[0]) if range_file.exists() else 49152
    assert all(1024 < brokers.free_port() < lowest for _ in range(200))


_START_AND_WAIT = """
import sys, time
from fieldpost.mqtt.brokers import Broker
with Broker(sys.argv[1]) as broker:
    print(broker.pid, flush=True)
    time.sleep(600)
"""


@pytest.mark.slow
def test_it_ends_with_whoever_started_it_also_when_that_is_killed(program: Program) -> None:
    starter = subprocess.Popen(
        [sys.executable, "-c", _START_AND_WAIT, program], stdout=subprocess.PIPE, text=True
    )
    try:
        assert starter.stdout
        broker = psutil.Process(int(starter.stdout.readline()))
    finally:
        starter.kill()
        starter.communicate()
    assert psutil.wait_procs([broker], timeout=10)[1] == []
