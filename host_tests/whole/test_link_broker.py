"""The link with a real session, against a broker that restarts, or that another node uses."""

import random

from rigs.link import RETRY, StubStation
from rigs.session import SessionBench

from fakes.flash import FakeFlash
from fakes.world import NodeTime
from firmware import app
from firmware.board.unix import Radio
from firmware.clock import Clock
from firmware.config.check import check
from firmware.net.link import Link


class User:
    """Whose link it is: it delivers what waits, and is restarted by nobody."""

    def __init__(self, bench: SessionBench) -> None:
        self._bench = bench

    def connect(self) -> None:
        self._bench.publish_early()

    def opened(self) -> None:
        """It has nothing to note."""

    def closed(self) -> None:
        """Its readings stay where they are."""

    def work(self) -> int:
        return 0 if self._bench.delivery.pump() else 60_000

    def may_restart(self) -> bool:
        return False


class Living:
    """A link with a real session on the fake network, at work on an outbox."""

    def __init__(self, client_id: str, broker_of: "Living | None" = None, seed: int = 1) -> None:
        self.bench = bench = SessionBench(seed=seed)
        if broker_of is not None:
            # A second node in the same world, at the same broker.
            other = broker_of.bench
            bench.world, bench.net, bench.broker = other.world, other.net, other.broker
            bench.stack = bench.net.node(f"node-{seed}", "unix")
            bench.time = NodeTime(bench.world)
            bench.wire = type(bench.wire)(bench.stack.socket, bench.stack.select, bench.time)
        bench.start(client_id)
        self.rng = random.Random(seed)
        self.lines: list[str] = []
        self.link = Link(
            StubStation(),
            bench.session,
            Clock(bench.time),
            RETRY,
            lambda: self.rng.getrandbits(32),
            self.lines.append,
        )
        self.user = User(bench)

    def run_s(self, duration_s: float) -> None:
        end_ms = self.bench.world.now_ms + duration_s * 1000
        while self.bench.world.now_ms < end_ms:
            due_ms = min(self.link.step(self.user), end_ms - self.bench.world.now_ms)
            if self.bench.wire.is_open():
                self.bench.wire.wait(int(due_ms))
            else:
                self.bench.time.sleep_ms(int(max(due_ms, 1)))


def test_a_broker_that_restarts_has_every_reading_soon_after() -> None:
    life = Living("node")
    life.run_s(100)
    readings = life.bench.put(20)
    life.run_s(1)
    for how in ("reset", "close", "dark"):
        life.bench.broker.stop(how)
        readings += life.bench.put(30)
        life.run_s(120)
        life.bench.broker.start()
        life.run_s(300)
        assert list(dict.fromkeys(life.bench.arrived)) == readings
        assert life.bench.outbox.depth == 0
        assert len(life.bench.stack.open_sockets) == 1
    assert life.bench.broker.violations == []


def test_13_two_nodes_with_one_client_id_end_in_a_clear_error_and_lose_nothing() -> None:
    """Complaint 13: two nodes with one client id kick each other for ever."""
    first = Living("twin")
    second = Living("twin", first, seed=2)
    second.bench.outbox.put(b"warm")  # the outboxes differ in what they hold
    first.bench.put(30)
    second.bench.put(30)
    world = first.bench.world
    life = world.spawn("second", lambda: second.run_s(3600))
    first.run_s(3700)
    assert life.done
    world.close()
    for node in (first, second):
        assert any("does another client have this id?" in line for line in node.lines)
        assert node.bench.outbox.depth == 0
    # The backoff of both grows: after an hour of it they meet once in some minutes.
    late = [time_us for time_us, _ in first.bench.broker.connects if time_us > 2400e6]
    assert len(late) < 40


def test_ordinary_breaks_are_not_taken_for_a_twin() -> None:
    """Sessions that were stable, or that ended with something still to be answered."""
    life = Living("node")
    broker = life.bench.broker
    for stable_s in (70, 70, 70, 70, 5, 5, 5, 5):
        life.run_s(stable_s)
        broker.puback_delay_ms = 1000
        life.bench.put(1)
        life.run_s(0.2)
        broker.kick("node")
        life.run_s(0.2)
        broker.puback_delay_ms = 0
        life.run_s(20)
    assert life.link.reconnects == 8
    assert life.bench.outbox.depth == 0
    assert list(life.link.causes) == ["connection reset"]


class DarkBoard:
    """A board whose network is there and whose broker is not."""

    family = "esp32"
    retained_bytes = 0

    def __init__(self, bench: SessionBench) -> None:
        self.socket, self.select, self.time = bench.stack.socket, bench.stack.select, bench.time
        self.radio = Radio()
        self.random_u32 = lambda: random.getrandbits(32)
        self.set_unix_s = bench.time.set_unix_s
        self.restarts = 0

    def reset_cause(self) -> str:
        return "power-on"

    def version(self) -> str:
        return "dark"

    def restart(self) -> None:
        self.restarts += 1

    def hold_watchdog(self, limit_ms: int) -> None:
        """It has no watchdog."""


def test_the_last_means_costs_no_reading_that_has_nowhere_to_go() -> None:
    bench = SessionBench()
    bench.broker.stop("dark")
    board = DarkBoard(bench)
    config = {
        "node": "dark",
        "mqtt": {"host": "broker"},
        "outbox": {"flash_kib": 0},
        "ntp": {"host": None},
        "led": False,
        "sensors": [{"type": "simulated"}],
    }
    settings, errors = check(config, {"wifi": [{"ssid": "desk", "password": "no-password"}]})
    assert errors == []
    clock = Clock(bench.time)
    node = app.build(board, clock, settings, lambda *_: None, FakeFlash())
    while bench.world.now_ms < 3 * 3600 * 1000 and not board.restarts:
        bench.time.sleep_ms(max(node.step(), 1))
    assert node.outbox.depth > 0
    assert board.restarts == 0
