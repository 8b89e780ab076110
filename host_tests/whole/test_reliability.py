"""The page on reliability is written by the command that measures, and tells of every loss."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import reliability
from rigs.breaking import BACKLOG, Broken, Connections, Killed, Packet, every_fault

from fieldpost.messages.account import Account
from fieldpost.pages import write_part

PACKETS = [Packet("up", "CONNECT", 0, 20), Packet("down", "CONNACK", 0, 4)]
FAULTS = every_fault(PACKETS)
CUT: dict[str, Any] = {
    "half": True, "doing": "put", "cuts": 9, "owed": 40, "lost": [], "disordered": [],
    "corrupt": 0, "unusable": 0, "resent_at_most": 3,
}  # fmt: skip


def _account(readings: int) -> Account:
    account = Account()
    for seq in range(readings):
        account.deliver({"boot": 1, "seq": seq})
    return account


def _broken(readings: int, lost: int = 0) -> Connections:
    report = {"attempts": 2, "longest_wait_ms": 151, "errors": [104]}
    faults = [Broken(fault, report, 0) for fault in FAULTS]
    faults[7] = faults[7]._replace(lost=lost)
    return Connections(faults, [report] * len(FAULTS), _account(readings))


ALL = 3 * len(FAULTS)
KILLED = Killed(True, 64, {"left": 0}, _account(BACKLOG))


def test_each_byte_of_both_ways_breaks_in_each_of_three_ways() -> None:
    assert len(set(FAULTS)) == len(FAULTS) == 3 * (21 + 5)


def test_a_run_without_a_loss_is_well_and_its_tables_count_every_fault() -> None:
    assert reliability.what_is_wrong(_broken(ALL), [KILLED], [CUT]) == []
    text = "\n".join(reliability.page(PACKETS, _broken(ALL), [KILLED], [CUT]))
    assert "| up | CONNECT | 0 to 19 | 0 of 60 | 0 of 60 | 0 of 60 | 60 of 60 | 151 ms |" in text
    assert "| down | after the last | 4 | 0 of 3 | 0 of 3 | 0 of 3 | 3 of 3 | 151 ms |" in text
    assert "| stores a reading | half written | 9 | 40 | 0 | 0 | 0 | 0 | 3 |" in text


@pytest.mark.parametrize(
    ("broken", "killed", "cut"),
    [
        (_broken(ALL, lost=1), KILLED, CUT),
        (_broken(ALL - 1), KILLED, CUT),
        (_broken(ALL), KILLED._replace(account=_account(BACKLOG - 1)), CUT),
        (_broken(ALL), KILLED, {**CUT, "lost": [(3, [17])]}),
        (_broken(ALL), KILLED, {**CUT, "corrupt": 1}),
    ],
)
def test_one_reading_lost_anywhere_is_told(
    broken: Connections, killed: Killed, cut: dict[str, Any]
) -> None:
    assert len(reliability.what_is_wrong(broken, [killed], [cut])) == 1


def test_the_page_has_the_tables_of_a_run_that_lost_nothing() -> None:
    text = reliability.PAGE.read_text(encoding="utf-8")
    _, _, rest = text.partition(reliability.BEGIN)
    written, end, _ = rest.partition(reliability.END)
    assert end and "Run of 20" in written
    rows = [
        line.split(" | ") for line in written.splitlines() if line.startswith(("| up", "| down"))
    ]
    assert len(rows) > 12
    assert all(cell.startswith("0 of ") for row in rows for cell in row[3:6])


def test_a_page_without_its_marks_is_left_alone(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("words\n<!-- a -->\nold\n<!-- b -->\nmore\n")
    write_part(page, "<!-- a -->", "<!-- b -->", "new")
    assert page.read_text() == "words\n<!-- a -->\nnew\n<!-- b -->\nmore\n"
    with pytest.raises(ValueError, match="lacks the line"):
        write_part(page, "<!-- c -->", "<!-- b -->", "new")
