"""What would help most: changes to a node, each with the life that the model gives it then."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

from fieldpost.battery.cells import Cell
from fieldpost.battery.draw import Sensor, sensor
from fieldpost.battery.model import CASES, JOINS, Node, days
from fieldpost.battery.ranges import Range

# A current that a board made for batteries reaches (Seeed's XIAO ESP32C3: 43 to 115 uA).
_GOOD_SLEEP_UA = 50
_BATCH = 10
_LONGEST_LEASE_S = 86400


class Lever(NamedTuple):
    """A change, the days it gives in each case, and the factor on the life."""

    title: str
    days: dict[str, float]
    gain: dict[str, float]


def levers(node: Node, cell: Cell, temperature_c: float, count: int = 3) -> list[Lever]:
    """Return the changes with the greatest gain in the middle case, the greatest first.

    None of them makes the life shorter in any case. A larger cell is not among them, for that
    helps everyone by the same factor.
    """
    now = {case: days(node, cell, case, temperature_c) for case in CASES}
    found = []
    for title, changed in _changes(node):
        then = {case: days(changed, cell, case, temperature_c) for case in CASES}
        gain = {case: then[case] / now[case] if now[case] else 1.0 for case in CASES}
        # Nothing helps that may as well do harm.
        if gain["middle"] > 1.005 and min(gain.values()) > 0.995:
            found.append(Lever(title, then, gain))
    return sorted(found, key=lambda lever: -lever.gain["middle"])[:count]


def _changes(node: Node) -> Iterator[tuple[str, Node]]:
    if not node.duty_cycle:
        yield '"mode": "duty_cycle"', replace(node, duty_cycle=True, deliver_every=1)
        if node.power != "powersave":
            yield '"wifi": {"power": "powersave"}', replace(node, power="powersave")
        return
    many = min(node.deliver_every * _BATCH, 1000)
    yield f'"deliver_every": {many}', replace(node, deliver_every=many)
    doubled_s = min(node.sample_s * 2, 86400)
    yield f'"sample_s": {doubled_s:g}', replace(node, sample_s=doubled_s)
    if node.listen_ms:
        yield '"mqtt": {"clean": true}, without commands', replace(node, listen_ms=0.0)
    if node.measured_join_ms is None:
        yield from _joins(node)
    if node.board.sleep_ua.at("middle") > _GOOD_SLEEP_UA:
        best, worst = (min(end, _GOOD_SLEEP_UA) for end in node.board.sleep_ua)
        board = replace(node.board, sleep_ua=Range(best, worst))
        title = f"a board that sleeps at {_GOOD_SLEEP_UA} uA"
        if node.board.switching_v:
            title += " (no Pico does)"
        yield title, replace(node, board=board)
    if node.measured_sample_ms is None:
        yield from _sensor_changes(node)


def _joins(node: Node) -> Iterator[tuple[str, Node]]:
    if not node.has_static_address:
        title = 'a fixed address ("wifi": {"static": …})'
        yield title, replace(node, has_static_address=True)
        if node.join == "rejoin" and node.lease_s < _LONGEST_LEASE_S:
            title = f'"lease_s": {_LONGEST_LEASE_S}, if the router lets addresses for so long'
            yield title, replace(node, lease_s=_LONGEST_LEASE_S)
    if node.join != JOINS[0]:
        yield "a fast rejoin in place of a scan", replace(node, join=JOINS[0])


def _sensor_changes(node: Node) -> Iterator[tuple[str, Node]]:
    slow = max(node.sensors, key=lambda one: one.sample_ms, default=None)
    if slow is None:
        return
    if slow.title.startswith("DHT"):
        yield f"a BME280 in place of the {slow.title}", _with(node, slow, {"type": "bme280"})
    if slow.title.endswith("DS18B20") and slow.sample_ms in (376, 751):
        quick = slow._replace(sample_ms=188)
        title = '"resolution": 10 for the thermometer (0.25 degC)'
        yield title, replace(node, sensors=_exchanged(node, slow, quick))


def _with(node: Node, old: Sensor, settings: dict[str, Any]) -> Node:
    return replace(node, sensors=_exchanged(node, old, sensor(settings, 0)))


def _exchanged(node: Node, old: Sensor, new: Sensor) -> tuple[Sensor, ...]:
    return tuple(new if one is old else one for one in node.sensors)
