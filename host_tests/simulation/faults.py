"""What goes wrong: each kind begins on a run (and mostly on one machine) and returns its end.

Kinds of one group never overlap on one target, so an end may simply put things right again.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from fakes.conditions import Conditions, Cut, NameFault
from fakes.connection import Connection

if TYPE_CHECKING:
    from simulation.machine import Machine
    from simulation.run import Run

End = Callable[[], object]
Begin = Callable[["Run", Any], End | None]


class Kind(NamedTuple):
    """`seconds`: how long it lasts, from and to."""

    begin: Begin
    seconds: tuple[float, float]


GROUPS: dict[str, dict[str, Kind]] = {}
PER_NODE = (
    "commands",
    "supply",
    "radio",
    "network",
    "connection",
    "power",
    "flash",
    "sensor",
    "clock",
    "updates",
)
_LONG = (30.0, 14400.0)
_HOUR = (30.0, 3600.0)
_SHORT = (1.0, 600.0)
_MOMENT = (1.0, 2.0)
_GOOD_TIME: dict[str, Any] = {"skew_s": 0.0, "short": False, "leap": 0, "stratum": 2}


def kind(group: str, name: str, seconds: tuple[float, float]) -> Callable[[Begin], Begin]:
    def register(begin: Begin) -> Begin:
        GROUPS.setdefault(group, {})[name] = Kind(begin, seconds)
        return begin

    return register


def _set(target: object, **values: Any) -> End:
    """Change attributes; the end changes them back."""
    before = {name: getattr(target, name) for name in values}
    for name, value in values.items():
        setattr(target, name, value)

    def end() -> None:
        for name, value in before.items():
            setattr(target, name, value)

    return end


# -- Wi-Fi ---------------------------------------------------------------------------------------


def _access_point(machine: "Machine", silently: bool, **changes: Any) -> End:
    end = _set(machine.access_point, **changes)
    machine.radio.lost(silently)

    def back() -> None:
        end()
        machine.radio.back()

    return back


@kind("radio", "radio drops", (1, 60))
def _radio_drops(run: "Run", machine: "Machine") -> End:
    return _access_point(machine, False, present=False)


@kind("radio", "access point gone", _LONG)
def _access_point_gone(run: "Run", machine: "Machine") -> End:
    return _access_point(machine, machine.rng.random() < 0.5, present=False)


@kind("radio", "stale address", _SHORT)
def _stale_address(run: "Run", machine: "Machine") -> End:
    return _access_point(machine, True, present=False)


@kind("radio", "wrong password", _LONG)
def _wrong_password(run: "Run", machine: "Machine") -> End:
    return _access_point(machine, False, right_password=False)


@kind("radio", "no address", _LONG)
def _no_address(run: "Run", machine: "Machine") -> End:
    return _access_point(machine, False, leases=False)


@kind("radio", "slow to associate", _LONG)
def _slow(run: "Run", machine: "Machine") -> End:
    return _access_point(machine, False, slow_ms=machine.rng.randint(2000, 15000))


# -- connections ---------------------------------------------------------------------------------


def _network(machine: "Machine", conditions: Conditions) -> End:
    for connection in machine.connections():
        connection.conditions = replace(
            connection.conditions,
            latency_ms=conditions.latency_ms,
            jitter_ms=conditions.jitter_ms,
            split=conditions.split,
            partial=conditions.partial,
        )
    return _set(machine, conditions=conditions)


@kind("network", "latency", _LONG)
def _latency(run: "Run", machine: "Machine") -> End:
    rng = machine.rng
    return _network(machine, Conditions(rng.choice((50, 300, 1500)), rng.choice((0, 100, 1000))))


@kind("network", "short writes and split segments", _LONG)
def _pieces(run: "Run", machine: "Machine") -> End:
    return _network(machine, Conditions(5, 5, split=0.3, partial=0.5))


@kind("network", "connections refused on the way", _SHORT)
def _refused(run: "Run", machine: "Machine") -> End:
    return _network(machine, Conditions(2, accept="refuse"))


@kind("network", "connections vanish on the way", _LONG)
def _black_hole(run: "Run", machine: "Machine") -> End:
    return _network(machine, Conditions(2, accept="black-hole"))


@kind("network", "listener accepts and says nothing", _LONG)
def _mute_listener(run: "Run", machine: "Machine") -> End:
    for connection in machine.connections():
        _cut(connection, machine, "dead")
    return _network(machine, Conditions(2, accept="mute"))


def _cut(connection: Connection, machine: "Machine", how: str, up: bool | None = None) -> None:
    """Cut at a byte soon to come, in either direction."""
    rng = machine.rng
    up = rng.random() < 0.5 if up is None else up
    sent = connection.bytes_up if up else connection.bytes_down
    at = sent + rng.choice((0, 1, rng.randrange(300), rng.randrange(3000)))
    cut = Cut(at, how)
    changes: dict[str, Any] = {"up": cut} if up else {"down": cut}
    connection.conditions = replace(connection.conditions, **changes)


def _cuts(how: str) -> Begin:
    def begin(run: "Run", machine: "Machine") -> End:
        """The connection there is, and some of those to come."""
        for connection in machine.connections():
            _cut(connection, machine, how)
        return _set(machine, cut_next=how)

    return begin


for _how in ("reset", "close", "silence", "dead"):
    kind("connection", f"connection cut: {_how}", _SHORT)(_cuts(_how))


@kind("connection", "send window closes", _SHORT)
def _stalls(run: "Run", machine: "Machine") -> None:
    rng = machine.rng
    for connection in machine.connections():
        byte = connection.bytes_up + rng.randrange(200)
        connection._stalls.append((byte, rng.choice((500, 20_000))))


# -- names ---------------------------------------------------------------------------------------


def _names(run: "Run", fault: NameFault) -> End:
    hosts = run.rng.choice((run.hosts, run.hosts[:1], run.hosts[1:]))
    for host in hosts:
        run.net.name_faults[host] = fault
    return run.net.name_faults.clear


@kind("names", "name not found", _LONG)
def _no_name(run: "Run", _target: None) -> End:
    return _names(run, NameFault(-2, run.rng.choice((0, 3000))))


@kind("names", "name server stalls to the port's limit", _LONG)
def _name_stalls(run: "Run", _target: None) -> End:
    return _names(run, NameFault(-2, 60_000))


@kind("names", "name server answers late", _LONG)
def _name_late(run: "Run", _target: None) -> End:
    return _names(run, NameFault(None, run.rng.choice((1000, 7000, 12_000))))


# -- the broker as a process ---------------------------------------------------------------------


def _restarts(how: str, keep: bool) -> Begin:
    def begin(run: "Run", _target: None) -> End:
        run.broker.stop(how)
        return lambda: run.broker.start(keep_sessions=keep)

    return begin


kind("broker", "broker restarts with its sessions", _LONG)(_restarts("reset", True))
kind("broker", "broker restarts without its sessions", _LONG)(_restarts("close", False))
kind("broker", "broker's host loses power", _LONG)(_restarts("dark", False))


@kind("broker", "broker refuses", _LONG)
def _broker_refuses(run: "Run", _target: None) -> End:
    for client_id in list(run.broker.clients):
        run.broker.kick(client_id)
    return _set(run.broker, refuse=run.rng.randint(1, 5))


@kind("broker", "broker kicks", _MOMENT)
def _kicks(run: "Run", _target: None) -> None:
    for client_id in list(run.broker.clients):
        run.broker.kick(client_id, run.rng.choice(("close", "reset")))


# -- what the broker answers ---------------------------------------------------------------------


@kind("answers", "broker answers CONNECT late", _HOUR)
def _late_connack(run: "Run", _target: None) -> End:
    return _set(run.broker, connack_delay_ms=lambda: run.rng.choice((100, 3000, 9000, 40_000)))


@kind("answers", "broker acknowledges late", _HOUR)
def _late_puback(run: "Run", _target: None) -> End:
    return _set(run.broker, puback_delay_ms=lambda: run.rng.choice((10, 500, 4000, 12_000)))


@kind("answers", "broker acknowledges out of order", _HOUR)
def _shuffled(run: "Run", _target: None) -> End:
    return _set(run.broker, shuffle_pubacks=True)


@kind("answers", "broker takes and answers nothing", _HOUR)
def _mute(run: "Run", _target: None) -> End:
    return _set(run.broker, mute=True)


@kind("answers", "broker answers pings alone", _HOUR)
def _no_pubacks(run: "Run", _target: None) -> End:
    def answer(name: str, data: bytes) -> bytes | None:
        return None if name == "PUBACK" else data

    return _set(run.broker, answer=answer)


@kind("answers", "broker sends malformed packets", _SHORT)
def _malformed(run: "Run", _target: None) -> End:
    rng = run.rng

    def answer(name: str, data: bytes) -> bytes | None:
        # A command that is spoilt and still JSON would be another command.
        if name == "PUBLISH" or rng.random() < 0.7:
            return data
        spoilt = bytearray(data)
        for _ in range(rng.randint(1, 3)):
            what = rng.randrange(4)
            if what == 0 and spoilt:
                spoilt[rng.randrange(len(spoilt))] = rng.randrange(256)
            elif what == 1:
                spoilt.insert(rng.randint(0, len(spoilt)), rng.randrange(256))
            elif what == 2 and spoilt:
                del spoilt[rng.randrange(len(spoilt))]
            else:
                del spoilt[rng.randint(0, len(spoilt)) :]
        return _without_acknowledging(bytes(spoilt), data)

    return _set(run.broker, answer=answer)


def _without_acknowledging(spoilt: bytes, data: bytes) -> bytes:
    """A packet spoilt into an acknowledgement of something else would be a lie that no client
    can see through; nor is what it loses then the client's fault."""
    if b"\x40" in spoilt and spoilt != data:
        return spoilt.replace(b"\x40", b"\xf0")
    return spoilt


@kind("answers", "broker sends a flood", (1, 60))
def _flood(run: "Run", _target: None) -> None:
    rng = run.rng
    payload = bytes(rng.choice((0, 10, 1000)))
    packet = b"\x30" + _length(len(payload) + 3) + b"\0\1x" + payload
    for index in range(rng.randint(10, 200)):
        run.world.after_ms(index * rng.choice((0, 3)), run.broker.inject, packet)


def _length(size: int) -> bytes:
    return bytes((size,)) if size < 128 else bytes((size & 127 | 128, size >> 7))


# -- TLS -----------------------------------------------------------------------------------------


@kind("tls", "handshake is slow", _HOUR)
def _slow_handshake(run: "Run", _target: None) -> End:
    return _set(run.tls, delay_ms=lambda: run.rng.choice((50, 1000, 4000, 12_000)))


def _handshake(fault: str) -> Begin:
    def begin(run: "Run", _target: None) -> End:
        """Of the connections to come, and those that are kicked."""
        for client_id in list(run.broker.clients):
            run.broker.kick(client_id)
        return _set(run.tls, fault=fault)

    return begin


kind("tls", "handshake ends in an alert", _LONG)(_handshake("alert"))
kind("tls", "handshake is closed", _LONG)(_handshake("close"))
kind("tls", "handshake is reset", _LONG)(_handshake("reset"))
kind("tls", "handshake is never answered", _LONG)(_handshake("silence"))
kind("tls", "certificate is forged", _LONG)(_handshake("forged"))
kind("tls", "what listens does not speak TLS", _LONG)(_handshake("plain"))


# -- power and flash -----------------------------------------------------------------------------


@kind("power", "power cut", (2, 3600))
def _power_cut(run: "Run", machine: "Machine") -> End:
    machine.cut_power()
    return machine.restore_power


@kind("power", "power cut at a flash operation", _SHORT)
def _cut_at_flash(run: "Run", machine: "Machine") -> End:
    machine.cut_at_operation(
        machine.rng.randint(1, 12), machine.rng.choice(("before", "within", "after"))
    )
    return machine.restore_power


@kind("power", "flash spoilt, then a power cut", (2, 60))
def _spoilt(run: "Run", machine: "Machine") -> End:
    machine.cut_power()
    machine.spoil_flash()
    return machine.restore_power


@kind("flash", "flash refuses to write", _SHORT)
def _flash_refuses(run: "Run", machine: "Machine") -> End:
    return _set(machine.flash, write_error=machine.rng.choice((5, 28)))


# -- sensors and clocks --------------------------------------------------------------------------


@kind("sensor", "sensor raises", _LONG)
def _sensor_raises(run: "Run", machine: "Machine") -> End:
    error = machine.rng.choice((OSError(5), ValueError("checksum"), TypeError("driver")))
    return _set(machine, sensor_error=error)


@kind("sensor", "sensor stalls", _SHORT)
def _sensor_stalls(run: "Run", machine: "Machine") -> End:
    return _set(machine, sensor_stall_ms=machine.rng.choice((300, 3000, 20_000)))


@kind("sensor", "sensor hangs", _SHORT)
def _sensor_hangs(run: "Run", machine: "Machine") -> End:
    armed = bool(machine.scenario.settings["watchdog_s"])
    return _set(machine, sensor_stall_ms=3_600_000 if armed else 50_000)


@kind("sensor", "heap runs out", (60, 130))
def _no_heap(run: "Run", machine: "Machine") -> End:
    return _set(machine, sensor_error=MemoryError())


@kind("clock", "clock jumps", _MOMENT)
def _clock_jumps(run: "Run", machine: "Machine") -> None:
    jump_s = machine.rng.choice((-86400, -3600, -2, 2, 3600, 400_000_000))
    machine.time.set_unix_s(max(machine.time.unix_s() + jump_s, 0))


def _time_server(run: "Run", **changes: Any) -> End:
    """Faults of several nodes may overlap on the server that they share: the newest one holds."""
    faults = run.time_faults
    faults.append(changes)

    def show() -> None:
        for name, value in {**_GOOD_TIME, **(faults[-1] if faults else {})}.items():
            setattr(run.time_server, name, value)

    def end() -> None:
        faults[:] = [one for one in faults if one is not changes]
        show()

    show()
    return end


@kind("clock", "time server is wrong", _LONG)
def _wrong_time(run: "Run", _machine: "Machine") -> End:
    return _time_server(run, skew_s=run.rng.choice((-1000.0, -3.0, 3.0, 1000.0)))


@kind("clock", "time server is no help", _LONG)
def _no_time(run: "Run", _machine: "Machine") -> End:
    changes: dict[str, Any] = run.rng.choice(({"short": True}, {"leap": 3}, {"stratum": 0}))
    return _time_server(run, **changes)
