"""Runs a node on the desk until Ctrl-C, and again whenever a file of its changes."""

import queue
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from fieldpost import umqtt
from fieldpost.desk import desk_node
from fieldpost.desk.desk_node import PLAN, DeskNode, Source
from fieldpost.desk.screen import Line, Published, Screen
from fieldpost.errors import CommandError, Ended, TimedOut
from fieldpost.file_names import FIRMWARE, STARTED
from fieldpost.file_watch import FileWatch
from fieldpost.mqtt import url as mqtt_url
from fieldpost.mqtt.brokers import Broker
from fieldpost.mqtt.client import Connection
from fieldpost.mqtt.tls import ClientFiles
from fieldpost.node_process import HEAP_KIB, Interpreter, NodeProcess
from fieldpost.paths import DESK_PATH, IN_CHECKOUT, ROOT
from fieldpost.processes.programs import signals_end_it

# Ten times a board's: the emulated devices are in it, too.
_HEAP_KIB = 10 * HEAP_KIB
_TICK_S = 0.1
_LOOK_S = 0.3
# What causes the next start of a node that ended with one of these statuses, which are those that
# a board on this machine ends with.
CAUSES = {3: "soft", 4: "deep-sleep", 5: "watchdog"}
_SUBSCRIBED = ("telemetry", "cmd/result")


@dataclass(frozen=True)
class Options:
    """broker: its URL; None starts one. count, seconds: end after so many readings, or so long."""

    source: Source
    broker: str | None = None
    tls: ClientFiles = field(default_factory=ClientFiles)
    interpreter: Interpreter | None = None
    watches: bool = False
    count: int | None = None
    seconds: float | None = None
    as_json: bool = False


def run_command(options: Options) -> int:
    """Until Ctrl-C, or as the options say; the exit status. Raises CommandError if the node cannot
    be made, or no broker answers."""
    umqtt.provide()
    screen = Screen(options.as_json)
    with (
        signals_end_it(),
        tempfile.TemporaryDirectory(prefix="fieldpost-desk-") as folder,
        _broker(options.broker) as url,
    ):
        desk = _Desk(options, screen, url, Path(folder))
        try:
            return desk.run()
        except KeyboardInterrupt:
            return 0 if options.count is None else 130
        finally:
            desk.close()


class _Desk:
    """The node that runs, and what is heard of it."""

    def __init__(self, options: Options, screen: Screen, url: str, folder: Path) -> None:
        self._options = options
        self._screen = screen
        self._url = url
        self._folder = folder
        self._process: NodeProcess | None = None
        self._topic = ""
        self._readings = 0
        self._end = None if options.seconds is None else time.monotonic() + options.seconds
        self._connection = Connection(
            mqtt_url.parse(url, options.tls),
            on_message=lambda m: screen.events.put(Published(m.topic, bytes(m.payload))),
            retry_s=1,
        )

    def run(self) -> int:
        """Start the node, and go on; the exit status."""
        watch = FileWatch(self._places(), (".py", ".json", ".csv"))
        node = self._first(watch)
        self._connection.open()
        self._introduce(node)
        self._start(node, "power-on")
        next_look = time.monotonic() + _LOOK_S
        while not self._is_over():
            self._show(_TICK_S)
            if self._options.watches and time.monotonic() >= next_look:
                if changed := watch.changed():
                    node = self._renew(node, changed)
                next_look = time.monotonic() + _LOOK_S
            assert self._process
            if (status := self._process.status) is None:
                continue
            self._process.kill()  # And all that it said has arrived.
            self._show(0)
            if status in CAUSES:
                self._start(node, CAUSES[status])
            elif not self._options.watches:
                raise Ended(f"the node has ended with status {status}")
            else:
                self._screen.say("The node has ended. It starts again when a file changes.", "dim")
                while not (changed := watch.changed()):
                    time.sleep(_LOOK_S)
                node = self._renew(node, changed)
        wanted = self._options.count
        if wanted is not None and self._readings < wanted:
            limit_s = self._options.seconds
            raise TimedOut(f"{self._readings} of {wanted} readings came within {limit_s:g} s")
        return 0

    def _first(self, watch: FileWatch) -> DeskNode:
        """Of files that are being written: with --watch what is wrong with them may be mended."""
        while True:
            try:
                return desk_node.make(self._options.source, self._url, self._options.tls)
            except CommandError as error:
                if not self._options.watches:
                    raise
                self._screen.say(f"{error}\nIt starts when a file changes.", "red")
            while not watch.changed():
                time.sleep(_LOOK_S)

    def close(self) -> None:
        """Stop the node as Ctrl-C at its console does, and show what it says of it."""
        if self._process:
            self._process.interrupt()
            self._show(0)
        self._connection.close()

    def _introduce(self, node: DeskNode) -> None:
        say = self._screen.say
        say(f"{node.name} on the desk, with {', '.join(node.sensors) or 'no sensors'}", "bold")
        say(f"Its broker: {mqtt_url.parse(self._url, self._options.tls)}", "dim")
        if self._options.watches:
            say("It starts anew when a file changes. Ctrl-C ends it.", "dim")

    def _places(self) -> list[Path]:
        """The node's own files and, in a checkout, the firmware's."""
        ours = [ROOT / name for name in (*STARTED, *FIRMWARE)] if IN_CHECKOUT else []
        return [*self._options.source.places(), *ours]

    def _start(self, node: DeskNode, cause: str) -> None:
        if node.topic != self._topic:
            self._topic = node.topic
            for end in _SUBSCRIBED:
                self._connection.subscribe(f"{node.topic}/{end}", 1)
        for name, data in node.files.items():
            (self._folder / name).write_bytes(data)
        environment = {
            "FIELDPOST_UNIX_RESET_CAUSE": cause,
            "FIELDPOST_DESK": PLAN,
        }
        if node.wiring:
            environment["FIELDPOST_DESK_WIRING"] = node.wiring
        self._process = NodeProcess(
            self._folder,
            lambda line: self._screen.events.put(Line(line)),
            self._options.interpreter,
            main=DESK_PATH / "desk_main.py",
            path=(DESK_PATH, *node.path),
            environment=environment,
            heap_kib=_HEAP_KIB,
        )
        self._process.start()

    def _renew(self, node: DeskNode, changed: list[Path]) -> DeskNode:
        """The node that the files make now; one that they make none of changes nothing."""
        names = ", ".join(path.name for path in changed[:3]) + (" …" if len(changed) > 3 else "")
        try:
            new = desk_node.make(self._options.source, self._url, self._options.tls)
        except CommandError as error:
            self._screen.say(f"{names} changed, and makes no node:\n{error}", "red")
            return node
        assert self._process
        self._process.interrupt()
        self._show(0)
        self._screen.say(f"{names} changed: the node starts anew", "yellow")
        self._start(new, "power-on")
        return new

    def _show(self, wait_s: float) -> None:
        """What has come; waits at most so long for something."""
        try:
            event = self._screen.events.get(timeout=wait_s) if wait_s else self._next()
            while True:
                # The console may be late: what it says of the last reading is shown, too.
                if isinstance(event, Line) or not self._has_enough():
                    self._readings += isinstance(event, Published) and event.is_reading
                    self._screen.show(event)
                event = self._next()
        except queue.Empty:
            pass

    def _next(self) -> Line | Published:
        return self._screen.events.get_nowait()

    def _has_enough(self) -> bool:
        return self._options.count is not None and self._readings >= self._options.count

    def _is_over(self) -> bool:
        is_late = self._end is not None and time.monotonic() >= self._end
        return is_late or self._has_enough()


@contextmanager
def _broker(url: str | None) -> Iterator[str]:
    if url is not None:
        yield url
    else:
        with Broker() as started:
            yield started.url
