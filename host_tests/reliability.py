"""Breaks everything that `breaking` can break, and writes what came of it into the documentation.

    make reliability
    python host_tests/reliability.py --no-document

Every byte of a session, both ways, closed, reset and stalled; Mosquitto killed; power cut at every
block write of real littlefs. It takes about two minutes. Exit status 0 only if nothing was lost;
otherwise the page stays as it was.
"""

from __future__ import annotations

import datetime
import platform
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import firmware_paths as _paths  # noqa: F401  finds the firmware as the tests do
import typer
from rich.console import Console
from rigs.breaking import (
    BACKLOG,
    HOWS,
    READINGS,
    TIMEOUT_MS,
    Broken,
    Connections,
    Killed,
    Packet,
    break_connections,
    cut_power,
    every_fault,
    kill_broker,
    whole_session,
)

from benchmarks.parts import micropython_version
from benchmarks.report import table
from fieldpost import node_process, umqtt
from fieldpost.mqtt import brokers
from fieldpost.pages import write_part
from fieldpost.paths import ROOT
from firmware import VERSION

PAGE = ROOT / "docs" / "reliability.md"
BEGIN = "<!-- broken: written by make reliability, do not edit -->"
END = "<!-- end of broken -->"
_DOING = {
    "open": "opens its files",
    "put": "stores a reading",
    "acknowledge": "removes what arrived",
}
_console = Console(stderr=True)


def reliability(
    document: Annotated[bool, typer.Option(help="Write into docs/reliability.md.")] = True,
) -> None:
    """Break connections, brokers and power, and check that nothing is lost."""
    if brokers.find_mosquitto() is None or node_process.find_micropython() is None:
        _console.print("This needs Mosquitto (apt install mosquitto) and MicroPython's unix port.")
        raise typer.Exit(2)
    with _console.status("connections …"), brokers.Broker("mosquitto") as broker:
        packets = whole_session(broker.port)
        broken = break_connections(broker.port, every_fault(packets))
        name = broker.name
    with _console.status("brokers …"), tempfile.TemporaryDirectory() as folder:
        killed = []
        for persistence in (True, False):
            flash = Path(folder) / str(persistence)
            flash.mkdir()
            killed.append(kill_broker(persistence, flash))
    with _console.status("power …"):
        cuts = cut_power()
    text = "\n".join((_versions(name), *page(packets, broken, killed, cuts)))
    print(text)
    wrong = what_is_wrong(broken, killed, cuts)
    for line in wrong:
        print(line, file=sys.stderr)
    if wrong:
        raise typer.Exit(1)
    if document:
        write_part(PAGE, BEGIN, END, text)


def what_is_wrong(
    broken: Connections, killed: Sequence[Killed], cuts: Sequence[dict[str, Any]]
) -> list[str]:
    """What no run may come to, in words; empty if all is well."""
    wrong = [f"lost: {one.lost} readings at {one.fault}" for one in broken.faults if one.lost]
    if broken.lost and not wrong:
        wrong.append(f"lost: {broken.lost} readings of broken connections")
    if broken.account.out_of_order:
        wrong.append(f"out of order: {broken.account.out_of_order} readings")
    for one in killed:
        if one.lost or one.account.out_of_order:
            kind = "with" if one.persistence else "without"
            wrong.append(f"broker killed, {kind} persistence: {one.lost} lost,"
                         f" {one.account.out_of_order} out of order")  # fmt: skip
    for cut in cuts:
        if cut["lost"] or cut["disordered"] or cut["corrupt"] or cut["unusable"]:
            wrong.append(f"power cut: {cut}")
    return wrong


def page(
    packets: Sequence[Packet],
    broken: Connections,
    killed: Sequence[Killed],
    cuts: Sequence[dict[str, Any]],
) -> list[str]:
    """The tables, as Markdown."""
    return [
        "### Connections",
        "",
        _connections(packets, broken.faults),
        "",
        _summary(broken),
        "",
        "### The broker",
        "",
        _brokers(killed),
        "",
        "### Power",
        "",
        _power(cuts),
        "",
    ]


def _versions(broker: str) -> str:
    found = {
        "Fieldpost": VERSION,
        "MicroPython, unix port": micropython_version(str(node_process.find_micropython())),
        "umqtt.simple": umqtt.version_of(umqtt.TARGET.read_bytes()),
        "broker": broker,
        "Python": platform.python_version(),
    }
    said = ", ".join(f"{name} {version}" for name, version in found.items())
    return f"\nRun of {datetime.date.today().isoformat()}: {said}.\n"


def _connections(packets: Sequence[Packet], faults: Sequence[Broken]) -> str:
    """A row for each packet of the session, and for the moment after the last of either way."""
    head = ("way", "packet", "bytes", *(f"lost, {how}" for how in HOWS), "tried again", "longest")
    rows = []
    ends = {packet.way: packet.end for packet in packets}
    whole = [*packets, *(Packet(way, "after the last", end, end + 1) for way, end in ends.items())]
    for packet in sorted(whole, key=lambda one: (one.way != "up", one.start)):
        within = [
            one
            for one in faults
            if one.fault.way == packet.way and packet.start <= one.fault.at_byte < packet.end
        ]
        last = packet.end - 1
        span = str(last) if packet.start == last else f"{packet.start} to {last}"
        again = sum(one.report["attempts"] > 1 for one in within)
        longest_ms = max(one.report["longest_wait_ms"] for one in within)
        rows.append(
            (
                packet.way,
                packet.name,
                span,
                *(_lost_of([one for one in within if one.fault.how == how]) for how in HOWS),
                f"{again} of {len(within)}",
                f"{longest_ms} ms",
            )
        )
    return table(head, rows)


def _lost_of(faults: Sequence[Broken]) -> str:
    return f"{sum(one.lost for one in faults)} of {READINGS * len(faults)}"


def _summary(broken: Connections) -> str:
    again = sum(one.report["attempts"] > 1 for one in broken.faults)
    errors = Counter(error for one in broken.reports for error in one["errors"])
    met = ", ".join(f"{error} ({count:,})" for error, count in sorted(errors.items()))
    account = broken.account
    return (
        f"{len(broken.faults):,} faults; {again:,} sessions had to try again. Of"
        f" {READINGS * len(broken.reports):,} readings {broken.lost:,} lost,"
        f" {account.out_of_order:,} out of order, {account.repeats:,} repeated on the wire and"
        f" none after the key. Longest wait {broken.longest_wait_ms} ms, of the {TIMEOUT_MS} ms"
        f" that the session was given (what is more is the machine's). Error numbers met: {met}."
    )


def _brokers(killed: Sequence[Killed]) -> str:
    head = (
        "Mosquitto killed by SIGKILL",
        "readings",
        "before",
        "repeated",
        "out of order",
        "lost",
    )
    rows = [
        (
            "with persistence" if one.persistence else "without persistence",
            BACKLOG,
            one.before,
            one.account.repeats,
            one.account.out_of_order,
            one.lost,
        )
        for one in killed
    ]
    return table(head, rows)


def _power(cuts: Sequence[dict[str, Any]]) -> str:
    head = (
        "the power fails while the outbox", "the block", "cuts", "owed", "lost", "out of order",
        "spoilt", "outbox of no use", "sent again at most",
    )  # fmt: skip
    rows = [
        (
            _DOING[one["doing"]],
            "half written" if one["half"] else "untouched",
            one["cuts"],
            one["owed"],
            sum(len(missing) for _, missing in one["lost"]),
            len(one["disordered"]),
            one["corrupt"],
            one["unusable"],
            one["resent_at_most"],
        )
        for one in cuts
    ]
    return table(head, rows)


if __name__ == "__main__":
    typer.run(reliability)
