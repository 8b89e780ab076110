"""How long a board is waited for."""

import time

from fieldpost.board import met
from fieldpost.board.errors import PortUnavailable
from fieldpost.board.ports import Port, present_name, there_is_no
from fieldpost.board.screen import Screen

WAIT_S = 600.0
# For a port that no board was met at: in it, one that was restarted just now is back.
_RESTART_S = 3.0
_LOOK_AGAIN_S = 0.1


def wait_s(port: Port, asked_s: float | None, screen: Screen) -> float:
    """The seconds for which the board at this port is waited for: those that were asked for, else
    WAIT_S.

    By itself that is for a board that is silent, or whose port is away where it was before. A name
    that may be mistyped gets no more than a restart takes: raises PortUnavailable then.
    """
    if asked_s is not None:
        return asked_s
    if present_name(port) is None and not met.was_met_at(port):
        _await_restart(port, screen)
    return WAIT_S


def _await_restart(port: Port, screen: Screen) -> None:
    end = time.monotonic() + _RESTART_S
    while present_name(port) is None:
        left_s = end - time.monotonic()
        if left_s <= 0:
            raise PortUnavailable(
                f"{there_is_no(port.device)} A board with USB of its own has none while it "
                "sleeps: --wait SECONDS waits for that",
                "board_port",
            )
        screen.count_down(port.device, "there is no such port yet", left_s, _RESTART_S)
        time.sleep(_LOOK_AGAIN_S)
