"""The firmware's wire, session and delivery on the fake network, under either umqtt.simple."""

import importlib.util
import json
import random
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from fakes.broker import Broker
from fakes.net import Conditions, Connection, FakeNet
from fakes.world import NodeTime, World
from fieldpost.paths import LIB, ROOT, cache_folder
from firmware.readings.delivery import Delivery
from firmware.readings.outbox import Outbox
from wire import Wire

# No package registry has 1.8.0. Without a copy nothing runs with it, and one test skips to say so.
NEWEST = cache_folder() / "umqtt" / "1.8.0" / "simple.py"
VERSIONS = {"lib": LIB / "umqtt" / "simple.py"}
if NEWEST.exists():
    VERSIONS["1.8.0"] = NEWEST
PORTS = ("unix", "esp32", "rp2")
TIMEOUT_MS = 10_000
TOPIC = b"fieldpost/bench/telemetry"


def umqtt_file(version: str) -> Path:
    """simple.py of one of VERSIONS; skips if it has not been fetched."""
    path = VERSIONS[version]
    if not path.exists():
        pytest.skip(f"umqtt.simple {version} is not here: {path}")
    return path


def load_umqtt(version: str) -> ModuleType:
    """A copy of `umqtt.simple` of its own, whose name `socket` a test may replace."""
    return _load("umqtt.simple", umqtt_file(version))


@lru_cache
def load_session(version: str) -> ModuleType:
    """`firmware.net.mqtt_session` on that umqtt.simple; what others imported stays as it is."""
    package = ModuleType("umqtt")
    package.simple = load_umqtt(version)
    kept = {name: sys.modules.get(name) for name in ("umqtt", "umqtt.simple")}
    sys.modules["umqtt"], sys.modules["umqtt.simple"] = package, package.simple
    try:
        return _load("firmware.net.mqtt_session", ROOT / "firmware" / "net" / "mqtt_session.py")
    finally:
        for name, module in kept.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module


def _load(name: str, path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def number(error: BaseException) -> Any:
    """An OSError's number: CPython has no `errno` for one that was made of the number alone."""
    return error.args[0]


@contextmanager
def fails_with(*numbers: int) -> Iterator[None]:
    """The block must raise an OSError with one of `numbers`."""
    with pytest.raises(OSError) as caught:
        yield
    assert number(caught.value) in numbers, caught.value


class Peer:
    """A server that does what a test says: `answer(connection, data)` at each segment."""

    def __init__(
        self,
        net: FakeNet,
        answer: Callable[[Connection, bytes], object] | None = None,
        greet: Callable[[Connection], object] | None = None,
    ) -> None:
        self.data = b""
        self.reasons: list[str] = []
        self.connection: Connection | None = None
        self._answer = answer
        self._greet = greet
        net.listen("broker", 1883, self.accept)

    def accept(self, connection: Connection) -> "Peer":
        self.data = b""
        self.connection = connection
        if self._greet:
            # An event later: by then the connection knows its handler.
            connection.world.after_ms(0, self._greet, connection)
        return self

    def received(self, data: bytes) -> None:
        self.data += data
        if self._answer:
            self._answer(self.connection, data)

    def closed(self, reason: str) -> None:
        self.reasons.append(reason)


class Bench:
    """One node's wire on a fake network. Its ticks soon wrap, as they do on a board in time.

    `idled_ms`: when the idle hook was called. `port`: whose sockets (fakes/ports.py).
    """

    def __init__(self, port: str = "unix", seed: int = 1, **conditions: Any) -> None:
        self.rng = random.Random(seed)
        self.world = World()
        self.net = FakeNet(self.world, self.rng)
        self.net.conditions = Conditions(**{"latency_ms": 25, **conditions})
        self.net.address("broker")
        self.stack = self.net.node("node", port)
        self.time = NodeTime(self.world, ticks_ms=(1 << 30) - 3000)
        self.idled_ms: list[int] = []
        self.wire = Wire(self.stack.socket, self.stack.select, self.time, idle=self._idle)
        self.lookups: list[str] = []
        resolve = self.stack.socket.getaddrinfo

        def counted(host: str, *rest: Any) -> list[tuple]:
            self.lookups.append(host)
            return resolve(host, *rest)

        self.stack.socket.getaddrinfo = counted

    def _idle(self) -> None:
        self.idled_ms.append(self.world.now_ms)

    @property
    def connection(self) -> Connection:
        """The last connection that was tried."""
        return self.net.connections[-1]

    def open_wire(self) -> None:
        """Connect the wire as umqtt.simple does, to whoever listens as broker:1883."""
        self.wire.arm(TIMEOUT_MS)
        self.wire.socket()
        self.wire.connect(self.wire.getaddrinfo("broker", 1883)[0][-1])


class PlainClient:
    """umqtt.simple as upstream made it, on the wire of a bench with a broker."""

    def __init__(self, bench: Bench, version: str, name: str | bytes = "plain") -> None:
        self.bench = bench
        self.broker = Broker(bench.world, random.Random(1))
        self.broker.serve(bench.net)
        self.messages: list[tuple[bytes, bytes]] = []
        module = load_umqtt(version)
        module.socket = bench.wire
        self.mqtt: Any = module.MQTTClient(name, "broker", keepalive=60)
        self.mqtt.set_callback(lambda *message: self.messages.append(message))

    def sends(self, operation: str, *arguments: Any, **options: Any) -> int:
        """Do it, and return how many segments left for it."""
        before = self.bench.net.totals["segments"]
        self.bench.wire.arm(TIMEOUT_MS)
        getattr(self.mqtt, operation)(*arguments, **options)
        if self.bench.wire.is_open():
            self.bench.wire.flush()
        return self.bench.net.totals["segments"] - before


class SessionBench(Bench):
    """The same with a broker, a session and an outbox in RAM whose readings it delivers.

    `arrived`: payloads of the readings that the broker took, in order.
    """

    def __init__(
        self, version: str = "lib", port: str = "unix", seed: int = 1, **conditions: Any
    ) -> None:
        super().__init__(port, seed, **conditions)
        self.module = load_session(version)
        self.broker = Broker(self.world, random.Random(seed))
        self.broker.serve(self.net)
        self.arrived: list[bytes] = []
        self.broker.watch(TOPIC.decode(), lambda record: self.arrived.append(record.payload))
        self.messages: list[tuple[bytes, bytes, bool]] = []
        self.outbox = Outbox(None, None, 5000)
        self.session: Any = None
        self.delivery: Any = None
        self.start()

    def start(self, client_id: str = "bench", **options: Any) -> Any:
        """A new session (as after a reset of the board); options as Session's."""
        self.session = self.module.Session(self.wire, client_id, "broker", **options)
        self.session.on_message = lambda *message: self.messages.append(message)
        self.delivery = Delivery(self.outbox, self.session, TOPIC, bytes)
        return self.session

    def sleep_deep(self) -> None:
        """A wake ends and the next begins: of the session only `early_state` is kept, as JSON."""
        kept = json.loads(json.dumps(self.session.early_state()))
        self.wire.close()
        self.start().resume(kept)

    def put(self, count: int, size: int = 0) -> list[bytes]:
        """More readings into the outbox; returns them."""
        start = self.outbox.end
        made = [(b"%06d" % n).ljust(size, b".") for n in range(start, start + count)]
        for one in made:
            self.outbox.put(one)
        return made

    def publish_early(self) -> None:
        """What Node does with CONNECT."""
        self.delivery.restart()
        self.delivery.pump_all()

    def open(self) -> bool:
        return self.session.open(self.publish_early)

    def turn(self, limit_ms: int = 1000) -> None:
        """One turn of the node's loop: send, wait, take in."""
        self.delivery.pump()
        self.session.flush()
        self.wire.wait(min(self.session.due_ms(), limit_ms))
        self.session.poll()

    def run_ms(self, duration_ms: int) -> None:
        end_ms = self.world.now_ms + duration_ms
        while self.world.now_ms < end_ms:
            self.turn(end_ms - self.world.now_ms)

    def deliver(self, limit_ms: int = 60_000) -> None:
        """Turn until the outbox is empty."""
        end_ms = self.world.now_ms + limit_ms
        while self.outbox.depth:
            assert self.world.now_ms < end_ms, f"{self.outbox.depth} readings still wait"
            self.turn()
