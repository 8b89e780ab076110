"""`fieldpost demo`: a node, a broker, and an outage between them, in front of the user's eyes."""

import queue
import sys
import tempfile
import threading
import time
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fieldpost import umqtt
from fieldpost.demo.state import TOPIC, DemoState
from fieldpost.demo.view import View, make_view
from fieldpost.errors import CommandError, Ended, TimedOut
from fieldpost.mqtt import url as mqtt_url
from fieldpost.mqtt.brokers import Broker, Program
from fieldpost.mqtt.client import Connection
from fieldpost.node_process import HEAP_KIB, Interpreter, NodeProcess
from fieldpost.processes.programs import signals_end_it
from fieldpost.serve.run import Page, Wish, page
from fieldpost.store.address import parse as parse_store
from fieldpost.terminal.result import result

_CLIENT_ID = "fieldpost-demo"
_FIRST_READING_S = 20.0
_CATCH_UP_S = 20.0
_ON_ITS_WAY_S = 2.0
_AFTERWARDS = 3
_TICK_S = 0.1
_SECRETS = {"wifi": [{"ssid": "desk", "password": "no-password"}]}


@dataclass(frozen=True)
class Options:
    """What the user may choose. `picture`: write the last screen there, as SVG. `page`: show it
    in a browser, too, and run on for that."""

    keep: bool = False
    as_json: bool = False
    using: Program | None = None
    interpreter: Interpreter | None = None
    readings: int = 6
    outage_s: float = 6.0
    picture: Path | None = None
    page: bool = False


def demo_command(options: Options) -> int:
    """Run it; the exit status: 0 only if nothing was lost or duplicated and all happened."""
    umqtt.provide()
    with (
        signals_end_it(),
        tempfile.TemporaryDirectory(prefix="fieldpost-node-") as folder,
        Broker(options.using, subscriber=(_CLIENT_ID, f"{TOPIC}/#")) as broker,
        ExitStack() as stack,
    ):
        shown = _page(broker, stack) if options.page else None
        return _Demo(options, broker, Path(folder), shown).run()


def _page(broker: Broker, stack: ExitStack) -> Page:
    """On a store that is gone afterwards."""
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="fieldpost-page-"))
    wish = Wish(store=parse_store(f"sqlite:///{folder}/readings.db"), is_loopback=True)
    return stack.enter_context(page(wish, lambda _text: None, broker))


class _Demo:
    """The parts, and the script that they follow."""

    def __init__(self, options: Options, broker: Broker, folder: Path, shown: Page | None) -> None:
        self._options = options
        self._broker = broker
        self._page = shown
        relay = shown and shown.bench.relay
        # The page's own collector goes on seeing the broker: there the way to it is cut.
        self._break = (lambda: relay.be("away")) if relay else broker.stop
        self._mend = (lambda: relay.be("none")) if relay else broker.start
        self._steps = _STEPS_ON_PAGE if relay else _STEPS
        self._events: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._node = NodeProcess(folder, self._on_line, options.interpreter)
        port = relay.port if relay else broker.port
        self._node.write_files(_configuration(port), _SECRETS)
        self._connected = threading.Event()
        # With a session that the broker keeps: no reading slips through while we reconnect.
        self._subscriber = Connection(
            mqtt_url.parse(broker.url),
            client_id=_CLIENT_ID,
            clean=False,
            retry_s=0.2,
            on_connected=self._connected.set,
            on_message=lambda m: self._on_message(m.topic, bytes(m.payload)),
        )
        name, note = _describe(self._node)
        self._state = DemoState(broker.name, broker.url, name, note)
        self._view: View = make_view(self._state, options.as_json)
        self._failure: CommandError | None = None
        self._started = time.monotonic()

    def run(self) -> int:
        """The whole script, however it ends; the exit status."""
        interrupted = False
        try:
            with self._view:
                try:
                    self._play()
                except CommandError as failure:
                    self._failure = failure
                except KeyboardInterrupt:
                    # Under --keep that is how it ends; before, the user has seen enough.
                    interrupted = self._state.step < len(_STEPS)
                self._end()
        finally:
            self._subscriber.close()
            self._node.kill()
        if interrupted:
            print("stopped by hand", file=sys.stderr)
            return 130
        summary = self._summary()
        if self._options.as_json:
            print(result(summary, self._told(summary["problems"]), None))
        else:
            self._view.summary(summary)
        if self._options.picture:
            self._view.save_picture(self._options.picture, summary)
        return 0 if summary["ok"] else 1

    # The script ---------------------------------------------------------------------------------

    def _play(self) -> None:
        state, options = self._state, self._options
        self._subscriber.open()
        self._subscriber.subscribe(f"{TOPIC}/#", 1)
        self._node.start()
        self._step(1)
        arrived = state.account.delivered
        self._until(lambda: len(arrived) >= 1, _FIRST_READING_S, "no reading arrived")
        self._until(
            lambda: len(arrived) >= options.readings,
            options.readings + _CATCH_UP_S,
            f"only {len(arrived)} readings arrived",
        )
        self._outage()
        self._step(3)
        state.broker_up = True
        with self._nothing_passes():
            self._connected.clear()
            self._mend()
            self._settle(lambda: self._page is not None or self._connected.is_set())
        self._until(
            lambda: state.taken_in_outage <= arrived.keys() and state.status == "online",
            _CATCH_UP_S,
            "the readings of the outage did not all arrive",
        )
        self._step(4)
        enough = len(arrived) + _AFTERWARDS
        self._until(
            lambda: len(arrived) >= enough and state.health.get("reconnects", 0) > 0,
            _AFTERWARDS + _CATCH_UP_S,
            "readings stopped after the outage",
        )
        self._step(5)
        if self._page:
            state.headline = f"On the page until Ctrl-C: {self._page.url}"
            state.note = "There you take the broker away yourself."
            self._view.step()
            if sys.stdout.isatty() and not options.as_json:
                webbrowser.open(self._page.url)
        elif options.keep:
            state.headline = "Running on until Ctrl-C"
            state.note = f"Look yourself: fieldpost listen '{TOPIC}/#' --broker {state.broker_url}"
        while options.keep or self._page:
            self._pump(_TICK_S)
            self._check_node()

    def _outage(self) -> None:
        state = self._state
        self._step(2)
        with self._nothing_passes():
            self._settle(lambda: not state.account.waiting)
            self._break()
        self._pump(0)
        state.broker_up = False
        end = time.monotonic() + self._options.outage_s
        state.deadline = end
        while time.monotonic() < end:
            self._pump(_TICK_S)
            self._check_node()
        # Nothing was shown unless there is a backlog, so wait for one however slow the machine.
        self._until(
            lambda: len(state.taken_in_outage) > 0, _CATCH_UP_S, "the node stopped sampling"
        )
        state.deadline = None

    @contextmanager
    def _nothing_passes(self) -> Iterator[None]:
        """While amqtt stops and starts, the node is held. amqtt acknowledges what it has yet to
        pass on, and forgets it if it is stopped between; and what comes for a subscriber that is
        on its way back can overtake what was kept for it. Neither is the node's fault."""
        if self._broker.program == "mosquitto":
            yield
        else:
            with self._node.held():
                yield

    def _settle(self, done: Callable[[], bool]) -> None:
        """Give amqtt a moment for it."""
        end = time.monotonic() + (_ON_ITS_WAY_S if self._broker.program == "amqtt" else 0)
        while not done() and time.monotonic() < end:
            self._pump(0.02)

    def _end(self) -> None:
        """Let what was taken arrive, then close the account and stop the node."""
        state = self._state
        state.deadline = None
        end = time.monotonic() + (0 if self._failure else _CATCH_UP_S)
        while state.account.waiting and time.monotonic() < end and self._node.status is None:
            self._pump(_TICK_S)
        self._taken = frozenset(state.account.taken)
        self._node_status = self._node.interrupt()
        # A repeat would follow the reading at once.
        self._pump(0.3)

    def _step(self, number: int) -> None:
        self._state.step = number
        self._state.headline = self._steps[number - 1].format(name=self._broker.name.split()[0])
        self._view.step()

    # Events -------------------------------------------------------------------------------------

    def _on_line(self, line: str) -> None:
        def handle() -> None:
            self._state.node_said(line)
            self._view.node_said(line)

        self._events.put(handle)

    def _on_message(self, topic: str, payload: bytes) -> None:
        def handle() -> None:
            arrival = self._state.broker_sent(topic, payload)
            if arrival:
                self._view.arrived(arrival)

        self._events.put(handle)

    def _pump(self, seconds: float) -> None:
        """Handle what has happened, and what happens within so many seconds."""
        end = time.monotonic() + seconds
        while True:
            try:
                self._events.get(timeout=max(0.0, end - time.monotonic()))()
            except queue.Empty:
                break
            if seconds and time.monotonic() >= end:
                break
        self._view.refresh()

    def _until(self, reached: Callable[[], bool], limit_s: float, failure: str) -> None:
        end = time.monotonic() + limit_s
        while not reached():
            if time.monotonic() >= end:
                raise TimedOut(f"{failure} within {limit_s:g} s")
            self._pump(_TICK_S)
            self._check_node()

    def _check_node(self) -> None:
        status = self._node.status
        if status is not None:
            self._pump(_TICK_S)
            raise Ended(f"the node ended with status {status}")

    def _told(self, problems: list[str]) -> tuple[str, str] | None:
        """The error for a script."""
        if not problems:
            return None
        return self._failure.code if self._failure else "account", "; ".join(problems)

    # The account --------------------------------------------------------------------------------

    def _summary(self) -> dict[str, Any]:
        state, account = self._state, self._state.account
        lost = len(self._taken - account.delivered.keys())
        problems = [str(self._failure)] if self._failure else []
        problems += state.strange
        if lost or account.duplicated or account.out_of_order:
            problems.append("the account does not balance")
        if not state.recovered:
            problems.append("no reading was taken in the outage and delivered after it")
        if not self._failure and self._node_status != 0:
            problems.append(f"the node ended with status {self._node_status}")
        return {
            "ok": not problems,
            "problems": problems,
            "broker": state.broker_name,
            "interpreter": self._node.interpreter,
            "taken": len(self._taken),
            "delivered": len(account.delivered.keys() & self._taken),
            "lost": lost,
            "duplicated": account.duplicated,
            "repeats": account.repeats,
            "out_of_order": account.out_of_order,
            "taken_in_outage": len(state.taken_in_outage),
            "recovered": len(state.recovered),
            "deepest_backlog": state.deepest,
            "delivery": state.health.get("delivery"),
            # What the node said last, if that may explain anything.
            "console": list(state.console)[-20:] if problems else [],
            **({"page": self._page.url} if self._page else {}),
            "seconds": round(time.monotonic() - self._started, 1),
        }


_STEPS = (
    "The node takes a reading each second, {name} passes it on",
    "{name} is stopped: the node samples on and keeps it all",
    "{name} is back: what waited arrives, in order",
    "Life goes on",
    "The account",
)
_STEPS_ON_PAGE = (
    _STEPS[0],
    "The way to {name} is cut: the node samples on and keeps it all",
    "It is free again: what waited arrives, in order",
    *_STEPS[3:],
)


def _configuration(port: int) -> dict[str, Any]:
    return {
        "node": "demo",
        "boot_window_s": 0,
        "mqtt": {"host": "127.0.0.1", "port": port},
        "sample_s": 1,
        "health_s": 10,
        "ntp": {"host": None},
        "retry": {"base_s": 1, "cap_s": 2},
        # Days of two minutes, so that the values move while one looks.
        "sensors": [{"type": "simulated", "period_s": 120}],
    }


def _describe(node: NodeProcess) -> tuple[str, str]:
    """The node's name and a remark on where it runs."""
    if node.interpreter == "cpython":
        return "CPython", "The firmware's own files, but in CPython: memory is not as on a board."
    return f"MicroPython, heap {HEAP_KIB} KiB", (
        f"{HEAP_KIB} KiB of 64-bit words hold what {HEAP_KIB // 2} KiB of 32-bit words hold "
        "on a Pico W."
    )
