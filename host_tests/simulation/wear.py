"""What readings cost the flash: the outbox on a fake littlefs, erases counted.

python host_tests/simulation/wear.py         prints the table of docs/reliability.md
"""

import sys
from pathlib import Path
from typing import NamedTuple

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    import firmware_paths as _paths  # noqa: F401

from fakes.flash import FakeFlash
from firmware.readings.outbox import Outbox

RECORD_BYTES = 13 + 60  # its head, and the fields of a BME280
# The smallest flash that Fieldpost supports: a Pico W's 2 MiB, 848 KiB of it for files.
_BLOCKS = 848 // 4
# Firmware, configuration and a full outbox of 256 KiB; the rest takes turns (littlefs, DESIGN.md,
# 'Wear leveling').
_USED_BLOCKS = 30 + 64
_ENDURANCE = 100_000  # erases of a sector, W25Q16JV data sheet, section 1
# A commit to a folder is padded to what the port programs at once, 256 of a block's 4,096 bytes.
_COMMITS_PER_ERASE = 16
INTERVALS_S = (1, 10, 60, 600)
_YEAR_S = 365.25 * 86400


class Cost(NamedTuple):
    """Per reading. `erases`: of data blocks and of folder blocks."""

    writes: float
    commits: float
    data_erases: float
    erases: float

    def years(self, interval_s: float) -> float:
        """Until every free block has been erased as often as its data sheet allows."""
        if not self.erases:
            return float("inf")
        readings = (_BLOCKS - _USED_BLOCKS) * _ENDURANCE / self.erases
        return readings * interval_s / _YEAR_S


def measure(durability: str, link_up: bool, readings: int = 10_000) -> Cost:
    """`readings` through an outbox, each delivered at once if `link_up`, or none of them."""
    flash = FakeFlash(1 << 20)
    outbox = Outbox(flash, "outbox")
    outbox.write_through = durability == "reading" or not link_up
    commits = {"create": 0, "sync": 0, "remove": 0}
    flash.decide = lambda operation: commits.update(
        {operation.kind: commits.get(operation.kind, 0) + 1}
    )
    for _ in range(readings):
        outbox.put(bytes(RECORD_BYTES))
        if link_up:
            outbox.acknowledge(outbox.end - 1)
    made = sum(commits[kind] for kind in ("create", "sync", "remove"))
    data_erases = flash.total_wear().erases / readings
    return Cost(
        outbox._flash_writes / readings,
        made / readings,
        data_erases,
        data_erases + made / readings / _COMMITS_PER_ERASE,
    )


CASES = (
    ("`outage`, link up", "outage", True),
    ("`outage`, link down", "outage", False),
    ("`reading`, link up", "reading", True),
    ("`reading`, link down", "reading", False),
)


def table() -> str:
    """As Markdown."""
    heads = [f"{interval_s} s" for interval_s in INTERVALS_S]
    lines = [
        "| durability | writes | commits | data erases | erases | " + " | ".join(heads) + " |",
        "|---|" + "---|" * (4 + len(heads)),
    ]
    for name, durability, link_up in CASES:
        cost = measure(durability, link_up)
        years = [cost.years(interval_s) for interval_s in INTERVALS_S]
        cells = [f"{one:.2f}" for one in cost] + [
            "no wear" if one == float("inf") else f"{one:.1f} years" for one in years
        ]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
