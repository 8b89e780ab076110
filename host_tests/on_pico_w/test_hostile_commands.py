"""The node on the genuine Pico W image that is told anything at all answers each in words."""

from __future__ import annotations

import pytest
from rigs import hostile_commands
from rigs.pico_w import NODE, Desk, board_files, configuration

pytestmark = [pytest.mark.board, pytest.mark.timeout(120)]


def test_any_command_at_all_is_refused_in_words_and_nothing_restarts() -> None:
    with Desk(board_files(configuration(watchdog_s=8))) as desk:
        desk.console.wait_for("delivered 1 readings", 60)
        hostile_commands.check(hostile_commands.answers(NODE, desk.broker))
        said = "\n".join(desk.console.lines)
        assert "Traceback" not in said and "MemoryError" not in said, said[-2000:]
        assert desk.board.stats()["resets"] == 0
