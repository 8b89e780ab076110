"""A fleet: each connected board is made what the file says, on its own, and nobody is asked."""

import json
import os
import pty
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from rigs.deploy import Quiet, project
from rigs.port import micropython
from rigs.sleeping_node import sleeping_node
from rigs.update_keys import PASSPHRASE, make_keys
from rigs.update_release import make_release

from fakes.raw_repl import RawReplBoard
from fakes.serial_lines import silent_port
from fieldpost.board import find as boards
from fieldpost.board import patience
from fieldpost.board.find import Board
from fieldpost.board.ports import Port
from fieldpost.errors import Cancelled, CommandError
from fieldpost.flash import esp, flashing
from fieldpost.fleet import board as fleet_board
from fieldpost.fleet import fleet, wake
from fieldpost.fleet.board import Source
from fieldpost.fleet.file import Firmware, Node, load
from fieldpost.fleet.fleet import Fleet
from fieldpost.mqtt import brokers
from fieldpost.paths import ROOT

MARKER = "hunter2-marker"
COMMAND = "import typer, fieldpost.fleet.command as m; typer.run(m.fleet)"
COMMON = """
[config]
sample_s = 1
boot_window_s = 0
mqtt = {{ host = "127.0.0.1", port = {port} }}
[secrets]
wifi = [{{ ssid = "x", password = {{ env = "FLEET_WIFI" }} }}]
"""
NODE = '[[node]]\nid = "aa{0:02}"\nname = "n{0}"\n'
_UNIX = {"machine": "linux with unix port", "build": "standard", "platform": "linux"}
_PICO_W = {
    "machine": "Raspberry Pi Pico W with RP2040",
    "build": "RPI_PICO_W",
    "platform": "rp2",
}
Make = Callable[..., RawReplBoard]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[RawReplBoard] = []

    def one(number: int, **options: Any) -> RawReplBoard:
        (tmp_path / f"board{number}").mkdir()
        board = RawReplBoard(
            tmp_path / f"board{number}",
            tmp_path / f"tty{number}",
            micropython(),
            uid=f"aa{number:02}",
            **(_UNIX | options),
        )
        made.append(board)
        board.plug_in()
        return board

    yield one
    for board in made:
        board.unplug()


def write(folder: Path, *numbers: int, more: str = "") -> Path:
    file = folder / "fleet.toml"
    nodes = "".join(NODE.format(number) for number in numbers)
    file.write_text(COMMON.format(port=brokers.free_port()) + nodes + more)
    return file


def run(file: Path, action: str, *ports: str) -> tuple[int, dict[str, Any], str]:
    """As a user's script runs it: status, what it says by node, and all it prints."""
    options = [option for port in ports for option in ("--port", port)]
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, str(file), action, "--json", *options],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "tools"), "FLEET_WIFI": MARKER},
        timeout=80,
    )
    assert done.stdout, done.stderr
    told = json.loads(done.stdout)
    return done.returncode, {one["name"]: one for one in told["nodes"]}, done.stdout + done.stderr


@pytest.mark.slow
def test_tools_6_a_fleet_skips_the_absent_and_the_up_to_date_and_goes_on_after_a_failure(
    make: Make, tmp_path: Path
) -> None:
    good, broken = make(1), make(2, cut_after=30_000)
    file = write(tmp_path, 1, 2, 3)
    ports = (good.port, broken.port)

    status, nodes, _ = run(file, "plan", *ports)
    assert status == 0
    assert [nodes[name]["state"] for name in ("n1", "n2", "n3")] == ["to do", "to do", "absent"]
    assert not (good.folder / "config.json").exists() and not list(tmp_path.glob("*-logs"))

    broken.bytes_received = 0
    status, nodes, printed = run(file, "apply", *ports)
    assert status == 1
    assert [nodes[name]["state"] for name in ("n1", "n2", "n3")] == ["done", "failed", "absent"]
    assert "ready: n1, boot 1" in nodes["n1"]["text"]
    assert "went away" in nodes["n2"]["text"]
    logs = {name: Path(nodes[name]["log"]).read_text() for name in ("n1", "n2")}
    assert "The node is ready" in logs["n1"] and "went away" in logs["n2"]
    assert not (tmp_path / "fleet-logs" / "n3.log").exists()
    # The secret is on the board, and nowhere else.
    assert json.loads((good.folder / "secrets.json").read_text())["wifi"][0]["password"] == MARKER
    assert MARKER not in printed + "".join(logs.values()) + file.read_text()

    # Its cable in again, the next run completes the one, and leaves the other alone.
    broken.unplug()
    broken.plug_in()
    status, nodes, _ = run(file, "apply", *ports)
    assert status == 0, nodes
    assert [nodes[name]["state"] for name in ("n1", "n2", "n3")] == [
        "up to date",
        "done",
        "absent",
    ]


@pytest.mark.slow
def test_tools_6_what_differs_is_told_by_the_plan_and_made_by_apply(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLEET_WIFI", MARKER)
    board = make(1)
    (tmp_path / "n1.der").write_bytes(b"certificate")
    file = write(tmp_path, 1)
    _apply(file, board)
    # What the node keeps of a command on trial would take ours back.
    (board.folder / "trial.json").write_text("{}")
    (board.folder / "outbox" / "mine").write_text("kept")
    text = file.read_text() + 'config.sample_s = 5\nfiles = { "certs/ca.der" = "{name}.der" }\n'
    file.write_text(text)
    fleet_ = Fleet(load(file), Quiet(), ports=[board.port])
    (planned,) = fleet_.plan().nodes
    assert planned.changes == ["config.json: sample_s 1 → 5", "certs/ca.der"]
    assert (board.folder / "trial.json").exists()
    result = _apply(file, board)
    assert result.changes == planned.changes and result.state == "done"
    assert json.loads((board.folder / "config.json").read_text())["sample_s"] == 5
    assert (board.folder / "certs" / "ca.der").read_bytes() == b"certificate"
    assert not (board.folder / "trial.json").exists()
    assert (board.folder / "outbox" / "mine").read_text() == "kept"


def _apply(file: Path, board: RawReplBoard) -> fleet.Result:
    report = Fleet(load(file), Quiet(), ports=[board.port]).apply()
    assert not report.failure, report
    return report.nodes[0]


@pytest.mark.slow
def test_a_counter_that_rose_stops_no_node_and_other_keys_do(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLEET_WIFI", MARKER)
    board = make(1)
    keys = make_keys(tmp_path / "keys")
    file = write(tmp_path, 1)
    file.write_text('keys = "keys"\n' + file.read_text())
    _apply(file, board)
    first = (board.folder / "update.keys").read_bytes()
    assert first == keys.node_file()
    make_release(keys)
    assert _apply(file, board).state == "up to date"
    assert (board.folder / "update.keys").read_bytes() == first
    # What stops it anyway brings the counter along.
    file.write_text(file.read_text() + "config.sample_s = 5\n")
    assert _apply(file, board).changes == ["config.json: sample_s 1 → 5"]
    assert json.loads((board.folder / "update.keys").read_bytes())["counter"] == 1
    keys.rotate(PASSPHRASE)
    assert _apply(file, board).changes == ["update.keys"]


def test_a_file_with_an_error_touches_no_board(make: Make, tmp_path: Path) -> None:
    board = make(1)
    file = write(tmp_path, 1, more="config.sampel_s = 1\n")
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, str(file), "apply", "--port", board.port],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "tools"), "FLEET_WIFI": MARKER},
    )
    assert done.returncode and "no board was touched" in done.stderr
    assert board.bytes_received == 0


def node(id: str, name: str, **options: Any) -> Node:
    return Node(id, name, Firmware(**options), {}, {})


def pretend(monkeypatch: pytest.MonkeyPatch, *found: Board) -> list[str]:
    """Boards that are found and brought up to date by nobody; returns the names brought."""
    brought: list[str] = []

    def bring(port: str, one: Node, *_: object) -> tuple[list[str], str]:
        brought.append(one.name)
        return [], ""

    monkeypatch.setattr(boards, "find", lambda *_, **__: list(found))
    monkeypatch.setattr(fleet_board, "bring", bring)
    return brought


def test_two_boards_with_the_serial_number_of_their_bridges_are_not_confused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ports = [Board(f"/dev/ttyUSB{n}", "micropython", serial="0001") for n in range(2)]
    brought = pretend(monkeypatch, *ports)
    (result,) = Fleet([node("0001", "n1")], Quiet()).apply().nodes
    assert result.state == "failed" and "use the uid" in result.text and not brought


def test_a_board_of_another_version_is_flashed_and_found_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = [
        Board(f"/dev/tty{n}", "micropython", uid=f"aa{n}", micropython=version)
        for n, version in enumerate(("1.25.0", "1.29.0"))
    ]
    brought = pretend(monkeypatch, *found)
    flashed: list[tuple[str, str | None]] = []

    def write_to(target: str, wish: flashing.Wish, screen: object) -> flashing.Outcome:
        flashed.append((target, wish.version))
        return flashing.Outcome(target, True, "done", micropython="1.29.0")

    monkeypatch.setattr(flashing, "flash", write_to)
    nodes = [node(f"aa{n}", f"n{n}", version="v1.29.0") for n in range(2)]
    one, two = Fleet(nodes, Quiet()).apply().nodes
    assert flashed == [("/dev/tty0", "v1.29.0")]
    assert (one.state, one.micropython) == ("done", "1.29.0")
    assert one.changes == ["MicroPython 1.25.0 → 1.29.0"]
    assert two.state == "up to date" and sorted(brought) == ["n0", "n1"]


def test_a_failed_flash_is_a_failure_and_nothing_is_deployed_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    brought = pretend(monkeypatch, Board("/dev/tty0", "micropython", uid="aa", micropython="1.2"))
    monkeypatch.setattr(flashing, "flash", lambda t, *_: flashing.Outcome(t, False, "cable out"))
    report = Fleet([node("aa", "n1", version="1.29.0")], Quiet()).apply()
    assert report.failure and report.nodes[0].text == "cable out" and not brought


def test_a_node_asleep_is_woken_and_not_taken_for_an_empty_board(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asleep = Board("/dev/ttyUSB0", "silent")
    brought = pretend(monkeypatch, asleep)
    port = Port("/dev/ttyUSB0", "bridge", "CP210x")
    awake = Board("/dev/ttyUSB0", "micropython", uid="30aea4123456", micropython="1.29.0")
    chip = esp.EspChip("ESP32", "esp32", 0x1000, mac="30:ae:a4:12:34:56")
    monkeypatch.setattr(wake, "port_named", lambda _: port)
    monkeypatch.setattr(esp, "identify", lambda _: chip)
    monkeypatch.setattr(boards, "ask", lambda *_: awake)
    nodes = [node("30aea4123456", "n1")]
    (result,) = Fleet(nodes, Quiet()).apply().nodes
    assert result.state == "up to date" and brought == ["n1"]
    # A plan resets nothing: it says that it does not know.
    report = Fleet(nodes, Quiet()).plan()
    assert report.nodes[0].state == "absent" and report.others == [asleep]


@pytest.mark.slow
def test_a_silent_port_that_is_no_esp32_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def not_one(_: str) -> None:
        raise CommandError("no serial data received")

    monkeypatch.setattr(esp, "identify", not_one)
    with silent_port() as port:
        report = Fleet([node("30aea4123456", "n1")], Quiet(), ports=[port]).apply()
    assert not report.failure and report.nodes[0].state == "absent"
    assert [other.port for other in report.others] == [port]


@pytest.mark.slow
@pytest.mark.parametrize("is_named", [True, False])
def test_a_board_that_sleeps_and_cannot_be_reset_is_taken_at_its_next_wake(
    is_named: bool, make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def not_one(_: str) -> None:
        raise CommandError("no serial data received")

    board = make(1, **_PICO_W)
    (board.folder / "main.py").write_text(sleeping_node(awake=4, asleep_ms=9000))
    board.unplug()
    board.plug_in()
    assert board.is_asleep.wait(20)
    monkeypatch.setattr(esp, "identify", not_one)
    if not is_named:
        # Its chip's own USB has the number of the chip.
        silent = Board(board.port, "silent", serial="AA01")
        monkeypatch.setattr(boards, "find", lambda *_, **__: [silent])
    one = Node("aa01", "n1", Firmware(), {"node": "n1", "mqtt": {"host": "h"}}, {"wifi": []})
    ports = [board.port] if is_named else []
    source = Source(project(tmp_path / "checkout", "one"), ready_s=15)
    fleet_ = Fleet([one], Quiet(), ports=ports, source=source, wait_s=60)
    (result,) = fleet_.apply().nodes
    assert result.state == "done" and "ready: tester" in result.text, (result.text, result)
    assert json.loads((board.folder / "config.json").read_text())["node"] == "n1"


def test_a_port_that_was_named_and_does_not_exist_is_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "_RESTART_S", 0.0)
    fleet = Fleet([node("aa01", "n1")], Quiet(), ports=[str(tmp_path / "tty9")], wait_s=None)
    for report in fleet.plan(), fleet.apply():
        assert report.nodes[0].state == "absent"
        assert report.failure and report.failure[0] == "board_port"
        assert "there is no port" in report.failure[1]


def test_what_is_waited_for_is_not_waited_for_any_longer_after_ctrl_c() -> None:
    ended = threading.Event()
    log = wake.NodeLog("n1", Quiet(), None, ended)
    log.count_down("tty", "waiting for its next wake", 60, 600)
    ended.set()
    with pytest.raises(Cancelled):
        log.count_down("tty", "waiting for its next wake", 59, 600)


def test_a_fault_of_the_tool_on_one_board_stops_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [Board(f"/dev/tty{n}", "micropython", uid=f"aa{n}") for n in range(3)]
    pretend(monkeypatch, *found)

    def bring(port: str, *_: object) -> tuple[list[str], str]:
        if port == "/dev/tty1":
            raise ZeroDivisionError("oops")
        return ["it"], ""

    monkeypatch.setattr(fleet_board, "bring", bring)
    report = Fleet([node(f"aa{n}", f"n{n}") for n in range(3)], Quiet(), jobs=1).apply()
    assert [result.state for result in report.nodes] == ["done", "failed", "done"]
    assert "ZeroDivisionError" in report.nodes[1].text


def test_logs_that_cannot_be_written_are_an_error_of_each_board(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    brought = pretend(monkeypatch, Board("/dev/tty0", "micropython", uid="aa"))
    (tmp_path / "logs").touch()
    report = Fleet([node("aa", "n1")], Quiet(), logs=tmp_path / "logs").apply()
    assert report.failure and "cannot write" in report.nodes[0].text and not brought


def test_the_table_is_readable_and_names_boards_that_are_not_in_the_file(
    make: Make, tmp_path: Path
) -> None:
    board = make(7)
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", COMMAND, str(write(tmp_path, 1)), "plan", "--port", board.port],
        stdout=subprocess.PIPE,
        stderr=follower,
        stdin=follower,
        env={**os.environ, "PYTHONPATH": str(ROOT / "tools"), "FLEET_WIFI": MARKER},
        text=True,
    )
    printed, _ = process.communicate(timeout=60)
    os.close(leader)
    os.close(follower)
    assert process.returncode == 0
    assert 'id = "aa07"' in printed and "1 absent" in printed
