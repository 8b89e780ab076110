"""What a broker answers, byte by byte: the broker in memory and Mosquitto, to be compared."""

import asyncio
import json
import socket
import subprocess
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fakes.broker import Broker
from fakes.mqtt_packets import packet
from fakes.net import Conditions, FakeNet
from fakes.world import World
from fieldpost.mqtt.brokers import HOST, find_mosquitto, free_port
from fieldpost.processes import programs

_QUIET_S = 0.2
_START_S = 10.0
_CONFIGURATION = """listener {port} 127.0.0.1
allow_anonymous true
persistence false
user root
"""

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


Answers = dict[str, tuple[list[bytes], bool]]
Bytes = dict[str, list[Any]]


def named(cases: Iterable[str], name: str, steps: list[Step]) -> list[Step]:
    """The steps of one case with a name of its own filled in, in which lengths do not change."""
    own = b"c%03d" % list(cases).index(name)
    return [(who, data and data.replace(b"{id}", own)) for who, data in steps]


def fake_answers(steps: list[Step], port: str = "esp32", **options: Any) -> Answers:
    """Of the broker in memory with these options."""
    world = World()
    net = FakeNet(world)
    net.conditions = Conditions(latency_ms=1)
    Broker(world, **options).serve(net)
    net.address("broker")
    stack = net.node("probe", port)
    sockets = {}
    answers: Answers = {}
    for who, data in steps:
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
                part = sock.recv(65_536)
            except OSError:
                part = None if sock.state == "connected" else b""  # Nothing yet, or the end.
            if part:
                got.append(part)
            answers[one] = (got, closed or part == b"" or sock.events(1) != 0)
    return answers


async def real_answers(steps: list[Step], port: int) -> Answers:
    """Of whatever listens at this port."""
    streams: dict[str, tuple[asyncio.StreamReader, asyncio.StreamWriter]] = {}
    answers: Answers = {}
    ended = set()
    for who, data in steps:
        if who not in streams:
            streams[who] = await asyncio.open_connection(HOST, port)
            answers[who] = ([], False)
        writer = streams[who][1]
        if data is None:
            ended.add(who)
            writer.close()
        else:
            writer.write(data)
        await asyncio.sleep(_QUIET_S)
        for one, (reader, _) in streams.items():
            got, closed = answers[one]
            if one in ended or closed:
                continue
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


@contextmanager
def mosquitto(folder: Path, settings: str = "") -> Iterator[int]:
    """The Mosquitto of this machine with these lines in its configuration; gives its port."""
    program = find_mosquitto()
    assert program
    port = free_port()
    configuration = folder / "mosquitto.conf"
    configuration.write_text(_CONFIGURATION.format(port=port) + settings)
    broker = subprocess.Popen(
        [program, "-c", str(configuration)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    watchdog = programs.Watchdog(broker)
    try:
        _wait_until_it_accepts(port)
        yield port
    finally:
        watchdog.close()
        broker.terminate()
        broker.wait(10)


def _wait_until_it_accepts(port: int) -> None:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline:
        try:
            socket.create_connection((HOST, port), 1).close()
            return
        except OSError:
            time.sleep(0.05)


def all_real_answers(cases: dict[str, list[Step]], port: int) -> dict[str, Bytes]:
    """Of whatever listens at this port, in each of the cases, which run at once."""

    async def everything() -> dict[str, Bytes]:
        every = [real_answers(named(cases, name, steps), port) for name, steps in cases.items()]
        results = await asyncio.gather(*every)
        return {name: joined(result) for name, result in zip(cases, results, strict=True)}

    return asyncio.run(everything())


def joined(answers: Answers) -> Bytes:
    """For each connection all bytes that came, in hexadecimal, and whether it was closed."""
    return {who: [b"".join(got).hex(), closed] for who, (got, closed) in answers.items()}


def write_record(page: Path, answers: Any) -> None:
    """So that the comparison runs where there is no Mosquitto."""
    page.write_text(json.dumps(answers, indent=1) + "\n")
