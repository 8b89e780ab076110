"""Runs the page: a broker, a collector, a server, until it is told to end."""

import asyncio
import ipaddress
import os
import socket
import sys
import threading
import time
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import uvicorn

from fieldpost.bench_broker import addresses
from fieldpost.collect.run import Wish as CollectWish
from fieldpost.errors import PortTaken, Usage
from fieldpost.monitor.events import Events
from fieldpost.monitor.sources import ConsoleSource
from fieldpost.mqtt import url as mqtt_url
from fieldpost.mqtt.brokers import EVERYWHERE, HOST, Broker, Program
from fieldpost.mqtt.tls import ClientFiles
from fieldpost.mqtt.url import BrokerAddress
from fieldpost.processes.programs import signals_end_it
from fieldpost.processes.started import Started
from fieldpost.serve.announce import Announced, Teller
from fieldpost.serve.api import Api
from fieldpost.serve.app import make_app
from fieldpost.serve.bench import Bench
from fieldpost.serve.collecting import Collecting
from fieldpost.serve.commands import Commands
from fieldpost.serve.guard import LOOPBACK_NAMES, new_token
from fieldpost.serve.journal import Journal
from fieldpost.serve.overview import Overview
from fieldpost.serve.relay import Relay
from fieldpost.serve.set_up.job import Source
from fieldpost.serve.set_up.route import Boards
from fieldpost.serve.sparing import Sparing
from fieldpost.store import sqlite
from fieldpost.store.address import StoreAddress
from fieldpost.store.late import LateStore
from fieldpost.terminal.safe_text import to_json
from fieldpost.terminal.wrapping import fit

PORT = 8470
TOKEN_VARIABLE = "FIELDPOST_PAGE_TOKEN"
_PORTS_TRIED = 20
_GOODBYE_S = 2
_START_S = 10.0


@dataclass(frozen=True)
class Wish:
    """broker: None starts one of our own. has_token: let nobody in without one. console: a
    board's port whose lines are shown, too. opens: show the page in a browser. source: what
    boards get from the page."""

    store: StoreAddress
    broker: str | None = None
    files: ClientFiles = field(default_factory=ClientFiles)
    base: str = "fieldpost"
    is_loopback: bool = False
    using: Program | None = None
    broker_port: int | None = None
    host: str = HOST
    port: int | None = None
    has_token: bool = False
    console: str | None = None
    opens: bool = False
    as_json: bool = False
    source: Source = field(default_factory=Source)


@dataclass(frozen=True)
class Page:
    """One that runs. url: with the token, if there is one. notice: shows a line on it, given who
    says it. faults: what has ended it."""

    url: str
    bench: Bench
    notice: Callable[[str, str], None]
    wait: Callable[[], None]
    stop: Callable[[], None]
    faults: list[BaseException]


def serve_command(wish: Wish) -> None:
    """Serve until Ctrl-C. Raises CommandError if that can't be, or can't go on."""
    with signals_end_it():
        try:
            with page(wish, _say) as running:
                _tell(wish, running)
                running.wait()
        except KeyboardInterrupt:
            if not wish.as_json:
                print("\nThe page has ended; what was stored stays in " + str(wish.store))
            return
    if running.faults:
        raise running.faults[0]


@contextmanager
def page(wish: Wish, tell: Callable[[str], None], own: Broker | None = None) -> Iterator[Page]:
    """It runs within the block. tell: given sentences for the user. own: a broker of ours that
    runs already."""
    if wish.store.kind != "sqlite" or wish.store.file is None:
        raise Usage("the page reads a store in SQLite: sqlite:///readings.db")
    token = _token(wish)
    with ExitStack() as stack:
        listening = _listen(wish, stack)
        store = LateStore(wish.store)
        stack.callback(store.close)
        address, bench = _bench(wish, own, stack)
        journal = Journal()
        engine = sqlite.engine(wish.store.file, writes=False)
        overview = Overview(engine)
        commands = Commands(address, wish.base)
        stack.callback(commands.close)

        def notice(source: str, text: str) -> None:
            journal.add("notice", {"source": source, "text": text[:2000], "at": time.time()})

        def heard(text: str) -> None:
            tell(text)
            notice("collector", text)

        faults: list[BaseException] = []

        def ended(error: BaseException) -> None:
            faults.append(error)
            server.stop()

        teller = Teller(overview, journal, bench)
        collecting = Collecting(
            address,
            CollectWish(address, wish.store, wish.base).session_id.replace("collect", "serve"),
            wish.base,
            Announced(store, overview, journal, commands.note),
            heard,
            Sparing(heard),
            ended,
        )
        api = Api(engine, overview, journal, commands, bench, lambda: collecting.is_connected)
        names = None if token and not _is_loopback(wish.host) else LOOPBACK_NAMES
        server = _Server(
            make_app(api, Boards(wish.source), names=names, token=token), listening, journal
        )
        stack.enter_context(collecting)
        store.opened()
        threading.Thread(target=overview.load, daemon=True).start()
        stack.enter_context(teller)
        if wish.console:
            _read_console(wish.console, notice, stack)
        # Whoever ends us while it starts must not take the socket away from under it.
        stack.enter_context(server)
        yield Page(_url(wish, listening, token), bench, notice, server.wait, server.stop, faults)


class _Server(Started):
    """Uvicorn, in a thread: the main thread has the signals."""

    def __init__(self, app: Any, listening: socket.socket, journal: Journal) -> None:
        self._journal = journal
        self._listening = listening
        self._server = uvicorn.Server(
            uvicorn.Config(
                app,
                log_config=None,
                log_level="critical",
                access_log=False,
                lifespan="off",
                ws="websockets-sansio",
                ws_max_size=65_536,
                server_header=False,
                timeout_graceful_shutdown=_GOODBYE_S,
                limit_concurrency=200,
            )
        )
        # Not by `join`: a Ctrl-C within it has Python 3.11 take the thread for one that has ended.
        self._ended = threading.Event()
        self._ended.set()

    def start(self) -> None:
        self._ended.clear()
        threading.Thread(target=self._run, daemon=True).start()
        end = time.monotonic() + _START_S
        while not (self._server.started or self._ended.is_set()) and time.monotonic() < end:
            time.sleep(0.01)

    def wait(self) -> None:
        """Until it has ended."""
        while not self._ended.wait(0.5):
            pass

    def stop(self) -> None:
        self._server.should_exit = True
        self._journal.close()

    def close(self) -> None:
        self.stop()
        self._ended.wait(_GOODBYE_S + 3)

    def _run(self) -> None:
        try:
            asyncio.run(self._server.serve(sockets=[self._listening]))
        finally:
            self._ended.set()


def _token(wish: Wish) -> str | None:
    if wish.has_token:
        return os.environ.get(TOKEN_VARIABLE) or new_token()
    if not _is_loopback(wish.host):
        raise Usage(
            f"on {wish.host} others than you reach the page, and could command your nodes: "
            "give --token, too"
        )
    return None


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _listen(wish: Wish, stack: ExitStack) -> socket.socket:
    ports = [wish.port] if wish.port else range(PORT, PORT + _PORTS_TRIED)
    why = ""
    family = socket.AF_INET6 if ":" in wish.host else socket.AF_INET
    for port in ports:
        one = stack.enter_context(socket.socket(family))
        if os.name == "posix":
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind((wish.host, port))
            one.listen(128)
            return one
        except socket.gaierror:
            raise Usage(f"{wish.host} is no address of this machine") from None
        except OSError as error:
            why = str(error.strerror)
    raise PortTaken(f"the page can't listen on {wish.host}, port {ports[-1]}: {why}")


def _bench(wish: Wish, own: Broker | None, stack: ExitStack) -> tuple[BrokerAddress, Bench]:
    if wish.broker is not None:
        address = mqtt_url.parse(wish.broker, wish.files)
        lines = (("Run a node on this machine", f"fieldpost run --broker {address}"),)
        return address, Bench(f"the broker at {address}", lines)
    broker = own or stack.enter_context(Broker(wish.using))
    host = HOST if wish.is_loopback else EVERYWHERE
    relay = Relay(broker.port, host, _broker_port(wish, host))
    try:
        stack.enter_context(relay)
    except OSError as error:
        raise PortTaken(f"the broker can't listen: {error.strerror}") from None
    # Nobody can use the port behind the relay.
    address = replace(mqtt_url.parse(broker.url), told=f"mqtt://{HOST}:{relay.port}")
    return address, Bench(f"{broker.name}, port {relay.port}", _lines(wish, relay.port), relay)


def _broker_port(wish: Wish, host: str) -> int:
    if wish.broker_port:
        if not addresses.is_free(host, wish.broker_port):
            raise PortTaken(f"port {wish.broker_port} is taken: without it another one is")
        return wish.broker_port
    return next((one for one in range(1883, 1893) if addresses.is_free(host, one)), 0)


def _lines(wish: Wish, port: int) -> tuple[tuple[str, str], ...]:
    lines = [("Run a node on this machine", f"fieldpost run --broker mqtt://{HOST}:{port}")]
    if not wish.is_loopback:
        lines = [
            ("Tell a board", f"fieldpost provision --broker mqtt://{one}:{port}")
            for one in addresses.addresses()[:1]
        ] + lines
    return tuple(lines)


def _read_console(port: str, notice: Callable[[str, str], None], stack: ExitStack) -> None:
    events = Events()
    end = threading.Event()
    source = ConsoleSource(port, events)

    def pump() -> None:
        while not end.is_set():
            event = events.get(0.5)
            if event:
                notice("console", event.text)

    source.start()
    stack.callback(source.close)
    threading.Thread(target=pump, daemon=True).start()
    stack.callback(end.set)


def _url(wish: Wish, listening: socket.socket, token: str | None) -> str:
    host = f"[{wish.host}]" if ":" in wish.host else wish.host
    query = f"?token={token}" if token else ""
    return f"http://{host}:{listening.getsockname()[1]}/{query}"


def _tell(wish: Wish, running: Page) -> None:
    bench = running.bench
    if wish.as_json:
        told = {"ok": True, "url": running.url, "broker": bench.broker, "store": str(wish.store)}
        if bench.relay:
            told["broker_url"] = f"mqtt://{HOST}:{bench.relay.port}"
        print(to_json(told), flush=True)
    else:
        print(f"The page:  {running.url}", flush=True)
        where = "for this machine alone" if wish.is_loopback else "on every interface"
        print(f"Broker:    {bench.broker}" + (f", {where}" if bench.relay else ""))
        print(f"Store:     {wish.store}")
        for one in bench.lines:
            print(f"\n{one[0]}:\n  {one[1]}")
        print("\nCtrl-C ends it.", flush=True)
    if wish.opens:
        webbrowser.open(running.url)


def _say(text: str) -> None:
    print(fit(text, sys.stderr), file=sys.stderr, flush=True)
