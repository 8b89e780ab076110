"""What a node with a duty cycle owes besides: alarms at once, and a cell that is spared.

A reading that crosses a threshold leaves in its own wake, or in the next one. A node whose cell
runs low wakes less often; one whose cell has run down keeps its readings, with the radio off.
"""

import re
from typing import TYPE_CHECKING

from simulation.endings import Violation
from simulation.faults import End, kind
from simulation.limits import ALARM_ABOVE, LOW_BATTERY

if TYPE_CHECKING:
    from simulation.ledger import Key
    from simulation.machine import Machine
    from simulation.run import Run

# Its own wake, and one more after an interval that commands may have doubled.
_ALARM_US = 150_000_000
# After the last disturbance, until no pause that it has caused goes on: see run.py.
_QUIET_US = 1_000_000_000
_FIELD = re.compile(rb'"die_temperature":(-?[\d.]+)')
# What moves the next wake from its place.
_MOVES = {"commands", "clock", "power", "sensor"}


class Battery:
    """One machine's cell and alarms. `mv`: what the cell gives."""

    def __init__(self, machine: "Machine") -> None:
        self.mv = 3300
        self.alarms = self.alarms_checked = self.stretched = self.silent = 0
        self._machine = machine
        settings = machine.scenario.settings
        self._sleeps = settings["mode"] == "duty_cycle"
        # A broker that closes on what it does not take costs a wake now and then.
        scenario = machine.run.scenario
        early = scenario.early or not settings["mqtt"]["early"]
        at_once = early and scenario.personality.at_once
        self._has_alarms = self._sleeps and at_once and bool(settings["sensors"][0]["alarms"])
        self._beyond = False
        self._woke_mv = 3300
        self._joins = self._boots = 0
        self._woke_us: int | None = None

    # -- alarms --------------------------------------------------------------------------------

    def accepted(self, key: "Key", fields: bytes) -> None:
        """A reading was stored: does it cross the threshold?"""
        found = _FIELD.search(fields) if self._has_alarms else None
        if found is None:
            return
        beyond = float(found[1]) > ALARM_ABOVE
        if beyond and not self._beyond:
            self.alarms += 1
            world = self._machine.world
            world.at(world.now_us + _ALARM_US, self._overdue, key)
        self._beyond = beyond

    def _overdue(self, key: "Key") -> None:
        machine = self._machine
        if machine.world.now_us - machine.run.disturbed_us() < _QUIET_US:
            return
        self.alarms_checked += 1
        if not machine.ledger.has_arrived(key):
            raise Violation(f"{machine.name}: alarm {key} is not delivered")

    # -- the cell ------------------------------------------------------------------------------

    def asked(self) -> int:
        """The firmware measures its supply, as it does when it wakes."""
        machine = self._machine
        now_us = machine.world.now_us
        low = self.mv < LOW_BATTERY["below_mv"]
        if self._woke_us is not None and self._sleeps:
            was_low = self._woke_mv < LOW_BATTERY["below_mv"]
            steady = not _MOVES & set(machine.run.scenario.groups)
            if low and was_low and steady and self._boots == machine.boots:
                self.stretched += 1
                if now_us - self._woke_us < 1.4e6 * machine.scenario.settings["sample_s"]:
                    raise Violation(f"{machine.name}: wakes as often with a cell that runs low")
        self._woke_mv, self._woke_us = self.mv, now_us
        self._boots = machine.boots
        self._joins = machine.radio.joins
        return self.mv

    def sleeps(self) -> None:
        """The node goes to sleep."""
        if self._sleeps and self._woke_mv < LOW_BATTERY["stop_mv"]:
            self.silent += 1
            if self._machine.radio.joins != self._joins:
                raise Violation(f"{self._machine.name}: joins with a cell that has run down")


def _cell(mv: int) -> object:
    def begin(_run: "Run", machine: "Machine") -> End:
        machine.battery.mv = mv

        def end() -> None:
            machine.battery.mv = 3300

        return end

    return begin


kind("supply", "cell runs low", (600.0, 14400.0))(_cell(2900))  # type: ignore[arg-type]
kind("supply", "cell has run down", (600.0, 14400.0))(_cell(2700))  # type: ignore[arg-type]
