"""`fieldpost ha …`: its command line."""

import os
from pathlib import Path
from typing import Annotated

import typer

from fieldpost.mqtt import nodes
from fieldpost.mqtt import url as mqtt_url
from fieldpost.mqtt.tls import ClientFiles
from fieldpost.mqtt.url import DEFAULT_URL
from fieldpost.options import (
    BrokerOption,
    CaOption,
    CertOption,
    JsonOption,
    KeyOption,
    optional_broker,
)
from fieldpost.processes.programs import signals_end_it
from fieldpost.terminal.result import result

app = typer.Typer(help="Home Assistant.", no_args_is_help=True)


@app.command()
def remove(
    node: Annotated[str, typer.Argument(help="Name of the node.", autocompletion=nodes.complete)],
    prefix: Annotated[str, typer.Option(help="Where Home Assistant looks.")] = "homeassistant",
    as_json: JsonOption = False,
    broker: BrokerOption = DEFAULT_URL,
    ca: CaOption = None,
    cert: CertOption = None,
    key: KeyOption = None,
) -> None:
    """Take a node out of Home Assistant: clears what it left with the broker."""
    from fieldpost.messages import home_assistant

    tls = ClientFiles(ca, cert, key)
    done = home_assistant.remove(node, broker=broker, prefix=prefix, tls=tls)
    typer.echo(result({"node": node}) if as_json else done)


@app.command(name="import")
def import_(
    file: Annotated[
        str | None,
        typer.Argument(help="Of listen --json or monitor --log; - for standard input."),
    ] = None,
    url: Annotated[
        str,
        typer.Option(help="Where one opens Home Assistant.", envvar="FIELDPOST_HA_URL"),
    ] = "http://homeassistant.local:8123",
    token_file: Annotated[
        Path | None,
        typer.Option(help="A long-lived token's file; FIELDPOST_HA_TOKEN has the token itself."),
    ] = None,
    node: Annotated[str | None, typer.Option(help="Only this node's readings.")] = None,
    from_: Annotated[
        str | None, typer.Option("--from", metavar="TIME", help="Hours from 2026-11-27T14:00 on.")
    ] = None,
    to: Annotated[
        str | None, typer.Option("--to", metavar="TIME", help="Hours that begin before then.")
    ] = None,
    broker: Annotated[
        str | None,
        optional_broker("Without FILE, import what arrives there, until Ctrl-C"),
    ] = None,
    base: Annotated[str, typer.Option(help="mqtt.base of the nodes.")] = "fieldpost",
    every: Annotated[
        float, typer.Option(min=1, help="With --broker: seconds between two imports.")
    ] = 60.0,
    dry_run: Annotated[bool, typer.Option(help="Say what would be done, and do nothing.")] = False,
    as_json: JsonOption = False,
    ha_ca: Annotated[
        Path | None,
        typer.Option(help="For https://: who signed Home Assistant's certificate, as PEM."),
    ] = None,
    ca: CaOption = None,
    cert: CertOption = None,
    key: KeyOption = None,
) -> None:
    """Give Home Assistant late readings at their own time: its statistics, hour by hour.

    Twice is as good as once. Status 1 if a field could not be brought in.
    """
    from fieldpost.home_assistant.ha_import import Options, import_file, time_of
    from fieldpost.home_assistant.websocket import read_token

    options = Options(
        url=url,
        token=read_token(os.environ.get("FIELDPOST_HA_TOKEN"), token_file),
        node=node,
        from_s=time_of(from_) if from_ else 0.0,
        to_s=time_of(to) if to else float("inf"),
        dry_run=dry_run,
        as_json=as_json,
        ca=ha_ca,
    )
    if file is not None:
        raise typer.Exit(import_file(None if file == "-" else Path(file), options))
    if broker is None:
        raise typer.BadParameter("give a FILE, - for standard input, or --broker")
    from fieldpost.home_assistant.follow import follow

    address = mqtt_url.parse(broker, ClientFiles(ca, cert, key))
    with signals_end_it():
        status = follow(address, options, base=base, every_s=every)
    raise typer.Exit(status)
