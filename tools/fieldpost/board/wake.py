"""A board that sleeps, asked what it is at its next wake."""

from fieldpost.board.find import Board, asked
from fieldpost.board.link import CONNECT_S
from fieldpost.board.ports import port_named
from fieldpost.board.reach import reach
from fieldpost.board.screen import Screen


def ask_at_wake(
    port: str,
    screen: Screen,
    wait_s: float | None,
    *,
    resume: bool = True,
    connect_s: float = CONNECT_S,
) -> Board:
    """What runs there. The board may have come back on another port.

    resume: let its program run again; else it is at its prompt then, and does not fall asleep.
    Raises BoardError, as `reach` does.
    """
    with reach(port, screen, wait_s, connect_s) as link:
        known = port_named(link.port)
        found = asked(link, Board(link.port, "silent", known.description, known.serial))
        link.was_running = link.was_running and resume
    return found
