"""The program around a node: what it starts, when it says no, and how it ends."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

import firmware
from fakes.clock import FakeTime
from firmware import ConfigError, app, files
from firmware.board import unix
from firmware.config import check

SECRETS = {"wifi": [{"ssid": "home", "password": ""}]}


class Ends(Exception):
    """In place of a life without an end."""


class Board(unix.Board):
    """The host's, which notes what is asked of it."""

    cause = "power-on"

    def __init__(self) -> None:
        self.clock = FakeTime()
        super().__init__(self.clock)
        self.asked: list[Any] = []

    def clock_is_set(self) -> bool:
        return False

    def reset_cause(self) -> str:
        return self.cause

    def start_watchdog(self, timeout_ms: int) -> int:
        self.asked.append(timeout_ms)
        return timeout_ms

    def let_go(self) -> None:
        self.asked.append("let go")

    def restart(self) -> None:
        self.asked.append("restart")


class Node:
    """Ends the life at its first step, as it is told to."""

    state = b"online"

    def __init__(self, end: BaseException) -> None:
        self.end = end
        self.proven = 0
        self.link = SimpleNamespace(
            session=SimpleNamespace(wire=None), close=lambda: None, is_up=False
        )
        self.outbox = SimpleNamespace(spill=lambda: None, on_flash=7, dropped=0, corrupt=0)
        self.identity = SimpleNamespace(boot=3, proven=self.note_proof)

    def note_proof(self) -> None:
        self.proven += 1

    def step(self) -> int:
        raise self.end


class Life:
    """One run of the program: what it said, what it asked of the board, and with which node."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, end: BaseException, **config: Any) -> None:
        self.board = Board()
        self.node = Node(end)
        self.said: list[str] = []
        self.fed: list[Any] = []
        given = {"node": "n", "mqtt": {"host": "h"}, **config}
        settings, errors = check.check(given, SECRETS)
        assert not errors

        def build(*parts: Any) -> Node:
            self.fed.append(parts[5])
            if isinstance(end, ConfigError):
                raise end
            return self.node

        monkeypatch.setattr("firmware.board.Board", lambda: self.board)
        monkeypatch.setattr(app, "read_settings", lambda: (settings, ()))
        monkeypatch.setattr(app, "build", build)
        monkeypatch.setattr("firmware.compose.stop", lambda node: self.said.append("closed"))
        monkeypatch.setattr("firmware.bad_config.refuse", self.refuse)
        monkeypatch.setattr("firmware.crash.keep", lambda text, _: self.said.append(text) or 0)

    def refuse(self, board: Any, clock: Any, log: Any, errors: list[str]) -> None:
        self.said.append(f"refused: {errors}")


@pytest.mark.parametrize(
    ("given", "of_the_board_s", "armed"),
    [
        (None, 0, []),
        (None, 60, [60_000]),
        (0, 60, []),
        (90, 60, [90_000]),
    ],
)
def test_the_watchdog_is_the_boards_own_unless_the_configuration_says_otherwise(
    monkeypatch: pytest.MonkeyPatch, given: int | None, of_the_board_s: int, armed: list[int]
) -> None:
    life = Life(monkeypatch, KeyboardInterrupt(), watchdog_s=given)
    life.board.watchdog_s = of_the_board_s
    app.run()
    assert [one for one in life.board.asked if one != "let go"] == armed
    assert bool(life.fed[0]) == bool(armed), "whoever waits long feeds it"


@pytest.mark.parametrize(
    ("new_network", "setup_pin", "errors", "asked"),
    [
        (None, None, (), 0),
        (b"{}", None, (), 1),
        (None, 4, (), 1),
        (None, None, ("mqtt.host: is missing",), 1),
    ],
)
def test_the_set_up_by_phone_is_looked_at_when_there_is_a_reason_and_not_loaded_otherwise(
    monkeypatch: pytest.MonkeyPatch,
    new_network: bytes | None,
    setup_pin: int | None,
    errors: tuple[str, ...],
    asked: int,
) -> None:
    life = Life(monkeypatch, KeyboardInterrupt(), setup_pin=setup_pin)
    settings, _ = app.read_settings()
    monkeypatch.setattr(app, "read_settings", lambda: (settings, errors))
    monkeypatch.setattr(files, "read", lambda name: new_network if name == files.SETUP else None)
    monkeypatch.setattr("firmware.portal.first_connection.Pending", lambda: "pending")
    entered: list[tuple] = []
    monkeypatch.setattr("firmware.portal.entry.set_up", lambda *parts: entered.append(parts[3:]))
    app.run()
    pending = "pending" if new_network else None
    assert entered == [(settings, errors, pending)] * asked
    assert [line for line in life.said if line.startswith("refused")] == (
        [f"refused: {errors}"] if errors else []
    )


def test_what_only_building_finds_wrong_is_refused_as_a_configuration_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    life = Life(monkeypatch, ConfigError("mqtt.tls.ca_file: there is no file"))
    app.run()
    assert life.said == ["refused: ['mqtt.tls.ca_file: there is no file']"]
    assert life.board.asked == []


def test_a_person_who_interrupts_has_the_readings_kept_and_the_start_proven(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    life = Life(monkeypatch, KeyboardInterrupt())
    app.run()
    assert life.said == ["closed"] and life.node.proven == 1
    assert life.board.asked == ["let go"]
    assert "stopped by hand; 7 readings kept" in capsys.readouterr().out


def test_safe_mode_is_not_left_by_interrupting_it(monkeypatch: pytest.MonkeyPatch) -> None:
    life = Life(monkeypatch, KeyboardInterrupt())
    life.node.state = b"safe_mode"
    app.run()
    assert life.node.proven == 0


@pytest.mark.parametrize(("cause", "waits_ms"), [("power-on", 5000), ("deep-sleep", 0)])
def test_a_person_has_the_boot_window_to_interrupt_and_a_wake_has_none(
    monkeypatch: pytest.MonkeyPatch, cause: str, waits_ms: int
) -> None:
    life = Life(monkeypatch, KeyboardInterrupt(), boot_window_s=5)
    life.board.cause = cause
    app.run()
    assert life.board.clock.slept_ms == waits_ms


def test_what_escapes_is_kept_and_the_board_restarts(monkeypatch: pytest.MonkeyPatch) -> None:
    life = Life(monkeypatch, ZeroDivisionError("a bug"))
    app.run()
    assert "a bug" in life.said[0]
    assert life.board.asked == ["restart"]


def test_on_a_board_what_only_builds_a_node_leaves_its_heap_to_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compose, load = ModuleType("firmware.compose"), ModuleType("firmware.config.load")
    compose.build = lambda *parts: parts  # type: ignore[attr-defined]
    compose.connection = compose.stop = None  # type: ignore[attr-defined]
    config = importlib.import_module("firmware.config")
    for name in ("firmware.compose", "firmware.config.load"):
        importlib.import_module(name)  # So that there is something to be put back afterwards.
    for folder, name, module in ((firmware, "compose", compose), (config, "load", load)):
        monkeypatch.setitem(sys.modules, module.__name__, module)
        monkeypatch.setattr(folder, name, module, raising=False)
    assert app.build(1, 2) == (1, 2)
    assert vars(firmware)["compose"] is compose and compose.connection is None, "a host keeps all"
    here = SimpleNamespace(implementation=SimpleNamespace(name="micropython"), modules=sys.modules)
    monkeypatch.setattr(app, "sys", here)
    assert app.build(1, 2) == (1, 2)
    assert not {"firmware.compose", "firmware.config.load"} & set(sys.modules)
    assert not hasattr(firmware, "compose") and not hasattr(config, "load")
    assert not hasattr(compose, "build") and not hasattr(compose, "connection")
    assert hasattr(compose, "stop"), "whoever ends the node needs it"


def test_the_log_has_the_level_of_the_configuration(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    life = Life(monkeypatch, KeyboardInterrupt(), log_level="error")
    app.run()
    said = capsys.readouterr().out
    assert "Fieldpost" in said, "before the configuration is read"
    assert "ready" not in said and life.node.proven == 1


def test_what_a_wake_fails_of_before_there_is_a_node_ends_the_life_like_any_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    life = Life(monkeypatch, KeyboardInterrupt())
    life.board.cause = "deep-sleep"
    for failure, asked in ((KeyboardInterrupt(), "let go"), (ValueError("a bug"), "restart")):

        def recall(*_: Any, failure: BaseException = failure) -> None:
            raise failure

        monkeypatch.setattr("firmware.duty_cycle.rtc_memory.recall", recall)
        monkeypatch.setattr(life.board, "retained_bytes", 2040)
        monkeypatch.setattr(life.board, "retained", lambda: b"block")
        firmware.start()
        assert life.board.asked.pop() == asked and not life.fed, "no node was built"
    assert "a bug" in life.said[-1]


@pytest.mark.parametrize("kept", [{"settings": b"{}"}, {}])
def test_a_wake_reads_by_the_settings_in_memory_before_any_are_read_from_flash(
    monkeypatch: pytest.MonkeyPatch, kept: dict[str, bytes]
) -> None:
    life = Life(monkeypatch, KeyboardInterrupt())
    life.board.cause = "deep-sleep"
    settings, _ = app.read_settings()
    order: list[Any] = []

    def measure(board: Any, clock: Any, given: Any, log: Any, state: Any, records: Any) -> None:
        order.append(("reads", given, clock.uptime_ms(), records))
        raise SystemExit  # in place of a sleep

    state = {"boot": 1, "alone": 0, **kept}
    monkeypatch.setattr("firmware.duty_cycle.rtc_memory.recall", lambda *_: (state, [b"r"], 70))
    monkeypatch.setattr("firmware.duty_cycle.rtc_memory.measure", measure)
    monkeypatch.setattr(life.board, "retained_bytes", 2040)
    monkeypatch.setattr(life.board, "retained", lambda: b"block")
    monkeypatch.setattr(app, "read_settings", lambda: order.append("flash") or (settings, ()))
    with pytest.raises(SystemExit):
        firmware.start()
    reads = ("reads", None if kept else settings, 70, [b"r"])
    assert order == ([reads] if kept else ["flash", reads]) and not life.fed


@pytest.mark.parametrize(("woken", "set_to"), [(False, [32768]), (True, [])])
def test_garbage_is_collected_early_in_a_long_life_and_not_in_a_wake(
    monkeypatch: pytest.MonkeyPatch, woken: bool, set_to: list[int]
) -> None:
    life = Life(monkeypatch, KeyboardInterrupt())
    found: list[int] = []
    monkeypatch.setattr(app, "gc", SimpleNamespace(threshold=found.append))
    state = {"boot": 1, "alone": None} if woken else {}
    monkeypatch.setattr("firmware.duty_cycle.rtc_memory.recall", lambda *_: (state, [], 0))
    monkeypatch.setattr(life.board, "retained_bytes", 2040)
    monkeypatch.setattr(life.board, "retained", lambda: b"block")
    firmware.start()
    assert found == set_to and life.fed, "a node was built"


class Stepping:
    """A node and its clock: each step and each wait takes its time, until `ends_ms`."""

    state = b"online"

    def __init__(self, due_ms: int, ends_ms: int, sleeping: bool = False) -> None:
        self.due_ms = due_ms
        self.ends_ms = ends_ms
        self.sleeping = sleeping
        self.now_ms = 0
        self.waits_ms: list[int] = []
        self.proven_at_ms: list[int] = []
        self.slept_ms: list[int] = []
        self.uplink = SimpleNamespace(delivery=SimpleNamespace(delivered=0))
        self.link = SimpleNamespace(session=SimpleNamespace(wire=self))
        self.identity = SimpleNamespace(proven=lambda: self.proven_at_ms.append(self.now_ms))
        self.open = False

    def uptime_ms(self) -> int:
        return self.now_ms

    def step(self) -> int:
        if self.now_ms >= self.ends_ms:
            raise Ends
        return self.due_ms

    def is_open(self) -> bool:
        return self.open

    def wait(self, ms: int) -> None:
        self.waits_ms.append(ms)
        self.now_ms += ms

    def sleep(self, ms: int) -> None:
        self.slept_ms.append(ms)
        self.now_ms += ms


class CrashFile:
    """Notes when the count of crashes is forgotten."""

    def __init__(self, clock: Stepping) -> None:
        self._clock = clock
        self.forgotten_ms: list[int] = []

    def remove(self, path: str) -> None:
        assert path == files.CRASHES
        self.forgotten_ms.append(self._clock.now_ms)


def live(node: Stepping, feed: Any = None) -> CrashFile:
    crashes = CrashFile(node)
    with pytest.raises(Ends):
        app.loop(node, node, feed, crashes)
    return crashes


def test_a_wait_is_whole_without_a_watchdog_and_in_slices_that_feed_it_with_one() -> None:
    node = Stepping(due_ms=1800, ends_ms=3600)
    live(node)
    assert node.waits_ms == [1800, 1800]
    fed: list[int] = []
    node = Stepping(due_ms=1200, ends_ms=1200)
    live(node, lambda: fed.append(node.now_ms))
    assert node.waits_ms == [500, 500, 200]
    assert fed == [0, 500, 1000, 1200]


def test_a_socket_that_is_open_is_waited_at() -> None:
    node = Stepping(due_ms=70, ends_ms=140)
    node.open = True
    live(node)
    assert node.waits_ms == [70, 70]


def test_a_start_is_good_after_a_minute_and_then_once() -> None:
    node = Stepping(due_ms=20_000, ends_ms=200_000)
    crashes = live(node)
    assert crashes.forgotten_ms == [60_000]
    assert node.proven_at_ms == [60_000]


def test_a_start_is_proven_by_what_was_delivered_or_by_going_to_sleep() -> None:
    node = Stepping(due_ms=1000, ends_ms=5000)
    node.uplink.delivery.delivered = 1
    live(node)
    assert node.proven_at_ms == [0]
    node = Stepping(due_ms=1000, ends_ms=5000, sleeping=True)
    live(node)
    assert node.proven_at_ms == [0] and node.slept_ms == [1000] * 5


def test_safe_mode_proves_nothing() -> None:
    node = Stepping(due_ms=20_000, ends_ms=100_000)
    node.state = b"safe_mode"
    live(node)
    assert node.proven_at_ms == []
