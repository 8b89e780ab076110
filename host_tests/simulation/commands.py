"""Commands as the world sends them, well-meant and not: kinds like those of `faults`."""

from typing import TYPE_CHECKING, Any

from simulation.faults import End, kind

if TYPE_CHECKING:
    from simulation.machine import Machine
    from simulation.run import Run

_MOMENT = (1.0, 2.0)
_HOUR = (30.0, 3600.0)
_LIVE: tuple[tuple[str, tuple[Any, ...]], ...] = (
    ("sample_s", (30, 60, 120)),
    ("health_s", (300, 900)),
    ("deliver_every", (1, 3, 5)),
    ("log_level", ("info", "debug")),
)
_HARMLESS = ("get", "sample", "deliver", "log", "outbox")
_MALFORMED = (
    b"",
    b"{",
    b"[1, 2]",
    b'"restart"',
    b'{"do":"restart"}',
    b'{"id":7,"do":"restart"}',
    b'{"id":"","do":"restart"}',
    b'{"id":"x","do":"restart"} and more',
    b"\xff\xfe\x00",
    b'{"id":"' + b"x" * 33 + b'","do":"restart"}',
)


@kind("commands", "command: harmless", _MOMENT)
def _harmless(_run: "Run", machine: "Machine") -> None:
    machine.orders.send(machine.rng.choice(_HARMLESS), key="sample_s")


@kind("commands", "command: a live setting", _MOMENT)
def _live(_run: "Run", machine: "Machine") -> None:
    key, values = machine.rng.choice(_LIVE)
    machine.orders.send("set", key=key, value=machine.rng.choice(values))


@kind("commands", "command: a setting that restarts", _MOMENT)
def _restarting(_run: "Run", machine: "Machine") -> None:
    machine.orders.send("set", key="profile", value=machine.rng.random() < 0.5)


@kind("commands", "command: a right setting on trial", _MOMENT)
def _on_trial(_run: "Run", machine: "Machine") -> None:
    machine.orders.send("set", key="mqtt.keepalive_s", value=machine.rng.choice((60, 120)))


@kind("commands", "command: a mistyped broker", _MOMENT)
def _mistyped(run: "Run", machine: "Machine") -> None:
    """One that is nowhere, or a host that is no broker."""
    host = machine.rng.choice(("brokre.example", run.hosts[1]))
    machine.orders.send("set", key="mqtt.host", value=host)


@kind("commands", "command: a setting that is wrong", _MOMENT)
def _wrong(_run: "Run", machine: "Machine") -> None:
    wrong = (("sample_s", -1), ("sample_z", 60), ("mqtt.port", "x"), ("wifi.networks", []))
    key, value = machine.rng.choice(wrong)
    machine.orders.send("set", key=key, value=value)


@kind("commands", "command: restart", _MOMENT)
def _restart(_run: "Run", machine: "Machine") -> None:
    machine.orders.send("restart")


@kind("commands", "command: stay awake", _MOMENT)
def _stay_awake(_run: "Run", machine: "Machine") -> None:
    machine.orders.send("stay_awake", minutes=machine.rng.choice((0, 1, 7)))


@kind("commands", "command: safe mode", (60.0, 600.0))
def _safe_mode(_run: "Run", machine: "Machine") -> End:
    machine.orders.send("safe_mode", on=True)
    return lambda: machine.orders.send("safe_mode", on=False)


@kind("commands", "command: the same twice", _MOMENT)
def _twice(_run: "Run", machine: "Machine") -> None:
    machine.orders.repeat(machine.orders.send(machine.rng.choice(("restart", *_HARMLESS))))


@kind("commands", "command: malformed", _MOMENT)
def _malformed(_run: "Run", machine: "Machine") -> None:
    machine.orders.send_bytes(machine.rng.choice(_MALFORMED))


@kind("commands", "command: oversized", _MOMENT)
def _oversized(_run: "Run", machine: "Machine") -> None:
    """More than a command may have, or more than the node's buffer takes."""
    machine.orders.send_bytes(b" " * machine.rng.choice((513, 1500, 6000)))


@kind("commands", "command: retained", _HOUR)
def _retained(_run: "Run", machine: "Machine") -> End:
    """It is done when it is sent, and comes again with each subscription, and is refused then."""
    machine.orders.send(machine.rng.choice(("restart", "outbox")), retain=True)
    return lambda: machine.orders.send_bytes(b"", retain=True)


@kind("commands", "command: many at once", _MOMENT)
def _many(_run: "Run", machine: "Machine") -> None:
    for _ in range(machine.rng.randint(5, 15)):
        machine.orders.send("outbox")
