"""Which board a command is for: its options on the command line, and the port that is meant."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from fieldpost.errors import CommandError, NoBoard, SeveralBoards

if TYPE_CHECKING:
    from fieldpost.board.link import BoardLink
    from fieldpost.board.screen import OwnScreen


def complete_ports(incomplete: str) -> list[tuple[str, str]]:
    """For the shell."""
    from fieldpost.board.ports import complete

    return complete(incomplete)


PortOption = Annotated[
    str | None,
    typer.Option(
        help="The board's port; by itself, the one that is connected.",
        autocompletion=complete_ports,
    ),
]
WaitOption = Annotated[
    float | None,
    typer.Option(
        min=0,
        help="Seconds to wait for a board that sleeps; 0: not at all. By itself 600, but a port "
        "that is not there, nor was before, is waited for no longer than a restart takes.",
    ),
]


def targets(
    named: list[str],
    every: bool,
    screen: "OwnScreen | None" = None,
    wait_s: float | None = 0.0,
) -> list[str]:
    """The ports of the boards that are meant.

    screen, wait_s: where there is none, one is waited for so long, if a person looks on, who can
    plug it in. Raises CommandError if there is none or it isn't clear which.
    """
    if named:
        return named
    ports = _candidates()
    if not ports and screen and wait_s != 0 and sys.stderr.isatty():
        ports = _await(screen, wait_s)
    if not ports:
        raise NoBoard(
            "no board was found. Plug one in with a cable that carries data; one that is new "
            "needs MicroPython first: fieldpost flash"
        )
    if len(ports) > 1 and not every:
        listed = "\n".join(f"  {port}  {usb}" for port, usb in ports)
        raise SeveralBoards(
            f"several boards are connected:\n{listed}\nChoose with --port, or take all: --all"
        )
    return [port for port, _ in ports]


def the_port(
    port: str | None, screen: "OwnScreen | None" = None, wait_s: float | None = 0.0
) -> str:
    """The one port that is meant. Raises CommandError as `targets` does."""
    return targets([port] if port else [], False, screen, wait_s)[0]


def the_board(port: str | None, screen: "OwnScreen", wait_s: float | None = None) -> "BoardLink":
    """The one board that is meant, in its raw REPL; one that sleeps is woken or waited for, as
    patience.py says."""
    from fieldpost.board.reach import reach

    where = the_port(port, screen, wait_s)
    link = reach(where, screen, wait_s)
    screen.finished(where)
    return link


@contextmanager
def told_of_restart(link: "BoardLink") -> Iterator[None]:
    """Whoever is refused something within, about a node that was stopped to be asked, is told that
    it runs again."""
    from fieldpost.board.errors import BoardError

    try:
        yield
    except BoardError:
        raise  # What the board does then, that itself says.
    except CommandError as error:
        if link.was_running:
            error.args = (f"{error}\nIts node was stopped to be asked, and is started again.",)
        raise


def _candidates() -> list[tuple[str, str]]:
    """(port, what USB calls it) of all that may be boards."""
    from fieldpost.board import find
    from fieldpost.board.ports import port_named

    found = [b for b in find.find(ask=False) if b.state == "not asked" and b.chip is None]
    return [(b.port, b.usb) for b in found if port_named(b.port).may_be_a_board]


def _await(screen: "OwnScreen", asked_s: float | None) -> list[tuple[str, str]]:
    from fieldpost.board.patience import WAIT_S
    from fieldpost.board.reach import LOOK_AGAIN_S

    wait_s = WAIT_S if asked_s is None else asked_s
    where = "USB"
    screen.say(
        where,
        "no board is connected. Plug one in with a cable that carries data. One that sleeps may "
        "have a port only while it is awake: its RESET button ends the wait.",
    )
    end = time.monotonic() + wait_s
    ports: list[tuple[str, str]] = []
    while not ports and (left_s := end - time.monotonic()) > 0:
        screen.count_down(where, "waiting for a board", left_s, wait_s)
        time.sleep(LOOK_AGAIN_S)
        ports = _candidates()
    screen.finished(where)
    return ports
