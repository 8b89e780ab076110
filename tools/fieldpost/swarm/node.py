"""One node of a swarm: boots the firmware, and boots it again when that restarts."""

import random
from collections import Counter
from collections.abc import Callable
from typing import Any

from fieldpost.swarm.board import Restarted, SwarmBoard
from fieldpost.swarm.ledger import Ledger
from fieldpost.swarm.memory import MemoryFiles
from fieldpost.swarm.port import Select, Sockets, Time
from firmware import app
from firmware.clock import Clock
from firmware.log import ERROR, Log
from firmware.readings import record as reading

Key = tuple[int, int]
_AFTER_RESET_MS = 300


class Stopped(BaseException):
    """The swarm ends."""


class SwarmNode:
    """`accepted`: the readings that its outbox took, as (boot, seq). `node`: of this boot.

    settings: those of its configuration, checked. said: called with lines of its console.
    ledger: told of each reading.
    """

    def __init__(
        self,
        settings: dict[str, Any],
        parts: tuple[Time, Sockets, Select],
        dice: random.Random,
        said: Callable[[str, str], None],
        ledger: Ledger | None = None,
    ) -> None:
        self.name: str = settings["node"]
        self.accepted: set[Key] = set()
        self.boots = 0
        self.node: Any = None
        self._settings = settings
        self._parts = parts
        self._dice = dice
        self._said = said
        self._ledger = ledger
        # Where the firmware names a module, any object with its functions serves.
        self._files: Any = MemoryFiles()
        self._counts = {"reconnects": 0, "repeats": 0}
        self._causes: Counter[str] = Counter()
        self._dropped = 0

    def live(self) -> None:
        """Until `Stopped` is raised where it waits."""
        cause = "power-on"
        try:
            while True:
                try:
                    self._boot(cause)
                except Restarted:
                    cause = "hard"
                self._note_counts()
                self._parts[0].sleep_ms(_AFTER_RESET_MS)
        except Stopped:
            if self.node:
                self.node.link.close()

    @property
    def waiting(self) -> int:
        """Readings that have not been acknowledged."""
        return self.node.outbox.depth if self.node else 0

    @property
    def is_up(self) -> bool:
        """Whether it has a session now."""
        return bool(self.node and self.node.link.is_up)

    def counts(self) -> dict[str, int]:
        """`reconnects` and `repeats` over all its boots; `dropped`, which a boot takes over from
        the one before."""
        here = self._here()
        counts = {name: count + here.get(name, 0) for name, count in self._counts.items()}
        return counts | {"dropped": self.node.outbox.dropped if self.node else self._dropped}

    @property
    def causes(self) -> Counter[str]:
        """Why sessions ended, and tries failed, over all its boots: how often each."""
        return self._causes + Counter(self.node.link.causes if self.node else {})

    # Inside ------------------------------------------------------------------------------------

    def _boot(self, cause: str) -> None:
        """What `firmware.app.run` does, from the settings on."""
        self.boots += 1
        board = SwarmBoard(*self._parts, self._dice, cause)
        clock = Clock(board.time, True)
        log = Log(clock, lambda line: self._said(self.name, line))
        log.level = ERROR
        node = None
        try:
            node = app.build(board, clock, self._settings.copy(), log, self._files, None)
            self._watch(node)
            app.loop(node, clock, None, self._files)
        except Exception as error:
            self._said(self.name, f"failed: {error!r}")
            app.crashed(error, node, board, clock, log, self._files)

    def _watch(self, node: Any) -> None:
        self.node = node
        outbox = node.outbox
        put, acknowledge = outbox.put, outbox.acknowledge
        ledger = self._ledger

        def counted(record: bytes) -> bool:
            kept = put(record)
            if kept:
                key = reading.key(record)
                self.accepted.add(key)
                if ledger:
                    ledger.accepted(self.name, *key)
            return kept

        outbox.put = counted
        if ledger is None:
            return
        book = ledger

        def noted(number: int) -> None:
            # What it has dropped meanwhile is not among these.
            records = [outbox.peek(one) for one in range(outbox.first, number + 1)]
            for record in filter(None, records):
                book.acknowledged(self.name, *reading.key(record))
            acknowledge(number)

        outbox.acknowledge = noted

    def _here(self) -> dict[str, int]:
        node = self.node
        if node is None:
            return {}
        link = node.link
        return {
            "reconnects": link.reconnects,
            "repeats": link.session.repeats,
        }

    def _note_counts(self) -> None:
        for name, count in self._here().items():
            self._counts[name] += count
        if self.node:
            self._causes.update(self.node.link.causes)
            self._dropped = self.node.outbox.dropped
        self.node = None
