"""What whole nodes go through at a broker, with readings that wait on their flash."""

import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from brokers import tap as tap_module
from brokers.accounts import NODE, WRITER, Account
from brokers.node import LATER_S, Run, node_at
from brokers.process import RunningBroker, make_authority
from fieldpost.errors import CommandError

WAITING = 600
_LIMIT_S = 90.0  # for the backlog; with no fault it takes a few seconds
_STABLE_S = 5.0
_SETTLED_S = 40.0
_BEFORE_END = 100  # so many readings, then the broker ends
_UPPER_DOWN_S = 5.0


def with_backlog(
    broker: RunningBroker, account: Account, end: Callable[[], None] | None = None
) -> dict[str, Any]:
    """A node comes back with readings that wait.

    end: what ends the broker in the middle of them; it may also leave it, for a line that is cut.
    """
    with node_at(broker, account, _BEFORE_END if end else None) as run:
        waiting = run.lay_backlog(WAITING)
        started = time.monotonic()
        run.node.start()
        if end:
            _end_in_the_middle(run, broker, end)
        run.wait(lambda: not run.due(waiting), _LIMIT_S)
        run.arrived_at = time.monotonic()
        run.wait(lambda: any(boot > 1 for boot, _ in run.witness.arrived()), LATER_S)
        if not end and (not account.subscribe or run.tap.connections() > 1):
            _settled(run)
        found = run.outcome(started)
        return found if end else found | _with_extras(run, account)


def without_early_packets(broker: RunningBroker) -> dict[str, Any]:
    """The same readings, none of which may leave before CONNACK. early: how many did."""
    with node_at(broker, NODE, is_early=False) as run:
        waiting = run.lay_backlog(WAITING)
        started = time.monotonic()
        run.node.start()
        run.wait(lambda: not run.due(waiting), _LIMIT_S)
        run.arrived_at = time.monotonic()
        return run.outcome(started) | {"early": tap_module.early(run.tap.passed())}


def _end_in_the_middle(run: Run, broker: RunningBroker, end: Callable[[], None]) -> None:
    if not run.tap.silent.wait(_LIMIT_S):
        raise CommandError("the node delivered nothing that an outage could have broken")
    run.tap.cut()
    end()
    if not broker.running():
        broker.start()
    # A broker that forgets its sessions would drop what comes before the witness is back.
    run.witness.wait_until_it_hears()
    run.tap.open()


def _settled(run: Run) -> None:
    """Wait until the node has found out what the broker does not let it do, and has said so."""
    run.wait(lambda: run.tap.open_for_s() > _STABLE_S, _SETTLED_S)
    heard = len(run.witness.said(f"{run.base}/health"))
    run.wait(lambda: len(run.witness.said(f"{run.base}/health")) > heard, LATER_S)


def _with_extras(run: Run, account: Account) -> dict[str, Any]:
    """A command, and the will after a power cut."""
    found: dict[str, Any] = {}
    if account.subscribe:
        run.witness.tell(f"{run.base}/cmd", {"id": "one", "do": "get", "key": "sample_s"})
        found["command"] = run.wait(lambda: _answered(run, "one"), LATER_S)
    run.node.kill()

    def offline() -> bool:
        told = run.witness.said(f"{run.base}/status")
        return bool(told) and told[-1].get("state") == "offline"

    found["will"] = run.wait(offline, LATER_S)
    return found


def _answered(run: Run, command: str) -> bool:
    return any(one.get("id") == command for one in run.witness.said(f"{run.base}/cmd/result"))


def sleeper(broker: RunningBroker) -> dict[str, Any]:
    """A battery node, and a command that is sent while it sleeps."""
    with node_at(broker, NODE, mode="duty_cycle", sample_s=4) as run:
        started = time.monotonic()
        run.node.start()

        def sleeps() -> int:
            return sum("asleep for" in line for line in run.console)

        # Before its first subscription no broker would keep a command for it.
        run.wait(lambda: _has_subscribed(run) or sleeps() > 1, _LIMIT_S)
        found: dict[str, Any] = {"asleep": run.wait(sleeps, LATER_S)}
        time.sleep(0.5)
        before = run.tap.connections()
        run.witness.tell(f"{run.base}/cmd", {"id": "two", "do": "get", "key": "sample_s"})
        found["command"] = run.wait(lambda: _answered(run, "two"), LATER_S * 2)
        found["wakes"] = run.tap.connections() - before
        run.arrived_at = time.monotonic()
        return run.outcome(started) | found


def _has_subscribed(run: Run) -> bool:
    return any(one.packet is not None and one.packet.name == "SUBACK" for one in run.tap.passed())


def wrong_authority(broker: RunningBroker) -> dict[str, Any]:
    """A node that trusts another authority than the one that signed the broker's certificate."""
    with tempfile.TemporaryDirectory(prefix="fieldpost-certs-") as name:
        other = make_authority(Path(name))
        own = other.folder / "nodes" / "n"
        with node_at(broker, NODE, certificates=own) as run:
            run.node.start()
            why = "is not signed by the authority"
            said = run.wait(lambda: any(why in line for line in run.console), LATER_S)
            dialled = run.tap.connections()
            again = run.wait(lambda: run.tap.connections() > dialled, LATER_S)
            return {
                "refused": said and again,
                "arrived": len(run.witness.arrived()),
                "trace": run.trace(),
            }


def upper_ends(broker: RunningBroker, end: Callable[[], None]) -> dict[str, Any]:
    """The broker is a bridge, and the one to which it hands everything on ends for a while."""
    upper = broker.upper
    assert upper
    with node_at(broker, NODE) as run:
        waiting = run.lay_backlog(WAITING)
        some = threading.Event()
        run.witness.at(_BEFORE_END, some.set)
        started = time.monotonic()
        run.node.start()
        if not some.wait(_LIMIT_S):
            raise CommandError("nothing came through the bridge")
        end()
        before = len(run.witness.arrived())
        # The node delivers on: to the bridge, which keeps it.
        time.sleep(_UPPER_DOWN_S)
        upper.start()
        run.witness.wait_until_it_hears()
        run.wait(lambda: waiting <= run.witness.arrived(), _LIMIT_S)
        run.arrived_at = time.monotonic()
        return run.outcome(started) | {"before": before}


def _runs(broker: RunningBroker) -> dict[str, Callable[[], dict[str, Any]]]:
    runs: dict[str, Callable[[], dict[str, Any]]] = {
        "all rights": lambda: with_backlog(broker, NODE),
        "not early": lambda: without_early_packets(broker),
        "sleeper": lambda: sleeper(broker),
    }
    if broker.kind.has_tls:
        # What a broker has acknowledged and then loses can't be told from a loss of ours here, so
        # none of them is killed, and one that keeps all in memory is not ended either.
        runs["line cut"] = lambda: with_backlog(broker, NODE, lambda: None)
        runs["wrong authority"] = lambda: wrong_authority(broker)
    else:
        runs["SIGKILL"] = lambda: with_backlog(broker, NODE, broker.kill)
    if not (broker.kind.has_tls and "restart" in broker.kind.lacks):
        runs["SIGTERM"] = lambda: with_backlog(broker, NODE, broker.stop)
    if "rights" not in broker.kind.lacks:
        runs["write only"] = lambda: with_backlog(broker, WRITER)
    if upper := broker.upper:
        runs["upper SIGTERM"] = lambda: upper_ends(broker, upper.stop)
        runs["upper SIGKILL"] = lambda: upper_ends(broker, upper.kill)
    return runs


def play(
    broker: RunningBroker, say: Callable[[str], None], traces: Path, only: tuple[str, ...] = ()
) -> dict[str, dict[str, Any]]:
    """Each run's outcome by its name; `failed` says why there is none.

    traces: a folder for the packets of each run, for whoever looks into a fault.
    only: the names of some runs; all of them without any.
    """
    traces.mkdir(parents=True, exist_ok=True)
    found: dict[str, dict[str, Any]] = {}
    for name, run in _runs(broker).items():
        if only and name not in only:
            continue
        try:
            found[name] = run()
        except (CommandError, OSError) as error:
            found[name] = {"failed": str(error)}
        trace = found[name].pop("trace", [])
        file = traces / f"{broker.kind.name}-{name.replace(' ', '-')}.txt"
        file.write_text("\n".join([*trace, ""]))
        say(f"{broker.kind.title}, {name}: {found[name]}")
        for one in (broker.upper, broker):
            if one and not one.running():
                one.start()
    return found
