"""One world, run from a seed: exactly the same every time."""

import gc
import random
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

from fakes.broker import Broker
from fakes.conditions import Conditions, Cut
from fakes.connection import Listener
from fakes.net import FakeNet, Stack
from fakes.ntp import NtpServer
from fakes.tls import TlsServer
from fakes.world import Hang, World
from firmware.config import verify as checking
from firmware.net import link, tls
from firmware.remote import commands, health
from simulation import scenario as scenarios
from simulation.endings import EndOfRun, Violation
from simulation.faults import GROUPS
from simulation.machine import Machine
from simulation.scenario import Fault, Scenario
from simulation.updates import SETTLE_S, stand_in_place

# How long after the last fault the backlog may take. Twice the longest pause between two tries
# (the first may have begun while the fault lasted), the longest pause after a crash, and the
# deadlines of joining and connecting.
_CRASH_PAUSE_S = 600
_JOIN_AND_CONNECT_S = 180
# A setting that strands the node is taken back after five minutes.
_TRIAL_S = 300
# The most that commands make of it.
_SAMPLE_S_MAX, _DELIVER_EVERY_MAX = 120, 5
_LAST_EVENTS = 80


class Failed(AssertionError):
    """An invariant did not hold: the seed, how to replay it, and the last events."""


@dataclass
class Result:
    """What one run came to; add them up with `+=`.

    `lost`, `doubled` (after the key) and `late_waits` are 0, or the run has Failed.
    """

    runs: int = 0
    node_days: float = 0.0
    faults: Counter = field(default_factory=Counter)
    brokers: Counter = field(default_factory=Counter)
    taken: int = 0
    delivered: int = 0
    waiting: int = 0
    lost: int = 0
    dropped: int = 0
    lost_with_power: int = 0
    spoilt: int = 0
    repeats: int = 0
    doubled: int = 0
    late_waits: int = 0
    boots: int = 0
    wakes: int = 0
    bites: int = 0
    restarts: int = 0
    crashes: int = 0
    commands: int = 0
    answers: int = 0
    refusals: int = 0
    rolled_back: int = 0
    alarms: int = 0
    alarms_checked: int = 0
    stretched: int = 0
    silent: int = 0
    offers: int = 0
    updated: int = 0
    went_back: int = 0
    not_taken: int = 0
    connections: int = 0
    longest_wait_ms: int = 0
    longest_catch_up_s: float = 0.0

    def __iadd__(self, other: "Result") -> "Result":
        for name, value in vars(other).items():
            mine = getattr(self, name)
            if name.startswith("longest"):
                setattr(self, name, max(mine, value))
            elif isinstance(mine, Counter):
                mine.update(value)
            else:
                setattr(self, name, mine + value)
        return self


class Run:
    """The world of one scenario."""

    hosts = (scenarios.BROKER, scenarios.TIME_SERVER)

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.rng = random.Random(f"run {scenario.seed}")
        self.world = World(hang_after_us=1 << 60)
        self.net = FakeNet(self.world, self.rng)
        self.net.plan = self._plan
        self.broker = Broker(self.world, self.rng, early=scenario.early)
        self.broker.habits = scenario.personality.habits
        if scenario.password:
            self.broker.users = {node.name: scenario.password for node in scenario.nodes}
        self.broker.records = _Nothing()  # pyright: ignore[reportAttributeAccessIssue]
        listener = self.broker.serve(self.net, scenarios.BROKER)
        self.tls = TlsServer(self.world, self.broker.accept)
        if scenario.tls:
            listener.accept = self.tls.accept
        self.time_server = NtpServer(self.world)
        self.time_faults: list[dict[str, Any]] = []
        self.time_server.serve(self.net, scenarios.TIME_SERVER)
        self.machines = [Machine(self, node) for node in scenario.nodes]
        self._by_stack = {machine.stack: machine for machine in self.machines}
        self.calm = False
        self.faults: Counter = Counter()
        self._ends: dict[int, Any] = {}
        self._disturbed_us = 0
        for machine in self.machines:
            topic = f"fieldpost/{machine.name}/telemetry"
            self.broker.watch(topic, self._arrival(machine))
        for number, fault in enumerate(scenario.faults):
            self.world.at(int(fault.start_s * 1e6), self._begin, number, fault)
        self.world.at(int(scenario.calm_s * 1e6), self._calm_down)

    # -- its course ----------------------------------------------------------------------------

    def play(self) -> Result:
        """Run to the end; raises Failed."""
        try:
            with (
                _stand_ins(self._check_settings, self._watch_commands),
                stand_in_place(self) if self.scenario.updates else nullcontext(),
            ):
                try:
                    self._play()
                except EndOfRun:
                    pass
                self._finish()
        except (Violation, Hang) as violation:
            raise Failed(self._report(violation)) from None
        except Exception as error:
            raise Failed(self._report(error) + "\n" + traceback.format_exc()) from None
        finally:
            if self.world.lives:
                self.world.close()
        return self._result()

    def _play(self) -> None:
        if len(self.machines) == 1:
            self.machines[0].live()
            return
        for machine in self.machines:
            machine.life = self.world.spawn(machine.name, machine.live)
        self.world.wait_until(None, lambda: False)

    def settled(self) -> None:
        """A machine has delivered everything since the faults ended, and answers."""
        if all(machine.answers for machine in self.machines):
            self.world.interrupt(EndOfRun(), self.world.main)

    def _finish(self) -> None:
        for machine in self.machines:
            machine.finish()
        # A broker that lets nobody send before CONNACK is one of the scenarios.
        if self.scenario.early and self.broker.violations:
            raise Violation(f"against the protocol: {self.broker.violations[0]}")

    # -- faults --------------------------------------------------------------------------------

    def _begin(self, number: int, fault: Fault) -> None:
        kind = next(kinds[fault.kind] for kinds in GROUPS.values() if fault.kind in kinds)
        target = self.machines[fault.node] if fault.node >= 0 else None
        self.world.note("fault", fault.kind, fault.node, f"for {fault.duration_s:.0f} s")
        self.faults[fault.kind] += 1
        self._disturbed_us = self.world.now_us
        end = kind.begin(self, target)
        if end is not None:
            self._ends[number] = end
            self.world.after_ms(fault.duration_s * 1000, self._end, number, fault)

    def _end(self, number: int, fault: Fault) -> None:
        self._disturbed_us = self.world.now_us
        end = self._ends.pop(number, None)
        if end is not None:
            self.world.note("fault ends", fault.kind, fault.node)
            end()

    def disturbed_us(self) -> int:
        """When something last went wrong: now, while anything does."""
        # A firmware on trial may be one that does nothing as it should.
        if self._ends or any(one.updates and one.updates.on_trial for one in self.machines):
            self._disturbed_us = self.world.now_us
        return self._disturbed_us

    def _calm_down(self) -> None:
        """From now on nothing goes wrong any more."""
        self.world.note("calm")
        for number in sorted(self._ends):
            self._ends.pop(number)()
        self._disturbed_us = self.world.now_us
        self.calm = True
        caps_s = [one.settings["retry"]["cap_s"] for one in self.scenario.nodes]
        # A node with a duty cycle delivers when it has enough.
        rests_s = _DELIVER_EVERY_MAX * _SAMPLE_S_MAX
        bound_s = 2 * max(caps_s) + rests_s + _TRIAL_S + _CRASH_PAUSE_S + _JOIN_AND_CONNECT_S
        # A node that sleeps makes one connection in each pause.
        bound_s += self.scenario.personality.ends * max(*caps_s, rests_s)
        bound_s += SETTLE_S if self.scenario.updates else 0
        self.world.after_ms(bound_s * 1000, self._overdue, bound_s)

    def _overdue(self, bound_s: float) -> None:
        if not self.scenario.personality.delivers:
            self.world.interrupt(EndOfRun(), self.world.main)
            return
        for machine in self.machines:
            if machine.settled_us is None:
                what = "backlog not delivered"
            elif not machine.answers:
                what = "no answer to a command, or not the newest firmware"
            else:
                continue
            raise Violation(f"{machine.name}: {what} {bound_s} s after the last fault")

    def _plan(self, stack: Stack, _listener: Listener, _number: int) -> Conditions:
        return self._by_stack[stack].conditions_for_next()

    def cut_conditions(self, conditions: Conditions, how: str, rng: random.Random) -> Conditions:
        """The same, and cut at some byte: often one of the first, where the handshakes are."""
        cut = Cut(rng.choice((rng.randrange(40), rng.randrange(200), rng.randrange(3000))), how)
        return replace(conditions, up=cut) if rng.random() < 0.5 else replace(conditions, down=cut)

    def _check_settings(self, config: dict[str, Any]) -> Any:
        (machine,) = [one for one in self.machines if one.name == config["node"]]
        return machine.check_settings(config)

    def _watch_commands(self, node: Any, made: commands.Commands) -> None:
        (machine,) = [one for one in self.machines if one.node is node]
        machine.watch_commands(made)

    def _arrival(self, machine: Machine) -> Any:
        arrived = machine.ledger.arrived
        return lambda record: arrived(record.payload)

    # -- what came of it -----------------------------------------------------------------------

    def _result(self) -> Result:
        ledgers = [machine.ledger for machine in self.machines]
        updates = [machine.updates for machine in self.machines if machine.updates]
        catch_ups = [
            machine.settled_us / 1e6 - self.scenario.calm_s
            for machine in self.machines
            if machine.settled_us is not None
        ]
        return Result(
            runs=1,
            node_days=len(self.machines) * self.world.now_us / 86_400e6,
            faults=self.faults,
            brokers=Counter((self.scenario.broker,)),
            taken=sum(one.taken for one in ledgers),
            delivered=sum(one.delivered for one in ledgers),
            waiting=sum(one.waiting for one in ledgers),
            dropped=sum(one.passed_over for one in ledgers),
            lost_with_power=sum(one.lost_with_power for one in ledgers),
            spoilt=sum(one.spoilt for one in ledgers),
            repeats=sum(one.repeats for one in ledgers),
            boots=sum(machine.boots for machine in self.machines),
            wakes=sum(machine.wakes for machine in self.machines),
            bites=sum(machine.bites for machine in self.machines),
            restarts=sum(machine.restarts for machine in self.machines),
            crashes=sum(machine.crashes for machine in self.machines),
            commands=sum(machine.orders.sent for machine in self.machines),
            answers=sum(machine.orders.answers for machine in self.machines),
            refusals=sum(machine.orders.refusals for machine in self.machines),
            rolled_back=sum(machine.orders.rolled_back for machine in self.machines),
            alarms=sum(machine.battery.alarms for machine in self.machines),
            alarms_checked=sum(machine.battery.alarms_checked for machine in self.machines),
            stretched=sum(machine.battery.stretched for machine in self.machines),
            silent=sum(machine.battery.silent for machine in self.machines),
            offers=sum(one.counts["offers"] for one in updates),
            updated=sum(one.counts["done"] for one in updates),
            went_back=sum(one.counts["back"] for one in updates),
            not_taken=sum(one.counts["refused"] + one.counts["failed"] for one in updates),
            connections=self.net.totals["connections"],
            longest_wait_ms=max(machine.longest_wait_ms for machine in self.machines),
            longest_catch_up_s=max(catch_ups, default=0.0),
        )

    def _report(self, error: BaseException) -> str:
        scenario = self.scenario
        title = f"seed {scenario.seed}: {error}"
        lines = [title, "", f"The broker {scenario.broker}. The last events:"]
        for time_us, *what in list(self.world.trace)[-_LAST_EVENTS:]:
            text = " ".join(str(one).strip() for one in what)
            lines.append(f"  {time_us / 1e6:12.3f} s  {text}")
        lines.append("")
        lines.append(title)
        hours = f"{scenario.calm_s / 3600:g}"
        lines.append(
            "replay: .venv/bin/python host_tests/simulation/soak.py"
            f" --replay {scenario.seed} --hours {hours} --broker '{scenario.broker}'"
        )
        return "\n".join(lines)


class _Nothing(list):
    """The broker's records of a long run: nobody asks for them."""

    def append(self, _record: object) -> None:
        """Keeps nothing."""


@contextmanager
def _stand_ins(
    check: Callable[[dict[str, Any]], Any], watch: Callable[[Any, commands.Commands], None]
) -> Iterator[None]:
    """MicroPython's `gc` and `sys.print_exception`: the host's would cost time, and tell paths;
    `check`, which knows each node's credentials; and certificates, which nobody reads.
    `watch` sees what does a node's commands once that is loaded."""
    stand_in = SimpleNamespace(collect=lambda: 0, mem_free=lambda: 100_000)
    health.gc = link.gc = tls.gc = stand_in
    blocks = tls._blocks
    tls._blocks = lambda *_: [b"\x30"]
    check_settings = checking.check_settings
    checking.check_settings = check
    make = commands.make

    def watched(node: Any, *parts: Any) -> commands.Commands:
        made = make(node, *parts)
        watch(node, made)
        return made

    commands.make = watched
    gc.disable()
    sys.print_exception = lambda error, file: file.write(f"Traceback: {error!r}\n")
    try:
        yield
    finally:
        health.gc = link.gc = tls.gc = gc
        tls._blocks = blocks
        checking.check_settings = check_settings
        commands.make = make
        gc.enable()
        del sys.print_exception


def run(
    seed: int,
    hours: float,
    nodes: int = 0,
    groups: list[str] | None = None,
    sleeps: bool | None = None,
    broker: str | None = None,
) -> Result:
    """Play one seed. Raises Failed, whose text says how to see it again."""
    return Run(scenarios.make(seed, hours, nodes, groups, sleeps, broker)).play()
