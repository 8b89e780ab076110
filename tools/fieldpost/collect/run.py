"""Runs a collector until it is told to end: its threads, its signals, its account."""

import hashlib
import platform
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

from fieldpost.collect.collector import Storing
from fieldpost.collect.ending import Ending, Limits
from fieldpost.collect.intake import Intake
from fieldpost.collect.keeping import Keeping
from fieldpost.collect.message import Reader
from fieldpost.collect.metrics import Metrics
from fieldpost.collect.sources import choose
from fieldpost.collect.sources.address import DEFAULT_QUEUE, SourceAddress
from fieldpost.collect.sources.mqtt.share import shared
from fieldpost.collect.sources.source import Source
from fieldpost.collect.told import Told
from fieldpost.store.address import StoreAddress
from fieldpost.store.late import LateStore
from fieldpost.store.rows import Written

_LOOK_S = 0.25
# What has arrived is stored at the end, if the store takes it.
_LAST_COMMITS_S = 20.0


@dataclass(frozen=True)
class Wish:
    """source: from where readings come. queue: the one that a cluster has for all collectors.
    limits: after which it ends by itself. client_id: None takes one that is the same each time.
    keep_s: what came longer ago goes; None: all stays. share: the group of collectors among which
    readings are divided; None for none. leaves: store what the broker has kept for us, and go."""

    source: SourceAddress
    store: StoreAddress
    base: str = "fieldpost"
    client_id: str | None = None
    limits: Limits = field(default_factory=Limits)
    keep_s: float | None = None
    queue: str = DEFAULT_QUEUE
    share: str | None = None
    leaves: bool = False

    @property
    def session_id(self) -> str:
        """The same for the same store on the same machine, so that the broker knows us again."""
        if self.client_id:
            return self.client_id
        file = self.store.file
        place = str(file.resolve()) if file else self.store.shown
        named = f"{platform.node()}\n{place}\n{self.base}"
        return f"collect-{hashlib.sha256(named.encode()).hexdigest()[:12]}"

    def topics(self, reader: Reader) -> list[str]:
        """The readings' first. Events are never divided: what is retained no group is sent."""
        first, *others = reader.topics()
        return [shared(self.share, first) if self.share else first, *others]


@dataclass(frozen=True)
class Running:
    """The parts of a collector that runs."""

    wish: Wish
    store: LateStore
    intake: Intake
    source: Source
    storing: Storing

    def written(self) -> Written:
        """Counts of all that is stored."""
        return self.storing.written

    def waiting(self) -> int:
        """Messages that have arrived and are not stored."""
        return len(self.intake)

    def is_connected(self) -> bool:
        """With the broker."""
        return self.source.is_connected

    def takes(self) -> bool:
        """Whether the store took the last batch."""
        return not self.storing.is_away


def collect(wish: Wish, told: Told, metrics: Metrics | None = None) -> dict[str, Any]:
    """Store what arrives until a signal, or until what is wished is done. Gives the account.

    Raises CommandError if the store can't be opened or the broker does not let us in, and later
    if it never will.
    """
    store = LateStore(wish.store)
    try:
        return _with_store(wish, store, told, metrics)
    finally:
        store.close()


def _with_store(
    wish: Wish, store: LateStore, told: Told, metrics: Metrics | None
) -> dict[str, Any]:
    intake, reader = Intake(), Reader(wish.base)
    wanted = choose.Wanted(
        wish.source, wish.session_id, wish.topics(reader), wish.queue, wish.leaves
    )
    source = choose.source(wanted, intake, told.say)
    storing = Storing(store, source, intake, reader, told.say, told.say_of_many)
    running = Running(wish, store, intake, source, storing)
    with _signals() as end, ExitStack() as ends:
        if metrics:
            storing.on_commit = metrics.on_commit
            ends.callback(metrics.start(running))
            told.say(f"metrics on port {metrics.port}")
        faults: list[BaseException] = []
        talker: threading.Thread | None = None
        ending = Ending(wish.limits)
        # It stores from the beginning on: a broker with a backlog may hand over more of it than
        # fits in here before it answers that we are subscribed.
        storer = _thread(storing.run, faults, end)
        try:
            source.open()
            store.opened()
            told.say(f"storing into {store.shown}; to the broker we are {wish.session_id}")
            talker = _thread(source.run, faults, end)
            _wait(running, told, end, ending)
        finally:
            source.hold()
            storing.stop()
            storer.join(_LAST_COMMITS_S)
            source.stop()
            if talker:
                talker.join(_LAST_COMMITS_S)
            source.close()
    if faults:
        raise faults[0]
    is_drained = ending.is_quiet and not storer.is_alive() and running.takes()
    return _account(running) | {"drained": is_drained}


def _wait(running: Running, told: Told, end: threading.Event, ending: Ending) -> None:
    wish = running.wish
    keeping = None
    if wish.keep_s is not None:
        keeping = Keeping(running.store.opened().engine, wish.keep_s, told.say)
    while not end.wait(_LOOK_S):
        told.how_far(_how_far(running))
        if keeping:
            keeping()
        if ending(running):
            return


def _thread(
    run: Callable[[], None], faults: list[BaseException], end: threading.Event
) -> threading.Thread:
    """Runs it; what it raises ends us, and is told by the main thread."""

    def body() -> None:
        try:
            run()
        except BaseException as error:
            faults.append(error)
            end.set()

    thread = threading.Thread(target=body, daemon=True)
    thread.start()
    return thread


@contextmanager
def _signals() -> Iterator[threading.Event]:
    """SIGTERM, Ctrl-C and a closed terminal ask for an orderly end; a second one does not wait."""
    end = threading.Event()
    before: dict[int, Any] = {}

    def ask(_number: int, _frame: FrameType | None) -> None:
        if end.is_set():
            raise KeyboardInterrupt
        end.set()

    numbers: Sequence[int] = [signal.SIGINT, signal.SIGTERM]
    if hasattr(signal, "SIGHUP"):
        numbers = [*numbers, signal.SIGHUP]
    if threading.current_thread() is threading.main_thread():
        before = {number: signal.signal(number, ask) for number in numbers}
    try:
        yield end
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _how_far(running: Running) -> str:
    written = running.storing.written
    parts = [f"{written.stored} readings stored", f"{written.repeated} came again"]
    parts += [f"{len(running.intake)} wait"] if len(running.intake) else []
    parts += [f"{written.conflicts} conflicts"] if written.conflicts else []
    parts += [f"{written.rejected} rejected"] if written.rejected else []
    if not running.source.is_connected:
        parts.append("no broker")
    if running.storing.is_away:
        parts.append("the store takes nothing")
    return ", ".join(parts)


def _account(running: Running) -> dict[str, Any]:
    return {
        "store": running.store.shown,
        "broker": str(running.wish.source),
        "client_id": running.wish.session_id,
        **running.storing.written.counts(),
    }
