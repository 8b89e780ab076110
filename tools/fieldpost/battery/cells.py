"""Cells as the battery model sees them: capacity, loss and cold, with where they come from."""

from dataclasses import dataclass
from itertools import pairwise

from fieldpost.battery.ranges import Range


@dataclass(frozen=True)
class Cell:
    """A cell or a row of them: nominal capacity in mAh, shares from 0 to 1, loss in % a year."""

    title: str
    voltage_v: float
    # At the end of what `usable` counts.
    end_v: float
    capacity_mah: float
    usable: Range
    self_discharge: Range
    # Share of the capacity left at a temperature in degrees Celsius, in rising order.
    derating: tuple[tuple[float, float], ...]
    source: str

    def share_at(self, temperature_c: float) -> float:
        """Share of the capacity at a temperature, on straight lines between the known points."""
        points = self.derating
        if temperature_c <= points[0][0]:
            return points[0][1]
        for (low_c, low), (high_c, high) in pairwise(points):
            if temperature_c <= high_c:
                return low + (high - low) * (temperature_c - low_c) / (high_c - low_c)
        return points[-1][1]


# Typical shapes of makers' curves at small currents; assumed, not measured.
_LI_ION = ((-20.0, 0.6), (0.0, 0.85), (20.0, 1.0))
_LIFEPO4 = ((-20.0, 0.5), (0.0, 0.8), (20.0, 1.0))
_ALKALINE = ((-20.0, 0.25), (0.0, 0.65), (20.0, 1.0))
_LITHIUM = ((-40.0, 0.6), (-20.0, 0.85), (0.0, 0.95), (20.0, 1.0))
_NIMH = ((-20.0, 0.5), (0.0, 0.85), (20.0, 1.0))

_LI_ION_SOURCE = (
    "self-discharge: 5 % in a year (a cell tested on candlepowerforums) to 2 to 3 % a month "
    "(Dirac Delta); capacity and usable share assumed"
)
_ALKALINE_SOURCE = (
    "self-discharge: 15 % in 7 years, Energizer's chart; capacity and usable share assumed"
)

CELLS = {
    "18650": Cell(
        "18650 lithium-ion",
        3.7,
        3.0,
        2600,
        Range(0.95, 0.8),
        Range(5, 30),
        _LI_ION,
        _LI_ION_SOURCE,
    ),
    "lipo-1000": Cell(
        "lithium polymer, 1000 mAh",
        3.7,
        3.0,
        1000,
        Range(0.95, 0.8),
        Range(5, 30),
        _LI_ION,
        _LI_ION_SOURCE,
    ),
    "lifepo4-18650": Cell(
        "18650 lithium iron phosphate",
        3.2,
        2.8,
        1500,
        Range(0.95, 0.8),
        Range(5, 25),
        _LIFEPO4,
        "assumed",
    ),
    "2xaa": Cell(
        "2 x AA alkaline",
        2.6,
        2.0,
        2500,
        Range(0.9, 0.6),
        Range(2, 3),
        _ALKALINE,
        _ALKALINE_SOURCE,
    ),
    "3xaa": Cell(
        "3 x AA alkaline",
        3.9,
        3.0,
        2500,
        Range(0.9, 0.6),
        Range(2, 3),
        _ALKALINE,
        _ALKALINE_SOURCE,
    ),
    "2xaa-lithium": Cell(
        "2 x AA lithium iron disulfide",
        3.0,
        2.4,
        3000,
        Range(0.95, 0.85),
        Range(0.7, 1.5),
        _LITHIUM,
        "self-discharge: 10 % in 15 years, Energizer L91; the rest assumed",
    ),
    "3xaa-nimh": Cell(
        "3 x AA nickel-metal hydride, low self-discharge",
        3.6,
        3.0,
        2000,
        Range(0.95, 0.8),
        Range(10, 30),
        _NIMH,
        "assumed",
    ),
    "cr123": Cell(
        "CR123A lithium",
        3.0,
        2.4,
        1500,
        Range(0.9, 0.75),
        Range(1, 2),
        _LITHIUM,
        "assumed",
    ),
}
