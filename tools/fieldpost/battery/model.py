"""Charge and life of a battery node: arithmetic alone, with every figure handed in.

A wake is a list of phases, each a time at a current. A cycle is `deliver_every` wakes, of which
one delivers. The mean current over a cycle, and the cell, give the days. Everything is done for
three cases: "low" life (every figure at its worst), "high" (at its best), "middle" (between them).
"""

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

from fieldpost.battery.boards import Board
from fieldpost.battery.cells import Cell
from fieldpost.battery.draw import Sensor, sensor
from fieldpost.battery.ranges import Range

CASES = ("low", "middle", "high")
JOINS = ("rejoin", "static", "scan")
# As firmware/duty_cycle/wake.py has it.
_LISTEN_MS = 20
_YEAR_DAYS = 365.25


class Phase(NamedTuple):
    """A part of a wake: milliseconds at milliamperes."""

    name: str
    ms: float
    ma: float

    @property
    def mc(self) -> float:
        """Charge in millicoulombs (milliampere-seconds)."""
        return self.ms * self.ma / 1000


@dataclass(frozen=True)
class Node:
    """A configured node on a board: all that decides its mean current."""

    board: Board
    sensors: tuple[Sensor, ...]
    duty_cycle: bool
    sample_s: float
    deliver_every: int
    # "rejoin": as remembered from the last time; "static", "scan": a full scan each time, with a
    # fixed address or with DHCP.
    join: str
    has_static_address: bool
    # "none", "performance", "powersave": the radio's power management in `always_on`.
    power: str
    awake_limit_s: float
    # For how long an address from DHCP is used again.
    lease_s: float = 0.0
    # How long it waits for commands after a delivery.
    listen_ms: float = 0.0
    # Whether it has to stay awake while a sensor measures.
    listens_to_sensors: bool = False
    # Whatever else hangs on the battery, in uA, always.
    extra_ua: float = 0.0
    # From a node's log: the whole join in ms, instead of the board's figures.
    measured_join_ms: Range | None = None
    measured_sample_ms: Range | None = None
    # A wake that only measures builds the node, too (firmware/duty_cycle/cycle.py, _reads_alone).
    builds_always: bool = False

    def slowest_ms(self, case: str) -> float:
        """How long the sensors take, all at once."""
        if self.measured_sample_ms is not None:
            return self.measured_sample_ms.at(case)
        return max((one.sample_ms for one in self.sensors), default=0.0)


class Use(NamedTuple):
    """What a node takes in one case."""

    sampling: list[Phase]
    delivering: list[Phase]
    sleep_ua: float
    average_ua: float
    # Share of all charge that goes to "sleep", "sampling boot", "delivering join" and so on: they
    # add up to 1.
    shares: dict[str, float]


def node_from(
    settings: dict[str, Any], board: Board, cell: Cell, join: str | None, extra_ua: float = 0.0
) -> Node:
    """Return the node that checked settings (`firmware.config.check`) make of a board.

    Without `join` the node rejoins fast in its duty cycle, which is what the firmware does.
    """
    wifi = settings["wifi"]
    return Node(
        board=board,
        sensors=tuple(sensor(one, cell.voltage_v) for one in settings["sensors"]),
        duty_cycle=settings["mode"] == "duty_cycle",
        sample_s=settings["sample_s"],
        deliver_every=settings["deliver_every"],
        join=join or "rejoin",
        has_static_address=wifi["static"] is not None,
        power=wifi["power"],
        awake_limit_s=settings["awake_limit_s"],
        lease_s=settings["lease_s"],
        # A clean session has no commands that waited.
        listen_ms=0.0 if settings["mqtt"]["clean"] else _LISTEN_MS,
        listens_to_sensors=any(one.get("sends") for one in settings["sensors"]),
        builds_always=settings["outbox"]["durability"] == "reading"
        or settings["awake_pin"] is not None
        or settings["setup_pin"] is not None
        or any(one.get("watched") for one in settings["sensors"]),
        extra_ua=extra_ua,
    )


def sampling_wake(node: Node, case: str) -> list[Phase]:
    """A wake that measures and sleeps again, the radio off."""
    board = node.board
    sensors_ma = _sensors_ma(node, case, 0, node.slowest_ms(case))
    waiting = board.cpu_ma if node.listens_to_sensors else board.wait_ma
    return [
        *_boot(board, board.boot_ms if node.builds_always else board.measuring_boot_ms, case),
        Phase("sample", node.slowest_ms(case), waiting.at(case) + sensors_ma),
    ]


def delivering_wake(node: Node, case: str) -> list[Phase]:
    """A wake that measures while it joins, then connects and delivers all readings."""
    board = node.board
    phases = _boot(board, board.boot_ms, case)
    radio_ma = board.radio_ma.at(case)
    start_ms = 0.0 if node.measured_join_ms else board.radio_start_ms.at(case)
    now_ms = 0.0
    for name, ms in (("radio start", start_ms), ("join", _join_ms(node, case))):
        if ms:
            ma = radio_ma + _sensors_ma(node, case, now_ms, now_ms + ms)
            phases.append(Phase(name, ms, ma))
            now_ms += ms
    slowest_ms = node.slowest_ms(case)
    if slowest_ms > now_ms:
        # Joined, and the slowest sensor is not yet done.
        ma = board.idle_ma.at(case) + _sensors_ma(node, case, now_ms, slowest_ms)
        phases.append(Phase("sample", slowest_ms - now_ms, ma))
    phases.append(Phase("connect", board.connect_ms.at(case), radio_ma))
    phases.append(Phase("deliver", board.reading_ms.at(case) * node.deliver_every, radio_ma))
    if node.listen_ms:
        phases.append(Phase("listen", node.listen_ms, board.listen_ma.at(case)))
    return phases


def awake_ms(phases: list[Phase]) -> float:
    return sum(phase.ms for phase in phases)


def charge_mc(phases: list[Phase]) -> float:
    return sum(phase.mc for phase in phases)


def use(node: Node, case: str) -> Use:
    """What the node takes at the board's supply pin, at the voltage its figures hold for."""
    if not node.duty_cycle:
        return _always_on(node, case)
    standby_ua = sum(one.standby_ua.at(case) for one in node.sensors)
    sleep_ua = node.board.sleep_ua.at(case) + standby_ua + node.extra_ua
    sampling, delivering = sampling_wake(node, case), delivering_wake(node, case)
    cycle_s = node.sample_s * node.deliver_every
    wakes = [("sampling", sampling, node.deliver_every - 1), ("delivering", delivering, 1)]
    awake_s = sum(awake_ms(phases) * count for _, phases, count in wakes) / 1000
    if awake_s > cycle_s:
        # It cannot keep up: it wakes again at once, and its cycle is as long as it is awake.
        cycle_s = awake_s
    charges = {"sleep": sleep_ua / 1000 * (cycle_s - awake_s)}
    for wake, phases, count in wakes:
        for phase in phases:
            charges[f"{wake} {phase.name}"] = phase.mc * count
    total_mc = sum(charges.values())
    shares = {name: mc / total_mc if total_mc else 0.0 for name, mc in charges.items()}
    return Use(sampling, delivering, sleep_ua, total_mc / cycle_s * 1000, shares)


def _always_on(node: Node, case: str) -> Use:
    """Connected all the time; a reading more or less does not show."""
    board = node.board
    radio = board.listen_ma if node.power == "none" else board.idle_ma
    standby_ua = sum(one.standby_ua.at(case) for one in node.sensors)
    average_ua = radio.at(case) * 1000 + standby_ua + node.extra_ua
    return Use([], [], 0.0, average_ua, {"connected": 1.0})


def cell_ua(board: Board, cell: Cell, average_ua: float) -> float:
    """The current from the cell. A switching regulator draws the same power at any voltage."""
    if board.switching_v:
        return average_ua * board.switching_v / cell.voltage_v
    return average_ua


def life_days(cell: Cell, average_ua: float, case: str, temperature_c: float = 20.0) -> float:
    """Days until the usable charge is gone, self-discharge included.

    The charge C that is left obeys dC/dt = -I - s C, so t = ln(1 + s C / I) / s.
    """
    usable_mah = cell.capacity_mah * cell.usable.at(case) * cell.share_at(temperature_c)
    mah_a_day = average_ua / 1000 * 24
    lost_a_day = -math.log1p(-cell.self_discharge.at(case) / 100) / _YEAR_DAYS
    if lost_a_day * usable_mah < 1e-9 * mah_a_day:
        return usable_mah / mah_a_day if mah_a_day else math.inf
    if not mah_a_day:
        return math.inf
    return math.log1p(lost_a_day * usable_mah / mah_a_day) / lost_a_day


def days(node: Node, cell: Cell, case: str, temperature_c: float = 20.0) -> float:
    """Life of the node on the cell in one case."""
    from_cell_ua = cell_ua(node.board, cell, use(node, case).average_ua)
    return life_days(cell, from_cell_ua, case, temperature_c)


def _boot(board: Board, program_ms: Range, case: str) -> list[Phase]:
    boot_ms = board.loader_ms.at(case) + program_ms.at(case)
    return [Phase("boot", boot_ms, board.boot_ma.at(case))]


def _join_ms(node: Node, case: str) -> float:
    if node.measured_join_ms is not None:
        return node.measured_join_ms.at(case)
    board = node.board
    has_address = node.join == "static" or node.has_static_address
    dhcp_ms = 0.0 if has_address else board.dhcp_ms.at(case)
    full_ms = board.scan_ms.at(case) + dhcp_ms
    if node.join != "rejoin":
        return full_ms
    # The first delivery after the lease has run out asks again.
    deliveries_a_lease = node.lease_s // (node.sample_s * node.deliver_every) + 1
    rejoin_ms = board.rejoin_ms.at(case) + dhcp_ms / deliveries_a_lease
    return rejoin_ms + board.miss_share.at(case) * full_ms


def _sensors_ma(node: Node, case: str, from_ms: float, to_ms: float) -> float:
    """Mean current of the sensors in a part of the wake; all start at 0."""
    if to_ms <= from_ms:
        return 0.0
    ma_ms = sum(
        one.active_ma.at(case) * max(0.0, min(one.sample_ms, to_ms) - from_ms)
        for one in node.sensors
    )
    return ma_ms / (to_ms - from_ms)
