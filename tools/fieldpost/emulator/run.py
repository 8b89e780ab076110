"""A node on an emulated board until Ctrl-C, its console in front of the user."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import typer

from fieldpost import node_source
from fieldpost.board.emulated import announced
from fieldpost.board_json import for_board
from fieldpost.config.checked import with_checked
from fieldpost.deploy.build import for_emulator
from fieldpost.emulator import engines
from fieldpost.emulator.addresses import GATEWAY
from fieldpost.emulator.console import Console
from fieldpost.emulator.emulator import Emulator
from fieldpost.emulator.engine import Engine
from fieldpost.emulator.image import find_or_fetch
from fieldpost.emulator.sensors import Told, Wired, wire
from fieldpost.errors import CommandError, Usage
from fieldpost.file_names import CONFIG, SECRETS, UPDATE_KEYS
from fieldpost.keys.folder import KeyFolder
from fieldpost.mqtt import url as mqtt_url
from fieldpost.mqtt.brokers import HOST, Broker
from fieldpost.node_source import NodeSource
from fieldpost.processes.programs import signals_end_it
from fieldpost.terminal.result import result

_GOODBYE_S = 5.0
_TICK_S = 0.2
_LOOPBACK = ("localhost", "::1", HOST)
_EXAMPLE = {"sample_s": 5}
_SIMULATED = {"type": "simulated"}


@dataclass(frozen=True)
class Wish:
    """What to emulate: each as the option of its name says in command.py."""

    board: str
    config: Path | None = None
    drivers: Path | None = None
    keys: Path | None = None
    image: str | None = None
    qemu: str | None = None
    broker: str | None = None
    open_network: bool = False
    bare: bool = False
    told: Told = field(default_factory=Told)
    seconds: float | None = None
    as_json: bool = False


def run(wish: Wish) -> None:
    """Ends with Ctrl-C or after `seconds`; status 1 if it delivered nothing."""
    engine = engines.of_board(wish.board)
    engine.require(wish.qemu)
    path = find_or_fetch(engine, wish.image)
    node = _node(engine, wish.config, wish.drivers, wish.open_network)
    files = {} if wish.bare else _files(engine, node, wish.config, wish.open_network)
    if wish.keys and files:
        files[UPDATE_KEYS] = KeyFolder(wish.keys).node_file()
    wired = _wired(engine, node, wish.config, wish.bare, wish.told)
    tell = _tell_nobody if wish.as_json else typer.echo
    with signals_end_it(), _broker(wish.broker, wish.open_network) as (port, url):
        ports = {} if port is None else {_port_of(files): port}
        with Emulator(
            path,
            files=files,
            ports=ports,
            open_network=wish.open_network,
            real_time=True,
            engine=engine,
            program=wish.qemu,
            wired=wired.plan,
        ) as emulated:
            tell(f"{engine.title} with {path.name}; its console is {emulated.console}")
            for line in wired.lines:
                tell(line)
            if wish.bare:
                if engine.wires and not wired.plan:
                    tell("No sensor is wired to it: --device bme280 would do that.")
                broker = "".join(f"FIELDPOST_BROKER=mqtt://{GATEWAY}:{seen} " for seen in ports)
                tell(f"Put a node on it: {broker}fieldpost provision")
                tell(f"Its network: {engine.ssid}, {engine.password_note}")
                for seen in ports:
                    tell(f"Its broker: mqtt://{GATEWAY}:{seen}, which is {url} on this machine")
                with announced(emulated.console, engine.title):
                    _rest(wish.seconds)
                figures = emulated.stats()
            else:
                if url:
                    tell(f"What it publishes: fieldpost listen 'fieldpost/#' --broker {url}")
                figures = _run(emulated, tell, wish.seconds)
    sent = sum(one["sent"]["data_segments"] for one in figures["connections"])
    received = sum(one["received"]["bytes"] for one in figures["connections"])
    tell(f"Its radio sent {sent} TCP segments with payload and received {received} bytes.")
    if wish.as_json:
        failure = None if wish.bare or received else ("nothing_delivered", "nothing was delivered")
        typer.echo(result(figures, failure, None))
    raise typer.Exit(0 if wish.bare or received else 1)


def _run(board: Emulator, tell: Any, seconds: float | None) -> dict[str, Any]:
    """Show the console until Ctrl-C or the limit, then let the node say goodbye."""
    with Console(board.console, tell) as console:
        _rest(seconds)
        figures = board.stats()
        said = len(console.lines)
        try:
            console.interrupt()
            console.wait_for("stopped by hand", _GOODBYE_S, said)
        except CommandError:
            pass  # a node that hangs, or that refused its configuration, is switched off anyhow
    return figures


def _rest(seconds: float | None) -> None:
    end = None if seconds is None else time.monotonic() + seconds
    pause = threading.Event()
    try:
        while end is None or time.monotonic() < end:
            pause.wait(_TICK_S)
    except KeyboardInterrupt:
        pass  # that is how it ends


def _node(
    engine: Engine, config: Path | None, drivers: Path | None, open_network: bool
) -> NodeSource:
    """The configuration, or an example with a sensor that there is."""
    kind = {"type": "bme280", "scl": 5, "sda": 4} if "bme280" in engine.wires else _SIMULATED
    host = None if open_network else GATEWAY
    example = {**_EXAMPLE, "sensors": [kind]}
    return node_source.read(config, drivers, example, name="emulated", host=host)


def _wired(engine: Engine, node: NodeSource, config: Path | None, bare: bool, told: Told) -> Wired:
    """A bare board has the example's sensor only where it is asked for."""
    if bare and config is None:
        return wire(engine, (), (), _EXAMPLE["sample_s"], told)
    given, checked = node.config.get("sensors", []), node.settings["sensors"]
    return wire(engine, given, checked, node.settings["sample_s"], told)


def _files(
    engine: Engine, node: NodeSource, config: Path | None, open_network: bool
) -> dict[str, bytes]:
    """The board's files: the firmware, the drivers of one's own, and the configuration led to
    where it can work here."""
    changed = node_source.moved(node.config)
    if not open_network:
        mqtt = {key: value for key, value in changed["mqtt"].items() if key != "tls"}
        changed["mqtt"] = {**mqtt, "host": GATEWAY}
        if node.settings["ntp"]["host"] is not None:
            changed["ntp"] = {**changed.get("ntp", {}), "host": GATEWAY}
    networks = [{"ssid": engine.ssid, "password": engine.password}]
    files = dict(for_emulator(engine.platform).files)
    files[CONFIG] = for_board(changed)
    files[SECRETS] = for_board({**node_source.login(config), "wifi": networks})
    own = node.drivers.files() if node.drivers else {}
    return with_checked({**files, **own})


def _port_of(files: dict[str, bytes]) -> int:
    return json.loads(files.get(CONFIG, b"{}")).get("mqtt", {}).get("port", 1883)


@contextmanager
def _broker(url: str | None, open_network: bool) -> Iterator[tuple[int | None, str | None]]:
    """Port and address of the broker that is to stand behind the gateway."""
    if url is not None:
        address = mqtt_url.parse(url)
        if address.host not in _LOOPBACK:
            raise Usage(
                f"{address} is not on this machine. Name it in the configuration, and allow the "
                "board to reach it with --open-network."
            )
        yield address.port, str(address)
    elif open_network:
        yield None, None
    else:
        with Broker() as started:
            yield started.port, started.url


def _tell_nobody(_text: str) -> None:
    pass
