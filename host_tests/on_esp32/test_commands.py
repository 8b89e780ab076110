"""A node on a genuine ESP32-C3 image that is told things: answers, restarts, settings on trial."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from rigs import hostile_commands
from rigs.commanded_node import Results
from rigs.emulated import Bench
from rigs.esp32_c3 import NODE, afresh, board_files, configuration, running

from fieldpost.messages.cmd import send

pytestmark = pytest.mark.timeout(240)

_READY_S = 40.0


def _tell(desk: Bench, do: str, **arguments: Any) -> dict[str, Any]:
    return send(NODE, do, arguments, broker=desk.broker.url, timeout_s=20)


@afresh
def test_commands_are_answered_and_a_restart_goes_on_with_what_was_set(genuine: Path) -> None:
    with running(genuine, board_files(configuration(commands="all", sample_s=2))) as desk:
        desk.console.wait_for("delivered ", _READY_S)
        assert _tell(desk, "get", key="sample_s")["value"] == 2
        assert _tell(desk, "set", key="sample_s", value=3)["ok"]
        assert "unknown command dance" in _tell(desk, "dance")["error"]
        at = len(desk.console.lines)
        assert _tell(desk, "restart")["ok"]
        at = desk.console.wait_for("reset: hard", _READY_S, at)
        at = desk.console.wait_for(", boot 2", _READY_S, at)
        desk.console.wait_for("delivered ", _READY_S, at)
        assert _tell(desk, "get", key="sample_s")["value"] == 3
        # Nothing that was taken before the restart is missing after it.
        taken = set(desk.taken())
        desk.wait(lambda: taken <= desk.account.delivered.keys(), 20, "all that was taken")


@afresh
def test_a_mistyped_broker_is_taken_back_by_the_node_itself(genuine: Path) -> None:
    files = board_files(configuration(commands="all"), main="short_trial.py")
    with running(genuine, files) as desk:
        desk.console.wait_for("delivered ", _READY_S)
        with Results(NODE, desk.broker) as results:
            answer = _tell(desk, "set", key="mqtt.port", value=1)
            assert answer["ok"] and answer["on_trial"]
            at = desk.console.wait_for(", boot 2", _READY_S)
            desk.console.wait_for(", boot 3", _READY_S, at)
            told = results.next()
            while told["id"] != answer["id"] or told["ok"]:
                told = results.next()
        assert "the setting before is back" in told["error"]
        config = json.loads(desk.board.read_files()["/config.json"])
        assert config["mqtt"]["port"] == 1883


@afresh
def test_any_command_at_all_is_refused_in_words_and_nothing_restarts(genuine: Path) -> None:
    with running(genuine, board_files(configuration(sample_s=5))) as desk:
        desk.console.wait_for("delivered ", _READY_S)
        hostile_commands.check(hostile_commands.answers(NODE, desk.broker))
        said = "\n".join(desk.console.lines)
        assert "Traceback" not in said and "MemoryError" not in said, said[-2000:]
        assert desk.board.stats()["resets"] == 0
