"""The broker in memory answers as Mosquitto does, byte by byte; without that it proves nothing.

Mosquitto's answers are recorded; where it is installed, the record is compared with it.
"""

import asyncio
import json
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest
from rigs.mosquitto import need_mosquitto

from fakes.broker import Broker
from fakes.mqtt_packets import packet
from fakes.net import Conditions, FakeNet
from fakes.world import World
from fieldpost import programs

_QUIET_S = 0.2
MOSQUITTO = programs.find("mosquitto")
# What Mosquitto answered, so that the comparison runs where it is not installed.
RECORDED = Path(__file__).with_name("mosquitto_answers.json")

# A step is (name of the connection, what it sends); a connection opens at its first step. None
# ends it without DISCONNECT. {id} stands for the case's own name, so that cases can't meet.
Step = tuple[str, bytes | None]


def string(data: bytes) -> bytes:
    return len(data).to_bytes(2, "big") + data


def connect(
    client: bytes = b"{id}",
    clean: bool = True,
    flags: int = 0,
    extra: bytes = b"",
    keepalive_s: int = 60,
    name: bytes = b"MQTT",
    level: int = 4,
) -> bytes:
    head = string(name) + bytes((level, flags | clean << 1)) + keepalive_s.to_bytes(2, "big")
    return packet(0x10, head + string(client) + extra)


def publish(payload: bytes, first: int = 0x30, topic: bytes = b"{id}/t", pid: int = 1) -> bytes:
    identifier = pid.to_bytes(2, "big") if first & 6 else b""
    return packet(first, string(topic) + identifier + payload)


def subscribe(pattern: bytes = b"{id}/#", qos: int = 1, pid: int = 5, first: int = 0x82) -> bytes:
    return packet(first, pid.to_bytes(2, "big") + string(pattern) + bytes((qos,)))


def after_connect(*sent: bytes) -> list[Step]:
    return [("a", connect()), *(("a", data) for data in sent), ("a", PING)]


PING = b"\xc0\x00"
BYE = b"\xe0\x00"
WILL = string(b"{id}/will") + string(b"gone")
USER = string(b"reader")

CASES: dict[str, list[Step]] = {
    # What a good client does.
    "ping": after_connect(),
    "qos0": after_connect(publish(b"x")),
    "qos1": after_connect(publish(b"x", 0x32, pid=77)),
    "qos1-dup": after_connect(publish(b"x", 0x3A, pid=77)),
    "qos1-empty": after_connect(publish(b"", 0x32)),
    "qos2": after_connect(publish(b"x", 0x34, pid=9), b"\x62\x02\x00\x09"),
    "early-publish": [("a", connect() + publish(b"x", 0x32) + publish(b"y", 0x32, pid=2))],
    "early-subscribe": [("a", connect() + subscribe() + publish(b"y"))],
    "disconnect": after_connect(BYE),
    "empty-id-clean": [("a", connect(b"")), ("a", PING)],
    "keepalive-0": [("a", connect(keepalive_s=0)), ("a", PING)],
    "will": [("a", connect(flags=0x04, extra=WILL)), ("a", PING)],
    "subscribe-0": after_connect(subscribe(qos=0), publish(b"x", 0x32)),
    "subscribe-1": after_connect(subscribe(), publish(b"x", 0x32), b"\x40\x02\x00\x01"),
    "subscribe-two": after_connect(
        packet(0x82, b"\x00\x06" + string(b"{id}/a") + b"\x01" + string(b"{id}/b") + b"\x00")
    ),
    "unsubscribe": after_connect(
        subscribe(), packet(0xA2, b"\x00\x07" + string(b"{id}/#")), publish(b"x")
    ),
    "wildcard-plus": after_connect(subscribe(b"{id}/+/c"), publish(b"x", topic=b"{id}/b/c")),
    "wildcard-parent": after_connect(subscribe(b"{id}/#"), publish(b"x", topic=b"{id}")),
    "overlapping": after_connect(
        subscribe(b"{id}/#", qos=0), subscribe(b"{id}/t", pid=6), publish(b"x", 0x32)
    ),
    "retained": [
        ("a", connect()),
        ("a", publish(b"kept", 0x33)),
        ("b", connect(b"{id}-b")),
        ("b", subscribe()),
        ("a", publish(b"live", 0x33, pid=2)),
        ("b", PING),
    ],
    "retained-cleared": [
        ("a", connect() + publish(b"kept", 0x31) + publish(b"", 0x31)),
        ("b", connect(b"{id}-b") + subscribe()),
    ],
    "will-of-the-dead": [
        ("b", connect(b"{id}-b") + subscribe()),
        ("a", connect(flags=0x04 | 0x08 | 0x20, extra=WILL)),
        ("a", None),
        ("b", PING),
    ],
    "no-will-after-disconnect": [
        ("b", connect(b"{id}-b") + subscribe()),
        ("a", connect(flags=0x04, extra=WILL)),
        ("a", BYE),
        ("b", PING),
    ],
    "will-of-the-malformed": [
        ("b", connect(b"{id}-b") + subscribe()),
        ("a", connect(flags=0x04, extra=WILL)),
        ("a", publish(b"x", 0x36)),
        ("b", PING),
    ],
    "takeover": [("a", connect()), ("b", connect()), ("a", PING), ("b", PING)],
    "session-kept": [
        ("a", connect(clean=False)),
        ("a", subscribe()),
        ("a", BYE),
        ("b", connect(b"{id}-b") + publish(b"1", 0x32) + publish(b"2", 0x32, pid=2)),
        ("b", publish(b"not queued", 0x30)),
        ("c", connect(clean=False)),
        ("c", b"\x40\x02\x00\x01\x40\x02\x00\x02"),
        ("c", PING),
    ],
    "inflight-again-with-dup": [
        ("a", connect(clean=False) + subscribe()),
        ("b", connect(b"{id}-b") + publish(b"1", 0x32)),
        ("a", None),
        ("c", connect(clean=False)),
        ("c", b"\x40\x02\x00\x01"),
        ("c", BYE),
        ("d", connect(clean=False)),
    ],
    "session-dropped-by-clean": [
        ("a", connect(clean=False) + subscribe()),
        ("a", BYE),
        ("b", connect()),
        ("b", publish(b"x")),
    ],
    "in-pieces": [
        ("a", connect()[:3]),
        ("a", connect()[3:] + publish(b"x", 0x32)[:5]),
        ("a", publish(b"x", 0x32)[5:]),
        ("a", PING),
    ],
    "unknown-puback": after_connect(b"\x40\x02\x00\x09"),
    # What a broken one does.
    "connect-twice": after_connect(connect()),
    "publish-first": [("a", publish(b"x"))],
    "ping-first": [("a", PING)],
    "wrong-name": [("a", connect(name=b"MQXX"))],
    "wrong-level": [("a", connect(level=9))],
    "reserved-connect-flag": [("a", connect(flags=0x01))],
    "will-qos-3": [("a", connect(flags=0x04 | 0x18, extra=WILL))],
    "will-qos-without-will": [("a", connect(flags=0x08))],
    "will-retain-without-will": [("a", connect(flags=0x20))],
    "will-flag-without-will": [("a", connect(flags=0x04))],
    "will-topic-wildcard": [("a", connect(flags=0x04, extra=string(b"{id}/#") + string(b"x")))],
    "password-without-user": [("a", connect(flags=0x40, extra=USER))],
    "user-missing": [("a", connect(flags=0x80))],
    "connect-surplus": [("a", connect(extra=b"surplus"))],
    "empty-id-not-clean": [("a", connect(b"", clean=False))],
    "id-not-utf8": [("a", connect(b"\xff\xfe"))],
    "connect-flags-in-header": [("a", b"\x11" + connect()[1:])],
    "connect-short": [("a", packet(0x10, string(b"MQTT") + b"\x04"))],
    "length-of-five-bytes": after_connect(b"\x30\xff\xff\xff\xff\x01"),
    "qos-3": after_connect(publish(b"x", 0x36)),
    "dup-on-qos-0": after_connect(publish(b"x", 0x38)),
    "packet-id-0": after_connect(publish(b"x", 0x32, pid=0)),
    "topic-plus": after_connect(publish(b"x", topic=b"{id}/+")),
    "topic-hash": after_connect(publish(b"x", topic=b"{id}/#")),
    "topic-empty": after_connect(publish(b"x", topic=b"")),
    "topic-not-utf8": after_connect(publish(b"x", topic=b"{id}/\xc3\x28")),
    "topic-surrogate": after_connect(publish(b"x", topic=b"{id}/\xed\xa0\x80")),
    "topic-nul": after_connect(publish(b"x", topic=b"{id}/\x00")),
    "topic-control": after_connect(publish(b"x", topic=b"{id}/\x07")),
    "topic-longer-than-packet": after_connect(packet(0x30, b"\x00\x50abc")),
    "publish-without-id": after_connect(packet(0x32, string(b"abc"))),
    "publish-empty-body": after_connect(b"\x30\x00"),
    "subscribe-flags": after_connect(subscribe(first=0x80)),
    "subscribe-id-0": after_connect(subscribe(pid=0)),
    "subscribe-nothing": after_connect(packet(0x82, b"\x00\x05")),
    "subscribe-qos-3": after_connect(subscribe(qos=3)),
    "subscribe-bad-filter": after_connect(subscribe(b"{id}/a#")),
    "subscribe-hash-inside": after_connect(subscribe(b"{id}/#/a")),
    "subscribe-empty-filter": after_connect(subscribe(b"")),
    "unsubscribe-flags": after_connect(packet(0xA0, b"\x00\x07" + string(b"a"))),
    "unsubscribe-nothing": after_connect(packet(0xA2, b"\x00\x07")),
    "puback-length": after_connect(b"\x40\x03\x00\x01\x00"),
    "puback-id-0": after_connect(b"\x40\x02\x00\x00"),
    "puback-flags": after_connect(b"\x42\x02\x00\x01"),
    "pubrel-flags": after_connect(b"\x60\x02\x00\x01"),
    "connack-from-client": after_connect(b"\x20\x02\x00\x00"),
    "suback-from-client": after_connect(b"\x90\x03\x00\x01\x00"),
    "pingresp-from-client": after_connect(b"\xd0\x00"),
    "type-0": after_connect(b"\x00\x00"),
    "type-15": after_connect(b"\xf0\x00"),
    "ping-flags": after_connect(b"\xc1\x00"),
    "ping-with-body": after_connect(b"\xc0\x01\x00"),
    "disconnect-flags": after_connect(b"\xe1\x00"),
    "disconnect-with-body": after_connect(b"\xe0\x01\x00"),
}

# Where the standard says close and some version of Mosquitto (2.0.11 all of these) reads on.
STRICTER = {
    "publish-first",
    "ping-first",
    "dup-on-qos-0",
    "puback-length",
    "puback-flags",
    "suback-from-client",
    "pingresp-from-client",
    "ping-flags",
    "ping-with-body",
}

Answers = dict[str, tuple[list[bytes], bool]]
Bytes = dict[str, list[Any]]


def steps_of(name: str) -> list[Step]:
    """The case's steps with its own name filled in, in which lengths do not change."""
    mark = b"{id}"
    own = b"c%03d" % list(CASES).index(name)
    return [(who, data and data.replace(mark, own)) for who, data in CASES[name]]


def fake_answers(name: str) -> Answers:
    world = World()
    net = FakeNet(world)
    net.conditions = Conditions(latency_ms=1)
    Broker(world).serve(net)
    net.address("broker")
    stack = net.node("probe", "esp32")
    sockets = {}
    answers: Answers = {}
    for who, data in steps_of(name):
        if who not in sockets:
            sockets[who] = stack.socket.socket()
            sockets[who].connect(("broker", 1883))
            sockets[who].setblocking(False)
            answers[who] = ([], False)
        if data is None:
            sockets[who].close()
        else:
            try:
                sockets[who].write(data)
            except OSError:
                pass
        world.sleep_ms(100)
        for one, sock in sockets.items():
            got, closed = answers[one]
            if sock.state == "closed":
                continue
            try:
                part = sock.read(65_536)
            except OSError:
                part = b""
            if part:
                got.append(part)
            answers[one] = (got, closed or part == b"" or sock.events(1) != 0)
    return answers


async def real_answers(name: str, port: int) -> Answers:
    streams: dict[str, tuple[asyncio.StreamReader, asyncio.StreamWriter]] = {}
    answers: Answers = {}
    for who, data in steps_of(name):
        if who not in streams:
            streams[who] = await asyncio.open_connection("127.0.0.1", port)
            answers[who] = ([], False)
        writer = streams[who][1]
        if data is None:
            writer.close()
        else:
            writer.write(data)
        await asyncio.sleep(_QUIET_S)
        for one, (reader, its_writer) in streams.items():
            if its_writer.is_closing():
                continue
            got, closed = answers[one]
            try:
                part = await asyncio.wait_for(reader.read(65_536), 0.02)
            except TimeoutError:
                continue
            except OSError:
                part = b""
            if part:
                got.append(part)
            answers[one] = (got, closed or not part or reader.at_eof())
    for _, writer in streams.values():
        writer.close()
    return answers


def all_real_answers(folder: Path) -> dict[str, Bytes]:
    """What the Mosquitto of this machine answers in each case."""
    assert MOSQUITTO
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = folder / "mosquitto.conf"
    settings.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\n")
    broker = subprocess.Popen(
        [MOSQUITTO, "-c", str(settings)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    watchdog = programs.Watchdog(broker)
    try:
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                time.sleep(0.05)

        async def everything() -> dict[str, Bytes]:
            results = await asyncio.gather(*(real_answers(name, port) for name in CASES))
            return {name: joined(result) for name, result in zip(CASES, results, strict=True)}

        return asyncio.run(everything())
    finally:
        watchdog.close()
        broker.terminate()
        broker.wait(10)


def joined(answers: Answers) -> Bytes:
    """For each connection all bytes that came, in hexadecimal, and whether it was closed."""
    return {who: [b"".join(got).hex(), closed] for who, (got, closed) in answers.items()}


def recorded() -> dict[str, Bytes]:
    return json.loads(RECORDED.read_text())


def test_mosquitto_still_answers_as_recorded(tmp_path: Path) -> None:
    """A difference after an update of Mosquitto: record anew, see `record`, and look at it."""
    need_mosquitto("its answers are compared as they were recorded")
    assert all_real_answers(tmp_path) == recorded()


@pytest.mark.parametrize("name", CASES)
def test_the_fake_broker_answers_as_mosquitto_does(name: str) -> None:
    expected, answered = recorded()[name], joined(fake_answers(name))
    if name in STRICTER:
        answer, closed = answered["a"]
        assert closed
        assert expected["a"][0].startswith(answer)
    else:
        assert answered == expected


def record() -> None:
    """PYTHONPATH=host_tests:lib:. python host_tests/unit/fakes/test_mosquitto.py"""
    with tempfile.TemporaryDirectory() as folder:
        answers = all_real_answers(Path(folder))
    RECORDED.write_text(json.dumps(answers, indent=1) + "\n")


if __name__ == "__main__":
    record()
