"""What is done with a board that the page has: the firmware, its configuration, its first reading.

Each step is that of `fieldpost deploy` and `fieldpost provision`, with their checks and refusals.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fieldpost.board import files as board_files
from fieldpost.board import find as boards
from fieldpost.board.ports import port_named
from fieldpost.board.reach import reach
from fieldpost.config import pins
from fieldpost.deploy.deployment import Wish, deploy
from fieldpost.errors import CommandError, NotFlashed, NotMeasuring, Usage
from fieldpost.flash import flashing
from fieldpost.mqtt.tls import ClientFiles
from fieldpost.node_start import tell, watch
from fieldpost.paths import ROOT
from fieldpost.provision.node_files import (
    VARIABLES,
    Answers,
    check_answer,
    make,
    put_on_board,
    read_from_board,
)

_READY_S = 30.0
# A port that a browser has opened stays at the rate at which it was.
_BAUD = 115_200
_ASK_S = 3.0
_ANSWERS_S = 60.0
Tell = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class Told:
    """What the work on a board shows of itself, for a page."""

    tell: Tell

    def say(self, where: str, text: str) -> None:
        """A sentence."""
        self.tell({"kind": "say", "text": text.replace(where, "the board")})

    def progress(self, where: str, what: str, done: int, total: int | None) -> None:
        """How far a step is."""
        self.tell({"kind": "progress", "text": what, "done": done, "total": total})

    def count_down(self, where: str, what: str, left_s: float, total_s: float) -> None:
        """How long it is waited for."""
        self.progress(where, what, int(total_s - left_s), int(total_s))


@dataclass(frozen=True)
class Source:
    """What a board gets. root: the firmware. flashes: MicroPython, too, before it. image: which,
    None: the catalogue's for its chip."""

    root: Path = ROOT
    flashes: bool = False
    image: Path | None = None


def refusal(name: str, value: str) -> str | None:
    """What is wrong with one answer, by the firmware's own schema; None: nothing."""
    if name not in VARIABLES:
        return "there is no such question"
    try:
        check_answer(name, value, ClientFiles())
    except CommandError as error:
        return str(error)
    return None


def answers_of(told: dict[str, Any]) -> Answers:
    """As the page sends them. Raises CommandError if one is missing."""
    found: dict[str, str] = {}
    for name in VARIABLES:
        value = told.get(name)
        if not isinstance(value, str):
            raise Usage(f"the {name} is missing")
        found[name] = value
    return Answers(**found)


def set_up(port: str, answers: Answers, source: Source, tell_page: Tell) -> dict[str, Any]:
    """Do all of it; how the node has started. Raises CommandError saying what went wrong."""
    make(answers)  # Wrong answers are found before the board is stopped.
    screen = Told(tell_page)
    if source.flashes:
        _bring_micropython(port, source.image, screen)
    outcome = deploy(port, Wish(root=source.root, start=False), screen)
    screen.say(port, outcome.text)
    if not outcome.ok:
        raise CommandError(outcome.text, outcome.code)
    with reach(port, screen, 0) as link:
        known = read_from_board(link, board_files.list_files(link))
        files = make(answers, None, *known, pins.chip_on(link))
        put_on_board(link, files.contents())
        screen.say(port, f"configured as {files.config['node']}")
        node = watch.restart(link, screen, _READY_S)
    if not node.ready:
        raise NotMeasuring(f"its files are there, but the node {node.why}")
    return {
        "node": files.config["node"],
        "reading": tell.values(node) if node.reading is not None else None,
        "is_delivered": node.is_delivered,
        "lacks": tell.lacks(node, port),
    }


def _bring_micropython(port: str, image: Path | None, screen: Told) -> None:
    """Onto a chip that the page has put into its bootloader; and start it, by the page's hand."""
    wish = flashing.Wish(image=image, baud=_BAUD, reset=False)
    done = flashing.flash(port, wish, screen)
    if not done.ok:
        raise NotFlashed(done.text, done.code)
    screen.tell({"kind": "reset"})
    screen.progress(port, "waiting for MicroPython to answer", 0, None)
    end = time.monotonic() + _ANSWERS_S
    while time.monotonic() < end:
        if boards.ask(port_named(port), _ASK_S).state == "micropython":
            return
    raise NotFlashed(
        f"{done.image} was written, but no MicroPython answers: press the board's RESET button, "
        "and set it up again without MicroPython"
    )
