"""A collector at a broker, within this process: what it takes, what it is refused, how it ends."""

from __future__ import annotations

import functools
import itertools
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode
from rigs.collecting import Collecting
from rigs.mosquitto import need_mosquitto
from rigs.stores import rows
from rigs.tls import TlsBroker

from fieldpost.certs.authority import Authority
from fieldpost.collect import run
from fieldpost.collect.ending import Limits
from fieldpost.collect.intake import Intake
from fieldpost.collect.message import Reader
from fieldpost.collect.run import Wish, collect
from fieldpost.collect.sources import choose
from fieldpost.collect.sources.mqtt.source import MqttSource
from fieldpost.collect.told import Told
from fieldpost.errors import CommandError
from fieldpost.mqtt.brokers import Broker
from fieldpost.mqtt.client import Connection, forget_session
from fieldpost.mqtt.tls import ClientFiles
from fieldpost.mqtt.url import BrokerAddress
from fieldpost.mqtt.url import parse as parse_broker
from fieldpost.serve import collecting
from fieldpost.serve.run import Wish as PageWish
from fieldpost.serve.run import page
from fieldpost.store.address import parse as parse_store
from fieldpost.store.opened import Store, open_store


def wish(
    broker: Broker,
    folder: Path,
    base: str = "fieldpost",
    count: int | None = None,
    timeout_s: float | None = None,
) -> Wish:
    store = parse_store(f"sqlite:///{folder}/readings.db")
    return Wish(parse_broker(broker.url), store, base=base, limits=Limits(count, timeout_s))


def collected(one: Wish) -> dict[str, Any]:
    with Told(as_json=False) as told:
        return collect(one, told)


@contextmanager
def stored(one: Wish) -> Iterator[Store]:
    store = open_store(one.store)
    yield store
    store.close()


def publish(broker: Broker, *messages: tuple[str, bytes], retain: bool = False) -> None:
    connection = Connection(parse_broker(broker.url))
    connection.open()
    for topic, payload in messages:
        connection.publish(topic, payload, qos=1, retain=retain)
    connection.close()


def reading(seq: int) -> bytes:
    return json.dumps({"boot": 1, "seq": seq, "temperature": seq}).encode()


def test_who_finds_no_broker_leaves_no_store_behind_and_hears_of_a_bad_one_first(
    tmp_path: Path,
) -> None:
    nobody = parse_broker("mqtt://127.0.0.1:1")
    file = tmp_path / "readings.db"
    with pytest.raises(CommandError, match="nothing listens"):
        collected(Wish(nobody, parse_store(f"sqlite:///{file}")))
    with (
        pytest.raises(CommandError, match="nothing listens"),
        page(PageWish(parse_store(f"sqlite:///{file}"), broker=str(nobody)), print),
    ):
        pass
    assert not list(tmp_path.iterdir())
    file.write_text(
        "no database at all, and longer than SQLite's own header, which is 100 bytes" * 9
    )
    with pytest.raises(CommandError, match="no database"):
        collected(Wish(nobody, parse_store(f"sqlite:///{file}")))


def test_a_backlog_that_does_not_fit_in_at_once_is_taken_from_the_beginning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The broker's answer to the subscription stands behind more than there is room for."""
    with Broker() as broker:
        collected(wish(broker, tmp_path, timeout_s=0.1))
        connection = Connection(parse_broker(broker.url))
        connection.open()
        connection.publish_all(
            "fieldpost/n/telemetry", [reading(seq) for seq in range(500)], timeout_s=20
        )
        connection.close()
        monkeypatch.setattr(run, "Intake", lambda: Intake(waiting_max=20))
        account = collected(wish(broker, tmp_path, count=500, timeout_s=30))
    assert account["stored"] == 500


def test_the_pages_collector_takes_such_a_backlog_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collecting, "Intake", lambda: Intake(waiting_max=20))
    address = parse_store(f"sqlite:///{tmp_path}/readings.db")
    with Broker() as broker, stored(Wish(parse_broker(broker.url), address)) as store:

        def one() -> collecting.Collecting:
            at, ended = parse_broker(broker.url), pytest.fail
            return collecting.Collecting(at, "page", "fieldpost", store, print, print, ended)

        with one():
            pass
        other = Connection(parse_broker(broker.url))
        other.open()
        other.publish_all("fieldpost/n/telemetry", [reading(n) for n in range(200)], timeout_s=20)
        other.close()
        with one():
            end = time.monotonic() + 20
            while rows(store, "SELECT count(*) FROM readings") != [(200,)]:
                assert time.monotonic() < end
                time.sleep(0.05)


@pytest.mark.slow
def test_what_is_retained_is_stored_once_however_often_it_comes(
    broker: Broker, tmp_path: Path
) -> None:
    base = "retained"
    publish(broker, (f"{base}/n/status", b'{"state":"online"}'), retain=True)
    for expected in 1, 0:
        account = collected(wish(broker, tmp_path, base=base, timeout_s=1.0))
        assert account["events"] == expected, account


@pytest.mark.slow
def test_all_kinds_of_messages_go_where_they_belong(broker: Broker, tmp_path: Path) -> None:
    base = "site/all"
    one = wish(broker, tmp_path, base=base, timeout_s=1.0)
    publish(
        broker,
        (f"{base}/n/telemetry", reading(0)),
        (f"{base}/n/status", b'{"state":"online"}'),
        (f"{base}/n/update", b'{"state":"trial"}'),
        (f"{base}/n/health", b"{"),
        retain=True,
    )
    account = collected(one)
    assert (account["stored"], account["events"], account["rejected"]) == (1, 2, 1)
    with stored(one) as store:
        assert rows(store, "SELECT kind FROM events ORDER BY kind") == [("status",), ("update",)]


def test_a_clock_that_is_set_costs_nothing(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = "stepped"
    steps = itertools.cycle([1.8e9, 0.0, 4.0e9, -5.0, 1.7e9])
    hears = threading.Event()

    def now() -> float:
        hears.set()
        return next(steps)

    def feed() -> None:
        # The retained one comes as soon as the collector has subscribed.
        if hears.wait(20):
            publish(broker, *((f"{base}/n/telemetry", reading(seq)) for seq in range(20)))

    monkeypatch.setattr(choose, "MqttSource", functools.partial(MqttSource, now=now))
    publish(broker, (f"{base}/n/telemetry", reading(0)), retain=True)
    feeding = threading.Thread(target=feed, daemon=True)
    feeding.start()
    account = collected(wish(broker, tmp_path, base=base, count=20, timeout_s=20))
    feeding.join(5)
    assert (account["stored"], account["conflicts"], account["rejected"]) == (20, 0, 0)


@pytest.mark.slow
def test_a_session_that_is_not_wanted_any_more_is_forgotten(tmp_path: Path) -> None:
    with Broker() as broker:
        one = wish(broker, tmp_path, timeout_s=0.1)
        collected(one)
        forget_session(one.source, one.session_id)
        publish(broker, ("fieldpost/n/telemetry", reading(0)))
        assert collected(wish(broker, tmp_path, timeout_s=0.5))["stored"] == 0


@pytest.mark.slow
def test_a_broker_that_sends_nonsense_is_dialled_again() -> None:
    """An acknowledgement of a subscription that ends too early."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        intake, told = Intake(), []
        address = parse_broker(f"mqtt://127.0.0.1:{server.getsockname()[1]}")
        session = MqttSource(address, "mine", ["t/x"], intake, told.append)
        served = threading.Thread(target=_senseless, args=(server, 2), daemon=True)
        served.start()
        session.open()
        thread = threading.Thread(target=session.run, daemon=True)
        thread.start()
        served.join(20)
        session.stop()
        thread.join(5)
        session.close()
        assert not served.is_alive() and not thread.is_alive()
    assert sum("connected to" in one for one in told) == 2, told


def test_a_topic_at_which_the_broker_ends_the_connection_is_left_out_and_told() -> None:
    told = _opened_at_a_broker_that_ends_at(b"/health")
    left_out = [line for line in told if "is left out" in line]
    assert left_out == ["b/+/health is left out: the broker ends the connection at it"]


def test_one_that_ends_once_at_a_topic_is_asked_again() -> None:
    told = _opened_at_a_broker_that_ends_at(b"/telemetry", times=1)
    assert not any("left out" in line for line in told)


def test_without_readings_there_is_nothing_to_collect() -> None:
    with pytest.raises(CommandError) as raised:
        _opened_at_a_broker_that_ends_at(b"/telemetry")
    assert raised.value.code == "broker_denied"


def test_a_broker_without_mqtt_5_is_spoken_to_in_3_1_1() -> None:
    """And one that grants a subscription without acknowledgements is told of."""
    told: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=_old, args=(server,), daemon=True).start()
        address = parse_broker(f"mqtt://127.0.0.1:{server.getsockname()[1]}")
        session = MqttSource(address, "mine", ["b/+/telemetry"], Intake(), told.append)
        session.open()
        session.close()
    assert told[0].startswith("connected to")
    assert told[1:] == [
        "the broker grants b/+/telemetry without acknowledgements: some may be lost"
    ]


def _old(server: socket.socket) -> None:
    """Refuses whatever is not MQTT 3.1.1, and grants QoS 0."""
    for _ in range(2):
        one, _ = server.accept()
        with one:
            one.settimeout(5)
            # The level stands behind the length and the name of the protocol.
            if one.recv(1000)[8] != 4:
                one.sendall(b"\x20\x02\x00\x01")
                continue
            one.sendall(b"\x20\x02\x00\x00")
            packet_id = one.recv(1000)[2:4]
            one.sendall(b"\x90\x03" + packet_id + b"\x00")
            one.recv(1000)


def _opened_at_a_broker_that_ends_at(topic: bytes, times: int = 99) -> list[str]:
    told: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=_strict, args=(server, topic, times), daemon=True).start()
        address = parse_broker(f"mqtt://127.0.0.1:{server.getsockname()[1]}")
        session = MqttSource(address, "mine", Reader("b").topics(), Intake(), told.append)
        try:
            session.open()
        finally:
            session.close()
    return told


def _strict(server: socket.socket, topic: bytes, times: int) -> None:
    """Lets everybody in, and ends the connection over a subscription to `topic`, so often."""
    ended = 0
    while True:
        try:
            one, _ = server.accept()
        except OSError:
            return
        with one:
            one.settimeout(5)
            one.recv(1000)
            one.sendall(b"\x20\x03\x00\x00\x00")
            while (packet := one.recv(1000))[:1] == b"\x82":
                if topic in packet and ended < times:
                    ended += 1
                    break
                one.sendall(b"\x90\x04" + packet[2:4] + b"\x00\x01")


def _senseless(server: socket.socket, times: int) -> None:
    """CONNACK and SUBACK as they should be, and then a SUBACK without its number."""
    for _ in range(times):
        one, _ = server.accept()
        with one:
            one.settimeout(5)
            one.recv(1000)
            one.sendall(b"\x20\x03\x00\x00\x00")
            packet_id = one.recv(1000)[2:4]
            one.sendall(b"\x90\x04" + packet_id + b"\x00\x01")
            time.sleep(0.3)
            one.sendall(b"\x90\x00")
            time.sleep(0.3)


def test_its_id_is_the_same_for_the_same_store_and_another_for_another(tmp_path: Path) -> None:
    here = parse_broker("mqtt://127.0.0.1")
    first = Wish(here, parse_store(f"sqlite:///{tmp_path}/a.db"))
    again = Wish(here, parse_store(f"sqlite:///{tmp_path}/x/../a.db"))
    other = Wish(here, parse_store(f"sqlite:///{tmp_path}/b.db"))
    assert first.session_id == again.session_id != other.session_id
    # MQTT 3.1.1, section 3.1.3.1: what every broker takes.
    assert len(first.session_id) <= 23
    assert Wish(here, first.store, client_id="mine").session_id == "mine"


def test_the_one_whose_session_is_taken_ends_in_a_sentence_where_the_broker_says_so(
    broker: Broker,
) -> None:
    intake, told = Intake(), []
    session = MqttSource(parse_broker(broker.url), "mine", ["taken/x"], intake, told.append)
    session.open()
    session._client._sock_close()
    reason = ReasonCode(PacketTypes.DISCONNECT, "Session taken over")
    session._disconnected(None, None, None, reason)
    with pytest.raises(CommandError, match="another client has come") as raised:
        session.run()
    session.close()
    assert raised.value.code == "broker_lost"


@pytest.mark.slow
def test_two_under_one_id_are_told_where_it_does_not(tmp_path: Path) -> None:
    need_mosquitto("amqtt lets both stay")
    with Broker("mosquitto") as broker:
        store = f"sqlite:///{tmp_path}/readings.db"
        with (
            Collecting(broker, store, "--client-id", "same") as one,
            Collecting(broker, store, "--client-id", "same") as other,
        ):
            words = "client"
            end = time.monotonic() + 40
            while time.monotonic() < end:
                if any(words in line for line in (*one.lines, *other.lines)):
                    break
                time.sleep(0.2)
            assert any(words in line for line in (*one.lines, *other.lines)), one.lines


@pytest.mark.slow
def test_over_tls_with_a_certificate_of_its_own(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "certs")
    authority.create("Test CA")
    authority.issue_server(["127.0.0.1"])
    for name in "collector", "ann":
        authority.issue_person(name)
    with TlsBroker(authority, tmp_path) as broker:
        # Its name is the client id, too, so that each needs a certificate of its own.
        address, publisher = (_person(authority, broker, name) for name in ("collector", "ann"))
        store = parse_store(f"sqlite:///{tmp_path}/readings.db")
        feed = threading.Timer(1.0, _publish_all, [publisher, 700])
        feed.start()
        account = collected(Wish(address, store, limits=Limits(count=700, timeout_s=30)))
        feed.join()
    assert account["stored"] == 700


def _person(authority: Authority, broker: TlsBroker, name: str) -> BrokerAddress:
    own = authority.folder / "people" / name
    files = ClientFiles(own / "ca.crt", own / "client.crt", own / "client.key")
    return parse_broker(f"mqtts://127.0.0.1:{broker.port}", files)


def _publish_all(address: BrokerAddress, count: int) -> None:
    connection = Connection(address)
    connection.open()
    readings = [reading(seq) for seq in range(count)]
    connection.publish_all("fieldpost/n/telemetry", readings, timeout_s=20)
    connection.close()


def test_a_broker_that_is_not_there_leaves_a_store_without_readings(tmp_path: Path) -> None:
    with pytest.raises(CommandError) as raised:
        collected(
            Wish(
                parse_broker("mqtt://127.0.0.1:1"),
                parse_store(f"sqlite:///{tmp_path}/readings.db"),
            )
        )
    assert raised.value.code == "broker_away"
