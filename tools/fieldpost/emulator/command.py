"""`fieldpost emulate`: a node on an emulated board, its console in front of the user."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from fieldpost import node_source
from fieldpost.board import names
from fieldpost.board.emulated import announced
from fieldpost.board_json import for_board
from fieldpost.config.checked import with_checked
from fieldpost.deploy.build import for_emulator
from fieldpost.emulator import engines
from fieldpost.emulator.addresses import GATEWAY
from fieldpost.emulator.console import Console
from fieldpost.emulator.emulator import Emulator
from fieldpost.emulator.engine import Engine
from fieldpost.emulator.esp32_c3 import VARIABLE
from fieldpost.emulator.image import find_or_fetch
from fieldpost.emulator.sensors import Told, Wired, wire
from fieldpost.errors import CommandError, Usage
from fieldpost.file_names import CONFIG, SECRETS, UPDATE_KEYS
from fieldpost.keys.folder import KeyFolder
from fieldpost.mqtt import url as mqtt_url
from fieldpost.mqtt.brokers import HOST, Broker
from fieldpost.node_source import NodeSource
from fieldpost.options import DriversOption, JsonOption, NodeKeysOption, SetOption, ValuesOption
from fieldpost.programs import signals_end_it
from fieldpost.result import result

_GOODBYE_S = 5.0
_TICK_S = 0.2
_LOOPBACK = ("localhost", "::1", HOST)
_EXAMPLE = {"sample_s": 5}
_SIMULATED = {"type": "simulated"}


def _boards() -> list[str]:
    return [one.title.lower().replace(" ", "-") for one in engines.ALL]


def emulate(
    config: Annotated[
        Path | None, typer.Option(help="A node's config.json, or its folder; else an example.")
    ] = None,
    drivers: DriversOption = None,
    keys: NodeKeysOption = None,
    board: Annotated[
        str,
        typer.Option(
            help="pico-w or esp32-c3, or as the maker spells it.",
            metavar="NAME",
            autocompletion=names.completing(_boards),
        ),
    ] = "pico-w",
    image: Annotated[
        str | None,
        typer.Option(
            help="MicroPython for it: a file, or a version (1.25.0); else the newest there is "
            "here. One that is not here is fetched."
        ),
    ] = None,
    qemu: Annotated[
        str | None,
        typer.Option(
            help="For an ESP32-C3: a qemu-system-riscv32 that knows its Wi-Fi; else that on the "
            "PATH.",
            envvar=VARIABLE,
            metavar="PROGRAM",
        ),
    ] = None,
    broker: Annotated[
        str | None,
        typer.Option(metavar="URL", help="On this machine; else one is started."),
    ] = None,
    open_network: Annotated[
        bool,
        typer.Option("--open-network", help="Let the board reach all that this machine can."),
    ] = False,
    bare: Annotated[
        bool, typer.Option(help="Start no node: a board for mpremote, or fieldpost deploy.")
    ] = False,
    device: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TYPE[@ADDRESS]",
            help="A sensor to wire besides the configuration's: bme280, sht3x@0x45,scl=7,sda=6. "
            "May be given several times.",
        ),
    ] = None,
    settings: SetOption = None,
    values: ValuesOption = None,
    seconds: Annotated[float | None, typer.Option(min=1, help="End after so long.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Run this firmware on an emulated board that boots the genuine image, until Ctrl-C.

    It joins an emulated access point and reaches nothing but the broker on this machine, where
    the host and the networks of the configuration lead, too. The sensors of the configuration are
    emulated. Status 1 if it delivered nothing.
    """
    engine = engines.of_board(board)
    engine.require(qemu)
    path = find_or_fetch(engine, image)
    node = _node(engine, config, drivers, open_network)
    files = {} if bare else _files(engine, node, config, open_network)
    if keys and files:
        files[UPDATE_KEYS] = KeyFolder(keys).node_file()
    wired = _wired(engine, node, config, bare, Told(device or (), settings or (), values))
    tell = _tell_nobody if as_json else typer.echo
    with signals_end_it(), _broker(broker, open_network) as (port, url):
        ports = {} if port is None else {_port_of(files): port}
        with Emulator(
            path,
            files=files,
            ports=ports,
            open_network=open_network,
            real_time=True,
            engine=engine,
            program=qemu,
            wired=wired.plan,
        ) as emulated:
            tell(f"{engine.title} with {path.name}; its console is {emulated.console}")
            for line in wired.lines:
                tell(line)
            if bare:
                if engine.wires and not wired.plan:
                    tell("No sensor is wired to it: --device bme280 would do that.")
                tell("Put a node on it: fieldpost provision")
                tell(f"Its network: {engine.ssid}, {engine.password_note}")
                for seen in ports:
                    tell(f"Its broker: mqtt://{GATEWAY}:{seen}, which is {url} on this machine")
                with announced(emulated.console, engine.title):
                    _rest(seconds)
                figures = emulated.stats()
            else:
                if url:
                    tell(f"What it publishes: fieldpost listen 'fieldpost/#' --broker {url}")
                figures = _run(emulated, tell, seconds)
    sent = sum(one["sent"]["data_segments"] for one in figures["connections"])
    received = sum(one["received"]["bytes"] for one in figures["connections"])
    tell(f"Its radio sent {sent} TCP segments with payload and received {received} bytes.")
    if as_json:
        failure = None if bare or received else ("nothing_delivered", "nothing was delivered")
        typer.echo(result(figures, failure, None))
    raise typer.Exit(0 if bare or received else 1)


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
