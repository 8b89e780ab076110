"""`fieldpost emulate`: a node on an emulated Pico W, its console in front of the user."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from fieldpost.board_json import for_board
from fieldpost.deploy.build import for_pico_w
from fieldpost.emulator.console import Console
from fieldpost.emulator.emulator import GATEWAY, SSID, Emulator, find_image, require_package
from fieldpost.errors import BadConfig, CommandError, Usage
from fieldpost.file_names import CONFIG, SECRETS, config_at, secrets_beside
from fieldpost.mqtt import url as mqtt_url
from fieldpost.mqtt.brokers import HOST, Broker
from fieldpost.options import DriversOption, JsonOption
from fieldpost.result import result

_GOODBYE_S = 5.0
_TICK_S = 0.2
_PASSWORD = "eight characters"
_LOOPBACK = ("localhost", "::1", HOST)
_EXAMPLE = {"node": "emulated", "mqtt": {"host": GATEWAY}, "sample_s": 5}


def emulate(
    config: Annotated[
        Path | None, typer.Option(help="A node's config.json, or its folder; else an example.")
    ] = None,
    drivers: DriversOption = None,
    image: Annotated[
        str | None,
        typer.Option(help="Pico W image: a file, or a version (1.25.0); else the newest there."),
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
    seconds: Annotated[float | None, typer.Option(min=1, help="End after so long.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Run this firmware on an emulated Pico W that boots the genuine image, until Ctrl-C.

    It joins an emulated access point and reaches nothing but the broker on this machine, where
    the host and the networks of the configuration lead, too. Status 1 if it delivered nothing.
    """
    require_package()
    path = find_image(image)
    files = {} if bare else _files(config, drivers, open_network)
    tell = _tell_nobody if as_json else typer.echo
    with _broker(broker, open_network) as (port, url):
        ports = {} if port is None else {_port_of(files): port}
        with Emulator(
            path, files=files, ports=ports, open_network=open_network, real_time=True
        ) as board:
            tell(f"Pico W with {path.name}; its console is {board.console}")
            if bare:
                tell(f"Put a node on it: fieldpost provision --port {board.console}")
                tell("Its network: RP2040PY-GUEST, any password of 8 characters")
                for seen in ports:
                    tell(f"Its broker: mqtt://10.0.0.1:{seen}, which is {url} on this machine")
                _rest(seconds)
                figures = board.stats()
            else:
                if url:
                    tell(f"What it publishes: fieldpost listen 'fieldpost/#' --broker {url}")
                figures = _run(board, tell, seconds)
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
        console.interrupt()
        try:
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


def _files(config: Path | None, drivers: Path | None, open_network: bool) -> dict[str, bytes]:
    """The board's files: the firmware, the drivers of one's own, and the configuration led to
    where it can work here."""
    from fieldpost.config.checked import with_checked

    given, secrets = _EXAMPLE, {}
    if config is not None:
        given, secrets = _read(config)
    own = _drivers(drivers, given)
    secrets = {**secrets, "wifi": [{"ssid": SSID, "password": _PASSWORD}]}
    wifi = {k: v for k, v in given.get("wifi", {}).items() if k != "static"}
    changed = {**given, "wifi": wifi}
    if not open_network:
        mqtt = {k: v for k, v in given["mqtt"].items() if k != "tls"}
        changed["mqtt"] = {**mqtt, "host": GATEWAY}
        if given.get("ntp", {}).get("host", "") is not None:
            changed["ntp"] = {**given.get("ntp", {}), "host": GATEWAY}
    files = dict(for_pico_w().files)
    files[CONFIG] = for_board(changed)
    files[SECRETS] = for_board(secrets)
    return with_checked({**files, **own})


def _drivers(folder: Path | None, config: dict[str, Any]) -> dict[str, bytes]:
    """Those of the folder, for the board."""
    from fieldpost.drivers import folder as own_drivers
    from fieldpost.drivers import named

    found = own_drivers.find(folder) if folder else None
    if errors := named.errors(config.get("sensors"), found):
        raise BadConfig("\n".join(errors))
    return found.files() if found else {}


def _read(config: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    from fieldpost.config import files as config_files

    path = config_at(config)
    _, errors = config_files.load(path)
    # A configuration that is to be tried out may well have no secrets yet.
    errors = [error for error in errors if not error.startswith(SECRETS)]
    if errors:
        raise BadConfig("\n".join(errors))
    return json.loads(path.read_bytes()), _json_or_nothing(secrets_beside(path))


def _json_or_nothing(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except ValueError:
        raise BadConfig(f"{path} is not JSON (fieldpost config check shows where)") from None


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
