"""Whole nodes on a virtual clock: seeded faults, and invariants checked after every step.

    run(seed, hours)      one world of one to three nodes; raises Failed with a readable trace
    python -m simulation.soak --minutes 5

world of a run: `scenario` (what a seed makes of it), `machine` (one board and its lives), `radio`
and `board` (what the firmware touches), `faults` and `commands` (what goes wrong, and what it is
told), `ledger` (what must be true of the readings), `orders` (of commands and their answers),
`battery` (of alarms and the cell), `checks` (of the node), `run` (all of it together).
"""
