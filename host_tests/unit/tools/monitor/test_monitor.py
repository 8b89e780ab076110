"""The monitor shows a board's console and its messages, and the board does not notice."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from rigs.port import micropython

from fakes.raw_repl import RawReplBoard
from fakes.serial_lines import chatty_port, silent_port
from fieldpost.board.ports import Port
from fieldpost.errors import CommandError
from fieldpost.monitor import monitor
from fieldpost.monitor.events import Event, Events
from fieldpost.monitor.sources import ConsoleSource, MqttSource
from fieldpost.mqtt import brokers
from fieldpost.mqtt.brokers import Broker
from fieldpost.mqtt.client import Connection
from fieldpost.mqtt.url import parse
from fieldpost.paths import ROOT

COMMAND = "import typer, fieldpost.monitor.command as m; typer.run(m.monitor)"
TICKS = (
    "import time\nn = 0\nwhile True:\n    print('tick', n)\n    n += 1\n    time.sleep_ms(50)\n"
)
Watch = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def board(tmp_path: Path) -> Iterator[RawReplBoard]:
    (tmp_path / "board").mkdir()
    (tmp_path / "board" / "main.py").write_text(TICKS)
    with RawReplBoard(tmp_path / "board", tmp_path / "tty", micropython()) as board:
        yield board


@pytest.fixture
def broker() -> Iterator[Broker]:
    with Broker("mosquitto" if brokers.find_mosquitto() else "amqtt") as broker:
        yield broker


@pytest.fixture
def watch() -> Iterator[Watch]:
    """The command as a user runs it, its output in a pipe."""
    started: list[subprocess.Popen[str]] = []

    def start(*options: str) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, "-u", "-c", COMMAND, *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT / "tools")},
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def until(process: "subprocess.Popen[str]", wanted: str) -> list[str]:
    """The lines up to the one that has `wanted` in it; the test's time limit is the limit."""
    assert process.stdout
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line.rstrip("\n"))
        if wanted in line:
            return lines
    raise AssertionError(f"ended without {wanted!r}: {lines}")


def texts(events: Events, wanted: str, limit_s: float = 10) -> list[str]:
    """What is told until an event has `wanted` in it."""
    found: list[str] = []
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        event = events.get(0.1)
        if event:
            found.append(event.text)
            if wanted in event.text:
                return found
    raise AssertionError(f"no {wanted!r} in {found[-20:]}")


def test_tools_1_the_monitor_sends_nothing_to_the_board_and_its_program_runs_on(
    board: RawReplBoard, watch: Watch
) -> None:
    process = watch("--port", board.port)
    until(process, "tick")
    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(timeout=10)
    assert process.returncode == 0
    assert "Traceback" not in rest
    last = int(rest.split()[-1]) if rest.split() else 0
    again = until(watch("--port", board.port), "tick")
    # It counts on: neither Ctrl-C nor a reset reached it.
    assert int(again[-1].split()[1]) >= last
    assert (board.bytes_received, board.soft_resets, board.hard_resets) == (0, 0, 0)


def test_tools_1_a_silent_port_does_not_keep_the_monitor(watch: Watch) -> None:
    with silent_port() as port:
        process = watch("--port", port)
        until(process, "is read")
        begin = time.monotonic()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=10)
        assert process.returncode == 0
        assert time.monotonic() - begin < 5


def test_tools_1_a_chatty_port_neither_fills_the_memory_nor_keeps_the_monitor() -> None:
    with chatty_port() as port:
        events = Events(waiting_max=100)
        source = ConsoleSource(port, events)
        source.start()
        time.sleep(1)
        begin = time.monotonic()
        source.close()
        assert time.monotonic() - begin < 2
    # Nobody read: what did not fit is counted, not kept.
    first = events.get(0)
    assert first and "faster than they could be shown" in first.text
    assert sum(events.get(0) is not None for _ in range(500)) == 100


def test_a_board_that_is_unplugged_is_waited_for_and_read_again(board: RawReplBoard) -> None:
    events = Events()
    source = ConsoleSource(board.port, events)
    source.start()
    try:
        texts(events, "tick")
        board.unplug()
        texts(events, "went away")
        board.plug_in()
        told = texts(events, "tick", 15)
    finally:
        source.close()
    assert f"{board.port} is back" in told


def test_a_board_that_comes_back_under_another_name_is_found_by_its_serial_number(
    board: RawReplBoard, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved = Port(board.port, "micropython", "a board", serial="E661")
    ports = [moved]
    monkeypatch.setattr("fieldpost.board.ports.all_ports", lambda: ports)
    monkeypatch.setattr("fieldpost.monitor.sources.port_named", lambda _: moved)
    events = Events()
    source = ConsoleSource("/dev/was-here-before", events)
    source.start()
    try:
        texts(events, "tick")
    finally:
        source.close()


def test_a_port_that_is_not_there_yet_is_waited_for(tmp_path: Path) -> None:
    events = Events()
    source = ConsoleSource(str(tmp_path / "tty"), events)
    source.start()
    try:
        texts(events, "Waiting for it to be plugged in")
        # Said once, however often it is looked for.
        assert events.get(1) is None
    finally:
        source.close()


def test_console_and_messages_come_interleaved_in_order_and_are_logged(
    board: RawReplBoard, broker: Broker, watch: Watch, tmp_path: Path
) -> None:
    log = tmp_path / "log.txt"
    process = watch("--port", board.port, "--broker", broker.url, "--log", str(log))
    until(process, "is connected")
    connection = Connection(parse(broker.url))
    connection.open()
    reading = json.dumps({"boot": 3, "seq": 41, "ts": int(time.time()), "temperature": 21.5})
    connection.publish("fieldpost/n1/telemetry", reading.encode(), qos=1, retain=False)
    lines = until(process, "mqtt: telemetry n1 3/41 temperature 21.5")
    connection.close()
    lines += until(process, "tick")
    assert all(line.startswith(("tick ", "mqtt: ", "-- ")) for line in lines), lines
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=10)
    logged = log.read_text().splitlines()
    assert any(line.endswith(f"mqtt    fieldpost/n1/telemetry {reading}") for line in logged)
    assert any(" console tick" in line for line in logged)


def test_a_broker_that_is_away_is_told_and_the_board_is_watched_meanwhile(
    board: RawReplBoard, watch: Watch
) -> None:
    process = watch("--port", board.port, "--broker", f"mqtt://127.0.0.1:{brokers.free_port()}")
    lines = until(process, "nothing listens")
    until(process, "tick")
    assert lines[-1].startswith("-- ")


@contextmanager
def broker_that(answers: Callable[[socket.socket], None], events: Events) -> Iterator[MqttSource]:
    """A source at a broker that takes one connection, and does that with it."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            end, _ = server.accept()
            with end:
                answers(end)

        answering = threading.Thread(target=answer, daemon=True)
        answering.start()
        address = parse(f"mqtt://127.0.0.1:{server.getsockname()[1]}")
        source = MqttSource(address, "fieldpost/#", events)
        yield source
        source.close()
        answering.join(5)


def test_a_broker_that_does_not_let_it_subscribe_is_told() -> None:
    def refuse(end: socket.socket) -> None:
        end.recv(1024)
        end.sendall(b"\x20\x02\x00\x00")
        number = end.recv(1024)[2:4]
        end.sendall(b"\x90\x03" + number + b"\x80")
        end.recv(1024)

    events = Events()
    with broker_that(refuse, events) as source:
        source.start(must=True)
        assert texts(events, "does not let us subscribe to fieldpost/#")


def _hang_up(end: socket.socket) -> None:
    end.recv(1024)


def test_what_ends_with_a_question_is_no_sentence_with_a_full_stop_too() -> None:
    events = Events()
    with broker_that(_hang_up, events) as source:
        source.start(must=False)
        assert texts(events, "is it an MQTT broker? (tried again every 5 s)")


def test_without_a_board_a_broker_that_is_away_is_an_error() -> None:
    nowhere = f"mqtt://user:hunter2@127.0.0.1:{brokers.free_port()}"
    with pytest.raises(CommandError, match="nothing listens") as raised:
        monitor.monitor_command(monitor.Options(broker=nowhere))
    assert "hunter2" not in str(raised.value)


@pytest.mark.slow
def test_a_broker_that_comes_back_is_subscribed_to_again(broker: Broker, watch: Watch) -> None:
    process = watch("--broker", broker.url)
    until(process, "is connected")
    broker.stop()
    until(process, "is lost")
    broker.start()
    until(process, "is connected")
    connection = Connection(parse(broker.url))
    connection.open()
    connection.publish("fieldpost/n1/status", b'{"state": "online"}', qos=1, retain=False)
    connection.close()
    until(process, "status n1 online")


def test_nothing_to_watch_and_several_boards_are_errors_that_say_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ports: list[Port] = []
    monkeypatch.setattr("fieldpost.monitor.monitor.all_ports", lambda: ports)
    with pytest.raises(CommandError, match="--broker"):
        monitor.monitor_command(monitor.Options())
    ports += [Port(f"/dev/ttyACM{n}", "micropython", "Pico") for n in range(2)]
    with pytest.raises(CommandError, match=r"(?s)ttyACM1.*--port"):
        monitor.monitor_command(monitor.Options())


def test_a_log_that_cannot_be_written_is_said_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="cannot write the log"):
        monitor.monitor_command(monitor.Options(port="/dev/null", log=tmp_path))


def test_a_disk_that_fills_up_ends_the_log_and_not_the_monitor(tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full here")
    shown: list[Event] = []

    class View:
        def show(self, event: Event) -> None:
            shown.append(event)

    events = Events()
    for text in ("one", "two"):
        events.put(Event("console", text))
    log = monitor.LogFile(Path("/dev/full"))
    monitor._show_all(events, View(), log, 0.5)
    assert [event.text for event in shown][:2] == ["one", "two"]
    assert "No space left" in shown[2].text
