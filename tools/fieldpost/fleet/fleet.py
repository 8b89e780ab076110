"""A fleet: the boards of a file that are connected, each made what the file says of it.

Several at once, each on its own: what fails on one stops none of the others. Nobody is asked
anything.
"""

import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Protocol

from fieldpost.board import find as boards
from fieldpost.board.find import Board
from fieldpost.board.link import BoardError
from fieldpost.board.ports import port_named
from fieldpost.errors import CommandError, NotWritten
from fieldpost.flash import esp, flashing, images
from fieldpost.fleet import board as fleet_board
from fieldpost.fleet.board import Source
from fieldpost.fleet.file import Node, plain_id

JOBS = 4
_MAC_DIGITS = 12
_ASK_S = 5.0
# Nobody is there to press BOOTSEL.
_LIMITS = flashing.Limits(hand_s=1.0)

State = Literal[
    "absent",  # not connected
    "up to date",  # nothing to do, nothing done
    "to do",  # `apply` would do what the text says
    "done",
    "failed",
]


class Screen(flashing.Screen, Protocol):
    """Where the state of affairs is shown; `where` is the name of a node, or of the fleet."""

    def finished(self, where: str) -> None:
        """No more to come from `where`."""


@dataclass(frozen=True)
class Result:
    """What became of one node. changes: what was done, or is to do, in words. log: its file.
    code: that of the error, as fieldpost/result.py lists them."""

    name: str
    id: str
    state: State
    text: str = ""
    port: str | None = None
    micropython: str | None = None
    changes: list[str] = field(default_factory=list)
    seconds: float = 0.0
    log: str | None = None
    code: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Every field."""
        return asdict(self)


@dataclass(frozen=True)
class Report:
    """nodes: in the order of the file. others: boards that are connected and not in it."""

    nodes: list[Result]
    others: list[Board]

    @property
    def ok(self) -> bool:
        """Whether none failed. An absent board is no failure."""
        return all(result.state != "failed" for result in self.nodes)


class NodeLog:
    """A `Screen` for one board: everything into the node's log, the steps onto the screen too."""

    def __init__(self, node: str, screen: Screen, folder: Path | None) -> None:
        self.path: Path | None = None
        self._node = node
        self._screen = screen
        self._step = ""
        if folder:
            try:
                folder.mkdir(parents=True, exist_ok=True)
                self.path = folder / f"{node}.log"
                self._write(f"--- {time.strftime('%Y-%m-%d %H:%M:%S')}")
            except OSError as error:
                raise NotWritten(f"cannot write to {folder}: {error.strerror}") from None

    def say(self, where: str, text: str) -> None:
        """Into the log alone."""
        self._write(text)

    def progress(self, where: str, what: str, done: int, total: int | None) -> None:
        """Each step once into the log."""
        if what != self._step:
            self._step = what
            self._write(what)
        self._screen.progress(self._node, what, done, total)

    def count_down(self, where: str, what: str, left_s: float, total_s: float) -> None:
        """As `progress`: how long is left is of no interest in a log."""
        self.progress(where, what, 0, None)

    def _write(self, text: str) -> None:
        if self.path:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(f"{time.strftime('%H:%M:%S')} {text}\n")


class Fleet:
    """The nodes of a file, and the boards that are connected.

    logs: a folder for a log of each board that is worked on; None: no logs.
    jobs: how many boards at once. ports: to look at instead of all.
    """

    def __init__(
        self,
        nodes: list[Node],
        screen: Screen,
        *,
        logs: Path | None = None,
        jobs: int = JOBS,
        ports: Iterable[str] = (),
        source: Source | None = None,
    ) -> None:
        self._nodes = nodes
        self._screen = screen
        self._logs = logs
        self._jobs = jobs
        self._ports = list(ports)
        self._source = source or Source()
        self._one_pico = threading.Lock()
        self._node_logs: dict[str, NodeLog] = {}
        self._results = {node.name: Result(node.name, node.id, "absent") for node in nodes}
        self._by_id = {node.id: node for node in nodes}

    def plan(self) -> Report:
        """What `apply` would do. Nothing is written to a board, and none is reset."""
        found, others = self._survey(wake=False)
        self._each(found, self._plan_one)
        return self._report(others)

    def apply(self) -> Report:
        """Flash, configure and deploy what is not as it should be."""
        found, others = self._survey(wake=True)
        self._each(found, self._flash_one)
        if any(result.changes for result in self._results.values()):
            # Flashed boards may have come back under other names. Nobody is busy now.
            again, _ = self._survey(wake=False)
            found = {name: again.get(name, board) for name, board in found.items()}
        ready = {n: b for n, b in found.items() if self._results[n].state != "failed"}
        self._each(ready, self._bring_one)
        return self._report(others)

    def _survey(self, wake: bool) -> tuple[dict[str, Board], list[Board]]:
        """Boards by the name of their node, and those that belong to none."""
        self._screen.progress("fleet", "asking the boards", 0, None)
        told = boards.find(self._ports, limit_s=_ASK_S)
        if wake:
            told = self._woken(told)
        found: dict[str, list[Board]] = {}
        others = []
        for board in told:
            node = self._node_of(board)
            if node:
                found.setdefault(node.name, []).append(board)
            elif board.state != "not asked":
                others.append(board)
        self._screen.finished("fleet")
        one_each = {}
        for name, several in found.items():
            one_each[name] = several[0]
            if len(several) > 1:
                ports = ", ".join(board.port for board in several)
                self._fail(
                    name,
                    f"{ports} have this id, as bridges of one make do: use the uid",
                    "several_boards",
                )
                del one_each[name]
        return one_each, others

    def _node_of(self, board: Board) -> Node | None:
        """By the chip's own number, else by that of its USB port, which may be a bridge's."""
        for number in (board.uid, board.serial):
            if number and (node := self._by_id.get(plain_id(number))):
                return node
        return None

    def _woken(self, told: list[Board]) -> list[Board]:
        """Reset what is silent and may be an ESP32 of ours: asleep, it can then be asked; without
        MicroPython, its ROM at least tells its MAC."""
        present = {node.id for board in told if (node := self._node_of(board))}
        missing = any(len(id) == _MAC_DIGITS for id in self._by_id.keys() - present)

        def one(board: Board) -> Board:
            kind = port_named(board.port).kind
            ours = self._node_of(board) is not None or missing
            if (
                board.state not in ("silent", "bootloader")
                or not ours
                or not (kind in ("espressif", "bridge") or board.port in self._ports)
            ):
                return board
            self._screen.progress("fleet", f"asking the chip on {board.port}", 0, None)
            try:
                mac = esp.identify(board.port).mac
            except CommandError:
                return board  # it is no ESP32
            again = boards.ask(port_named(board.port), _ASK_S)
            return again if again.uid else replace(again, uid=mac)

        with ThreadPoolExecutor(self._jobs) as pool:
            return list(pool.map(one, told))

    def _each(self, found: dict[str, Board], work: Callable[[Node, Board, NodeLog], None]) -> None:
        """`work` on every board, several at once; what one of them raises is its own failure."""
        by_name = {node.name: node for node in self._nodes}

        def one(name: str, board: Board) -> None:
            begin = time.monotonic()
            try:
                log = self._log_of(name)
                self._update(name, port=board.port, log=str(log.path) if log.path else None)
                work(by_name[name], board, log)
            except CommandError as error:
                self._fail(name, str(error), error.code)
            except Exception as error:  # a fault of ours must not stop the other boards
                self._fail(name, f"a fault in fieldpost: {type(error).__name__}: {error}", "fault")
            seconds = self._results[name].seconds + time.monotonic() - begin
            self._update(name, seconds=round(seconds, 1))
            self._screen.finished(name)

        with ThreadPoolExecutor(self._jobs) as pool:
            jobs = [pool.submit(one, *pair) for pair in found.items()]
            try:
                for job in jobs:
                    job.result()
            except KeyboardInterrupt:
                # Those at work are let finish: each of their waits has a limit.
                for job in jobs:
                    job.cancel()
                raise

    def _plan_one(self, node: Node, board: Board, log: NodeLog) -> None:
        changes = _image_change(node, board)
        if board.state == "micropython":
            log.progress(board.port, "comparing", 0, None)
            changes += fleet_board.compare(board.port, node, self._source)
        else:
            changes = [f"{board.state}: `apply` resets it to see whether it sleeps or is empty"]
        state: State = "to do" if changes else "up to date"
        self._update(
            node.name,
            state=state,
            text="; ".join(changes),
            changes=changes,
            micropython=board.micropython,
        )

    def _flash_one(self, node: Node, board: Board, log: NodeLog) -> None:
        self._update(node.name, micropython=board.micropython)
        changes = _image_change(node, board)
        if not changes:
            return
        wanted = node.micropython
        wish = flashing.Wish(wanted.image, wanted.version, wanted.board, limits=_LIMITS)
        if flashing.is_pico(board.port):
            with self._one_pico:
                outcome = flashing.flash(board.port, wish, log)
        else:
            outcome = flashing.flash(board.port, wish, log)
        if not outcome.ok:
            raise CommandError(outcome.text, outcome.code)
        self._update(node.name, changes=changes, micropython=outcome.micropython)

    def _bring_one(self, node: Node, board: Board, log: NodeLog) -> None:
        changes, ready = fleet_board.bring(board.port, node, self._source, log)
        changes = self._results[node.name].changes + changes
        text = "; ".join(changes) + (f" ({ready})" if ready else "")
        self._update(
            node.name, state="done" if changes else "up to date", text=text, changes=changes
        )

    def _log_of(self, name: str) -> NodeLog:
        """One for the whole run. Each node is worked on by one thread at a time."""
        if name not in self._node_logs:
            self._node_logs[name] = NodeLog(name, self._screen, self._logs)
        return self._node_logs[name]

    def _report(self, others: list[Board]) -> Report:
        for name, log in self._node_logs.items():
            log.say(name, f"{self._results[name].state}: {self._results[name].text}")
        return Report(list(self._results.values()), others)

    def _update(self, name: str, **values: Any) -> None:
        self._results[name] = replace(self._results[name], **values)

    def _fail(self, name: str, text: str, code: str) -> None:
        self._update(name, state="failed", text=text, code=code)


def _image_change(node: Node, board: Board) -> list[str]:
    """What is to be done about the board's MicroPython; [] if nothing. Raises CommandError."""
    if board.state in ("unavailable", "chatty"):
        raise BoardError(board.detail, board.code)
    wanted = node.micropython
    version = wanted.version.removeprefix("v") if wanted.version else None
    if wanted.image:
        version = images.examine(wanted.image).version
    if board.state != "micropython":
        return [f"MicroPython {version or '(the newest)'}: there is none"]
    if version and board.micropython != version:
        return [f"MicroPython {board.micropython} → {version}"]
    return []
