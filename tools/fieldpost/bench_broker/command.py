"""`fieldpost broker`: its command line."""

from pathlib import Path
from typing import Annotated

import typer

from fieldpost.errors import Usage
from fieldpost.mqtt.brokers import Program


def broker(
    port: Annotated[
        int | None,
        typer.Option(min=1, max=65535, help="Else 1883, with TLS 8883, or the next that is free."),
    ] = None,
    loopback: Annotated[
        bool, typer.Option("--loopback", help="Listen for this machine alone.")
    ] = False,
    tls: Annotated[
        bool,
        typer.Option("--tls", help="With certificates of `fieldpost certs`, made if need be."),
    ] = False,
    certificates: Annotated[
        bool,
        typer.Option(
            "--certificates",
            help="TLS, and each who comes shows one of these certificates. A node has its "
            "own topic alone.",
        ),
    ] = False,
    user: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Let nobody in but NAME, with the password in FIELDPOST_BROKER_PASSWORD, else "
            "with one that is made up.",
        ),
    ] = None,
    using: Annotated[
        Program | None, typer.Option(help="By itself, the first that is installed.")
    ] = None,
    folder: Annotated[
        Path,
        typer.Option(
            "--certs", help="The folder of the authority.", envvar="FIELDPOST_CERTS", metavar="DIR"
        ),
    ] = Path("certs"),
    as_json: Annotated[
        bool, typer.Option("--json", help="Say where it is as one object, when it runs.")
    ] = False,
) -> None:
    """Run an MQTT broker for boards at a bench, until Ctrl-C, and say what to type to reach it.

    Listens on every interface of this machine, so that boards reach it. Keeps nothing afterwards.
    """
    from fieldpost.bench_broker.bench import Options, broker_command

    if user is not None and certificates:
        raise Usage("give either --user or --certificates: who shows one is known by it")
    broker_command(
        Options(
            port=port,
            is_loopback=loopback,
            using=using,
            certs=folder if tls or certificates else None,
            clients_show_certificates=certificates,
            user=user,
            as_json=as_json,
        )
    )
