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
from typing import Any, Literal

from fieldpost.board import find as boards
from fieldpost.board.errors import BoardError
from fieldpost.board.find import Board
from fieldpost.board.wake import ask_at_wake
from fieldpost.errors import CommandError
from fieldpost.flash import flashing, images
from fieldpost.fleet import board as fleet_board
from fieldpost.fleet import wake
from fieldpost.fleet.board import Source
from fieldpost.fleet.file import Node, plain_id
from fieldpost.fleet.wake import NodeLog, Screen

JOBS = 4
_MAC_DIGITS = 12
# Nobody is there to press BOOTSEL.
_LIMITS = flashing.Limits(hand_s=1.0)

State = Literal[
    "absent",  # not connected
    "up to date",  # nothing to do, nothing done
    "to do",  # `apply` would do what the text says
    "done",
    "failed",
]


@dataclass(frozen=True)
class Result:
    """What became of one node. changes: what was done, or is to do, in words. log: its file.
    code: that of the error, as fieldpost/terminal/result.py lists them."""

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
    def failure(self) -> tuple[str, str] | None:
        """Its code and its text; None: there is none. A board that is absent is no failure, and a
        port that was named and does not exist is one."""
        failed = [one.name for one in self.nodes if one.state == "failed"]
        if failed:
            return "some_failed", f"failed: {', '.join(failed)}"
        no_ports = [one.detail for one in self.others if one.code == "board_port"]
        return ("board_port", " ".join(no_ports)) if no_ports else None


class Fleet:
    """The nodes of a file, and the boards that are connected.

    logs: a folder for a log of each board that is worked on; None: no logs.
    jobs: how many boards at once. ports: to look at instead of all. wait_s: how long `apply` waits
    for the wake of a board that sleeps; 0: not at all.
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
        wait_s: float | None = 0.0,
    ) -> None:
        self._nodes = nodes
        self._screen = screen
        self._logs = logs
        self._jobs = jobs
        self._ports = list(ports)
        self._source = source or Source()
        self._wait_s = wait_s
        self._ended = threading.Event()
        self._one_pico = threading.Lock()
        self._node_logs: dict[str, NodeLog] = {}
        self._results = {node.name: Result(node.name, node.id, "absent") for node in nodes}
        self._by_id = {node.id: node for node in nodes}

    def plan(self) -> Report:
        """What `apply` would do. Nothing is written to a board, and none is reset."""
        found, others = self._survey(is_to_wake=False)
        self._each(found, self._plan_one)
        return self._report(others)

    def apply(self) -> Report:
        """Flash, configure and deploy what is not as it should be."""
        found, others = self._survey(is_to_wake=True)
        self._each(found, self._flash_one)
        if any(result.changes for result in self._results.values()):
            # Flashed boards may have come back under other names. Nobody is busy now.
            again, _ = self._survey(is_to_wake=False)
            found = {name: again.get(name, board) for name, board in found.items()}
        ready = {n: b for n, b in found.items() if self._results[n].state != "failed"}
        self._each(ready, self._bring_one)
        return self._report(others)

    def _survey(self, is_to_wake: bool) -> tuple[dict[str, Board], list[Board]]:
        """Boards by the name of their node, and those that belong to none."""
        self._screen.progress("fleet", "asking the boards", 0, None)
        told = boards.find(self._ports, limit_s=wake.ASK_S)
        if is_to_wake:
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
        """What is silent and may be ours is had to answer, if it can be."""
        present = {node.id for board in told if (node := self._node_of(board))}
        missing = self._by_id.keys() - present
        misses_esp32 = any(len(id) == _MAC_DIGITS for id in missing)

        def one(board: Board) -> Board:
            is_ours = self._node_of(board) is not None
            is_named = board.port in self._ports
            if (is_ours or misses_esp32) and (again := wake.reset(board, is_named, self._screen)):
                return again
            if is_named and (is_ours or missing) and self._wait_s != 0:
                return wake.awaited(board, self._screen, self._wait_s, self._ended)
            return board

        with ThreadPoolExecutor(self._jobs) as pool:
            try:
                return list(pool.map(one, told))
            except KeyboardInterrupt:
                self._ended.set()
                raise

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
            # What is awake is not kept from its work by what has to be waited for.
            in_order = sorted(found.items(), key=lambda pair: wake.may_sleep(pair[1]))
            jobs = [pool.submit(one, *pair) for pair in in_order]
            try:
                for job in jobs:
                    job.result()
            except KeyboardInterrupt:
                # Those at work are let finish, each of their steps has a limit; and those that are
                # waited for are not waited for.
                self._ended.set()
                for job in jobs:
                    job.cancel()
                raise

    def _plan_one(self, node: Node, board: Board, log: NodeLog) -> None:
        changes = _image_change(node, board)
        if board.state == "micropython":
            log.progress(board.port, "comparing", 0, None)
            changes += fleet_board.compare(board.port, node, self._source)
        else:
            changes = [f"{board.state}: `apply` wakes it, or waits for its wake, if it sleeps"]
        state: State = "to do" if changes else "up to date"
        self._update(
            node.name,
            state=state,
            text="; ".join(changes),
            changes=changes,
            micropython=board.micropython,
        )

    def _flash_one(self, node: Node, board: Board, log: NodeLog) -> None:
        if self._wait_s != 0 and wake.may_sleep(board):
            if not (node.micropython.version or node.micropython.image):
                return  # It is waited for once, to be brought the rest.
            board = ask_at_wake(board.port, log, self._wait_s)
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
        changes, ready = fleet_board.bring(board.port, node, self._source, log, self._wait_s)
        changes = self._results[node.name].changes + changes
        text = "; ".join(changes) + (f" ({ready})" if ready else "")
        self._update(
            node.name, state="done" if changes else "up to date", text=text, changes=changes
        )

    def _log_of(self, name: str) -> NodeLog:
        """One for the whole run. Each node is worked on by one thread at a time."""
        if name not in self._node_logs:
            self._node_logs[name] = NodeLog(name, self._screen, self._logs, self._ended)
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
