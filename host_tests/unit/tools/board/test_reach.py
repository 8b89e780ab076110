"""A board that sleeps is woken by its bridge's lines, or taken at its next wake."""

from __future__ import annotations

import fcntl
import struct
import termios
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from rigs.port import micropython
from rigs.sleeping_node import sleeping_node

from fakes.raw_repl import RawReplBoard
from fakes.serial_lines import ResetCircuit, chatty_port, silent_port
from fieldpost.board import met
from fieldpost.board import reach as reaching
from fieldpost.board.errors import NoAnswer, PortUnavailable
from fieldpost.board.ports import Port, port_named, present_name
from fieldpost.board.reach import reach

Make = Callable[..., RawReplBoard]
_ROM = b"ets Jul 29 2019 12:21:46\r\n\r\nrst:0x1 (POWERON_RESET),boot:0x13\r\n"


class Told:
    """A screen that keeps what it was told."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.left: list[float] = []
        self.waits: list[str] = []

    def say(self, where: str, text: str) -> None:
        self.said.append(text)

    def progress(self, where: str, what: str, done: int, total: int | None) -> None: ...

    def count_down(self, where: str, what: str, left_s: float, total_s: float) -> None:
        self.left.append(left_s)
        self.waits.append(what)


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[RawReplBoard] = []

    def one(main: str, **options: object) -> RawReplBoard:
        folder = tmp_path / "board"
        folder.mkdir()
        (folder / "main.py").write_text(main)
        board = RawReplBoard(folder, tmp_path / "tty", micropython(), **options)  # type: ignore[arg-type]
        made.append(board)
        board.plug_in()
        return board

    yield one
    for board in made:
        board.unplug()


def _as(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """The port is of this kind by its USB id."""
    real = reaching.port_named
    monkeypatch.setattr(reaching, "port_named", lambda name: replace(real(name), kind=kind))


@pytest.mark.slow
def test_behind_a_bridge_the_reset_lines_wake_it_into_its_boot_window(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    board = make(sleeping_node(window=4, asleep_ms=600_000), rom=_ROM)
    (board.folder / "main.py").write_text(sleeping_node(window=4, asleep_ms=600_000))
    assert board.is_asleep.wait(20)
    circuit = ResetCircuit(board, monkeypatch)
    _as(monkeypatch, "bridge")
    told = Told()
    with reach(board.port, told, wait_s=60, connect_s=1) as link:
        assert link.eval("6 * 7") == 42
        assert link.was_running, "it would not be started again"
    assert circuit.resets == 1 and not circuit.in_bootloader
    assert "RTS" in told.said[0] and not told.left
    assert (board.folder / "saved").read_text() == "x", "more than one Ctrl-C, or none"


@pytest.mark.slow
@pytest.mark.parametrize("vanishes", [True, False])
def test_without_such_lines_it_is_taken_at_its_next_wake(make: Make, vanishes: bool) -> None:
    # A chip whose own USB is there at once hears nothing before it has started.
    board = make(
        sleeping_node(awake=5), vanishes=vanishes, rom=_ROM, deaf_s=1.0 if vanishes else 0.0
    )
    assert board.is_asleep.wait(20)
    told = Told()
    with reach(board.port, told, wait_s=60, connect_s=0.5) as link:
        assert link.eval("6 * 7") == 42 and link.was_running
    assert told.left == sorted(told.left, reverse=True) and 50 < told.left[0] <= 60
    assert board.sleeps == 1, "it was no wake that was taken"
    if not vanishes:
        # Nothing is sent before the node has said its first word.
        assert (board.folder / "starts").read_text()[1] == "4"
        assert (board.folder / "saved").read_text() == "x"


@pytest.mark.slow
def test_a_wake_that_was_too_short_is_followed_by_the_next(make: Make) -> None:
    board = make(sleeping_node(awake=0.0, asleep_ms=1000), vanishes=True, deaf_s=1.0)
    assert board.is_asleep.wait(20)
    threading.Timer(
        4, lambda: (board.folder / "main.py").write_text(sleeping_node(awake=5))
    ).start()
    with reach(board.port, Told(), wait_s=60, connect_s=0.5) as link:
        assert link.eval("1") == 1


@pytest.mark.slow
def test_a_countdown_goes_to_the_wake_that_the_node_has_told_of(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reaching, "_WAKE_S", 1.0)
    board = make(sleeping_node(awake=0))
    assert board.is_asleep.wait(20)
    board.hears = False
    told = Told()

    def stay_awake_at_last() -> None:
        while until_wake not in told.waits and board.sleeps < 15:
            time.sleep(0.1)
        (board.folder / "main.py").write_text(sleeping_node(awake=5))
        board.hears = True

    until_wake = "asleep until its next wake"
    threading.Thread(target=stay_awake_at_last, daemon=True).start()
    # It says "asleep for 2.5 s" at the end of each wake.
    with reach(board.port, told, wait_s=60, connect_s=0.5) as link:
        assert link.eval("1") == 1
    assert told.waits[0] == "waiting for a wake or RESET" and told.left[0] > 50
    after = told.waits.index(until_wake)
    assert told.left[after] <= 2.5


@pytest.mark.slow
def test_a_countdown_goes_by_the_interval_that_the_board_was_given(
    make: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "running"))
    board = make(sleeping_node(awake=5))
    assert board.is_asleep.wait(20)
    met.remember_interval(port_named(board.port), {"mode": "duty_cycle", "sample_s": 90})
    told = Told()
    with reach(board.port, told, wait_s=60, connect_s=0.5) as link:
        assert link.eval("1") == 1
    assert told.waits[0] == "asleep, wakes every 90 s" and told.left[0] <= 60
    assert any("is waited for 60 s" in text and "--wait 96" in text for text in told.said)


@pytest.mark.slow
def test_a_node_that_is_awake_and_busy_is_not_reset(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    board = make("import time\nwhile True: time.sleep_ms(10)\n")
    circuit = ResetCircuit(board, monkeypatch)
    _as(monkeypatch, "bridge")
    board.be_busy(3.0)
    with reach(board.port, Told(), wait_s=60) as link:
        assert link.eval("1") == 1
    assert circuit.resets == 0


@pytest.mark.slow
def test_a_port_that_comes_later_is_waited_for_and_one_that_never_comes_is_named(
    make: Make, tmp_path: Path
) -> None:
    board = make("import time\nwhile True: time.sleep_ms(10)\n", deaf_s=1.0)
    board.unplug()
    threading.Timer(1.5, board.plug_in).start()
    with reach(board.port, Told(), wait_s=30) as link:
        assert link.eval("1") == 1
    with pytest.raises(PortUnavailable, match=r"there is no port.*1 s; --wait"):
        reach(str(tmp_path / "tty9"), Told(), wait_s=1)
    with pytest.raises(PortUnavailable, match="there is no port"):
        reach(str(tmp_path / "tty9"), Told(), wait_s=0)


@pytest.mark.slow
def test_every_wait_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    begin = time.monotonic()
    with silent_port() as port, pytest.raises(NoAnswer, match="RESET"):
        reach(port, Told(), wait_s=1.5, connect_s=0.5)
    with chatty_port() as port, pytest.raises(NoAnswer, match="without end"):
        reach(port, Told(), wait_s=600, connect_s=0.5)
    assert time.monotonic() - begin < 15


@pytest.mark.slow
def test_a_chip_that_starts_without_micropython_is_told_at_once(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    deaf = "import time\nwhile True:\n try: time.sleep(1)\n except BaseException: pass\n"
    board = make("import machine\nmachine.deepsleep(600000)\n", rom=_ROM)
    assert board.is_asleep.wait(20)
    (board.folder / "main.py").write_text(deaf)
    ResetCircuit(board, monkeypatch)
    _as(monkeypatch, "bridge")
    monkeypatch.setattr(reaching, "_BOOT_S", 2.0)
    with pytest.raises(NoAnswer, match=r"starts, and.*fieldpost flash"):
        reach(board.port, Told(), wait_s=600, connect_s=0.5)


def test_a_board_that_comes_back_under_another_name_is_known_by_its_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = Port(str(tmp_path / "ttyACM0"), "espressif", "", "303A:1001", "24:EC:4A:01")
    there = [replace(known, device=str(tmp_path / "ttyACM1"))]
    monkeypatch.setattr("fieldpost.board.ports.all_ports", lambda: there)
    assert present_name(known) == str(tmp_path / "ttyACM1")
    assert present_name(replace(known, serial="24:EC:4A:02")) is None


class Chip:
    """EN of a board, as the circuit moves it."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def hold(self) -> None:
        self.said.append("held")

    def let_go(self) -> None:
        self.said.append("let go")


@pytest.mark.parametrize(
    ("lines", "said", "bootloader"),
    [
        ("", [], False),
        ("rts0 dtr0", [], False),
        ("dtr0", ["held"], False),
        ("dtr0 rts0", ["held", "let go"], False),
        # esptool's ClassicReset, into the bootloader.
        ("dtr0 rts1 dtr1 rts0", ["held", "let go"], True),
    ],
)
def test_the_stand_in_for_the_circuit_keeps_to_its_truth_table(
    monkeypatch: pytest.MonkeyPatch, lines: str, said: list[str], bootloader: bool
) -> None:
    chip = Chip()
    circuit = ResetCircuit(chip, monkeypatch)  # type: ignore[arg-type]
    bits = {"dtr": termios.TIOCM_DTR, "rts": termios.TIOCM_RTS}
    for line in lines.split():
        request = termios.TIOCMBIS if line.endswith("1") else termios.TIOCMBIC
        fcntl.ioctl(0, request, struct.pack("I", bits[line[:3]]))
    assert chip.said == said and circuit.in_bootloader == bootloader
