"""What is done with a board that the page has: the firmware, its configuration, its first reading.

Each step is that of `fieldpost deploy` and `fieldpost provision`, with their checks and refusals.
"""

import base64
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fieldpost.board import files as board_files
from fieldpost.board import find as boards
from fieldpost.board.link import BoardLink
from fieldpost.board.ports import port_named
from fieldpost.board.reach import reach
from fieldpost.config import pins
from fieldpost.deploy.deployment import Wish, deploy
from fieldpost.errors import BadConfig, CommandError, NotFlashed, NotMeasuring, Usage
from fieldpost.flash import flashing
from fieldpost.flash.flashing import Limits
from fieldpost.node_start import tell, watch
from fieldpost.paths import ROOT
from fieldpost.provision import over_board
from fieldpost.provision.node_files import NodeFiles, put_on_board, read_from_board
from fieldpost.provision.over_board import Wanted
from fieldpost.serve.set_up import judge
from fieldpost.serve.set_up.wording import on_page

_READY_S = 30.0
# A port that a browser has opened stays at the rate at which it was.
_BAUD = 115_200
_ASK_S = 3.0
_ANSWERS_S = 60.0
_FILE_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
Tell = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class Told:
    """What the work on a board shows of itself, for a page."""

    tell: Tell

    def say(self, where: str, text: str) -> None:
        """A sentence."""
        self.tell({"kind": "say", "text": on_page(text, where)})

    def progress(self, where: str, what: str, done: int, total: int | None) -> None:
        """How far a step is."""
        self.tell({"kind": "progress", "text": what, "done": done, "total": total})

    def count_down(self, where: str, what: str, left_s: float, total_s: float) -> None:
        """How long it is waited for."""
        self.progress(where, what, int(total_s - left_s), int(total_s))


def tell_end(work: Callable[[], dict[str, Any]], tell: Tell, where: str = "") -> None:
    """Do it, and tell how it ended. where: what is not to be named in it, but as the board."""
    try:
        done = work()
    except CommandError as error:
        tell({"kind": "failed", "text": on_page(str(error), where)})
        return
    except Exception as error:  # A fault of ours, which the page must not wait for.
        tell({"kind": "failed", "text": f"a fault of Fieldpost: {type(error).__name__}"})
        raise
    tell({"kind": "done", **done})


@dataclass(frozen=True)
class Source:
    """What a board gets. root: the firmware. flashes: MicroPython, too, before it. image: which,
    None: the catalogue's for its chip. volume: where a Pico's drive is, None: wherever drives are
    mounted. limits: how long its drive is waited for."""

    root: Path = ROOT
    flashes: bool = False
    image: Path | None = None
    volume: Path | None = None
    limits: Limits = field(default_factory=Limits)


def wanted_of(told: dict[str, Any]) -> Wanted:
    """As the page sends it. Raises CommandError if something of it is missing."""
    config, secrets, files = told.get("config"), told.get("secrets"), told.get("files", {})
    if not (isinstance(config, dict) and isinstance(secrets, dict) and isinstance(files, dict)):
        raise Usage("the configuration is missing")
    try:
        contents = {name: base64.b64decode(text, validate=True) for name, text in files.items()}
    except (ValueError, TypeError):
        raise Usage("a certificate came damaged") from None
    if any(not name or not _FILE_NAME.fullmatch(name) for name in contents):
        raise Usage("a certificate has no name that a board could have")
    return Wanted(config, secrets, contents, told.get("fresh") is not True)


def set_up(port: str, wanted: Wanted, source: Source, tell_page: Tell) -> dict[str, Any]:
    """Do all of it; how the node has started. Raises CommandError saying what went wrong."""
    # What is wrong by itself is found before the board is stopped; what a board with MicroPython
    # keeps, or what its pins refuse, before anything is written to it.
    judged = judge.judged(wanted.config, wanted.secrets)
    if judged.errors:
        raise BadConfig("\n".join(str(one) for one in judged.errors))
    screen = Told(tell_page)
    if source.flashes:
        _bring_micropython(port, source.image, screen)
    with reach(port, screen, 0) as link:
        _files(link, wanted)
    outcome = deploy(port, Wish(root=source.root, start=False), screen)
    screen.say(port, outcome.text)
    if not outcome.ok:
        raise CommandError(outcome.text, outcome.code)
    with reach(port, screen, 0) as link:
        files = _files(link, wanted)
        put_on_board(link, files.contents())
        screen.say(port, f"Configured as {files.config['node']}")
        node = watch.restart(link, screen, _READY_S)
    if not node.ready:
        raise NotMeasuring(f"its files are there, but the node {node.why}")
    return {
        "node": files.config["node"],
        "reading": tell.values(node) if node.reading is not None else None,
        "waits": None if node.is_delivered else tell.no_broker(node),
        "is_held_up": node.held_up is not None,
        "lacks": [on_page(one, port) for one in tell.lacks(node, port)],
    }


def _files(link: BoardLink, wanted: Wanted) -> NodeFiles:
    """For this board, with what it has already."""
    names = board_files.list_files(link)
    there = read_from_board(link, names) if wanted.keeps else (None, None)
    return over_board.make(wanted, there, names, pins.chip_on(link))


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
