"""Benchmark 7: a wake's marks become phases, phases a verdict, a table and a picture."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks import __main__ as command
from benchmarks import plots, report_phases, targets, wake_phases
from fieldpost.errors import CommandError


def _marks(scale: float, *, delivers: bool) -> list[tuple[Any, ...]]:
    """As the board tells of them, in microseconds."""
    first = [
        ("main.py", 50, 0, 0),
        ("read_settings", 150, 0, 0),
        ("read_settings done", 170, 0, 0),
    ]
    first += [("build", 171, 0, 0)]
    first += [("build done", 400, 0, 0), ("loop", 401, 0, 0), ("radio", 450, 0, 0)]
    more = [("joined", 1300, 50, 790), ("CONNECT", 1320, 54, 790), ("closed", 1500, 80, 940)]
    last = (
        [("asleep", 1501, 80, 940)] if delivers else [("closed", 451, 0, 1), ("asleep", 452, 0, 1)]
    )
    return [
        (name, *(int(1000 * scale * value) for value in values))
        for name, *values in [*first, *(more if delivers else []), *last]
    ]


def _wakes(scale: float = 1) -> list[dict[str, Any]]:
    reads, delivers = _marks(scale, delivers=False), _marks(scale, delivers=True)
    early = [("main.py", 50000, 0, 0), ("asleep", 120000, 0, 0)]
    modules = [("firmware.node", 9000), ("wire", 12000), ("firmware.node", 1000)]
    return [
        {"kind": "first", "marks": delivers, "modules": [], "free": 1},
        {"kind": "wake", "marks": reads, "modules": [], "free": 2},
        {"kind": "wake", "marks": delivers, "modules": modules, "free": 3},
        {"kind": "early", "marks": early, "modules": [], "free": 4},
    ]


def _found(now: float = 0.5) -> dict[str, Any]:
    rows = []
    for board in ("Pico W", "ESP32-C3"):
        rows += wake_phases.rows_of(_wakes(now), board, wake_phases.NOW)
        rows += wake_phases.rows_of(_wakes(), board, wake_phases.BEFORE)
    modules = wake_phases.modules_of(_wakes(), "Pico W")
    sizes = {wake_phases.NOW: 44_000, wake_phases.BEFORE: 45_000}
    found = {"wakes": rows, "modules": modules, "outbox_ms": {"Pico W": 4.7}, "images": ["A"]}
    return found | {"heap": sizes, "mpy": sizes}


def test_a_phase_is_what_the_processor_did_without_waits_and_the_radio_s_driver() -> None:
    rows = wake_phases.rows_of(_wakes(), "Pico W", wake_phases.NOW)
    assert [row["wake"] for row in rows] == ["only reads", "delivers", "too early"]
    reads, delivers, early = rows
    phases = {name: phase["cpu_ms"] for name, phase in delivers["phases"].items()}
    assert phases == {
        "boot.py": 50,
        "application loaded": 100,
        "settings": 20,
        "node built": 230,
        "reading": 50,
        "joining": 10,
        "connecting": 16,
        "delivering": 4,
        "radio off": 1,
    }
    assert delivers["phases"]["joining"]["radio_ms"] == 790
    # Nothing is joined where nothing is delivered: the radio is made sure to be off.
    assert "joining" not in reads["phases"] and reads["phases"]["radio off"]["radio_ms"] == 1
    assert wake_phases.cpu_ms(early) == 120
    assert wake_phases.to_connect(rows, "Pico W", wake_phases.NOW) == 476
    assert wake_phases.to_connect(rows, "ESP32-C3", wake_phases.NOW) is None


def test_a_wake_without_a_node_reads() -> None:
    alone = [("main.py", 40, 0, 0), ("read_settings", 90, 0, 0), ("read_settings done", 99, 0, 0)]
    alone.append(("asleep", 149, 10, 0))
    wake = {"kind": "wake", "free": 1, "modules": []}
    marks = [(name, *(1000 * value for value in values)) for name, *values in alone]
    (row,) = wake_phases.rows_of([wake | {"marks": marks}], "Pico W", wake_phases.NOW)
    assert row["wake"] == wake_phases.READS
    assert row["phases"]["reading"] == {"cpu_ms": 40, "waited_ms": 10, "radio_ms": 0}
    assert "node built" not in row["phases"]


def test_a_wake_that_finds_its_settings_in_memory_reads_without_a_phase_for_them() -> None:
    marks = [("main.py", 20_000, 0, 0), ("measure", 60_000, 0, 0), ("asleep", 100_000, 0, 0)]
    wake = {"kind": "wake", "free": 1, "modules": [], "marks": marks}
    (row,) = wake_phases.rows_of([wake], "Pico W", wake_phases.NOW)
    taken = {name: phase["cpu_ms"] for name, phase in row["phases"].items()}
    assert row["wake"] == wake_phases.READS
    assert taken == {"boot.py": 20, "application loaded": 40, "reading": 40}


def test_phases_of_another_run_say_which(tmp_path: Path) -> None:
    versions = {"Fieldpost": "0123456789"}
    whole = {"date": "2026-11-01", "quick": False, "versions": versions, "not_run": {}}
    paths = [tmp_path / "whole.json", tmp_path / "phases.json"]
    paths[0].write_text(json.dumps(whole))
    paths[1].write_text(json.dumps({**whole, "date": "2026-11-02", "phases": _found()}))
    made = tmp_path / "made.json"
    given = [str(path) for path in paths]
    assert command.main(["--render", *given, "--output", str(made)]) == 0
    text = report_phases.render(json.loads(made.read_text())["phases"])
    assert "A run by itself: 2026-11-02, 0123456789." in text
    assert "by itself" not in report_phases.render(_found())


def test_the_outbox_is_timed_where_modules_are() -> None:
    wakes = _wakes()
    assert wake_phases.outbox_ms(wakes) is None
    wakes[2]["marks"] += [("outbox", 300_000, 0, 0), ("outbox done", 304_700, 0, 0)]
    assert wake_phases.outbox_ms(wakes) == 4.7


def test_a_module_s_import_is_its_own_and_the_longest_comes_first() -> None:
    rows = wake_phases.modules_of(_wakes(), "Pico W")
    assert [(row["module"], row["ms"]) for row in rows] == [("wire", 12), ("firmware.node", 10)]


@pytest.mark.parametrize(("now", "met"), [(0.49, True), (0.51, False)])
def test_both_boards_are_judged_beside_the_code_before(now: float, met: bool) -> None:
    judged = targets.judge({"phases": _found(now)})[-6:]
    until_connect, reads, sizes = judged[:2], judged[2:4], judged[4:]
    assert [row["met"] for row in until_connect] == [met] * 2
    assert {row["met"] for row in reads} == {False}
    assert [row["met"] for row in sizes] == [False, True]
    assert sizes[0]["measured"] == "44.0 kB, 45.0 before"


def test_without_the_code_before_nothing_is_judged_by_it_and_the_page_is_made(
    tmp_path: Path,
) -> None:
    found = _found()
    found["wakes"] = [row for row in found["wakes"] if row["code"] == wake_phases.NOW]
    found["heap"] = found["mpy"] = {wake_phases.NOW: 44_000}
    judged = targets.judge({"phases": found})[-6:]
    assert [row["met"] for row in judged] == [None, None, False, False, None, None]
    text = report_phases.render(found)
    assert "| Pico W, delivers, now | 25 | 50 |" in text and "before" not in text
    assert "`wire` 12.0" in text
    plots.draw(tmp_path, {"phases": found})
    assert (tmp_path / "phases.png").stat().st_size > 1000


def test_what_the_console_lost_or_the_node_did_is_no_result() -> None:
    wake = "WAKE " + json.dumps({"kind": "wake", "failure": "", "free": 1})
    wakes = wake_phases.told(["0.1 ready", wake, 'MARK ["main.py", 1, 0, 0]', "WAKE OVER"])
    assert wakes[0]["marks"] == [["main.py", 1, 0, 0]]
    with pytest.raises(CommandError, match="lost a part"):
        wake_phases.told([wake, 'MARK ["main'])
    with pytest.raises(CommandError, match="restart"):
        wake_phases.told([wake.replace('""', '"restart"')])


def test_a_board_that_can_t_be_measured_does_not_end_the_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def missing(*_: Any) -> None:
        raise CommandError("no such QEMU\nand more")

    monkeypatch.setattr(wake_phases, "_unpack", lambda _: "no history")
    monkeypatch.setattr(wake_phases, "_measure_board", missing)
    found = wake_phases.measure(None, None, False, lambda _: None)  # type: ignore[arg-type]
    assert found["not_run"] == {
        "a wake of the code before": "no history",
        "wakes of the Pico W": "no such QEMU",
        "wakes of the ESP32-C3": "no such QEMU",
    }
    assert {row["met"] for row in targets.judge({"phases": found})[-6:]} == {None}
