"""`fieldpost serve`: its command line."""

from typing import Annotated

import typer

from fieldpost.mqtt.brokers import Program
from fieldpost.mqtt.tls import ClientFiles
from fieldpost.options import CaOption, CertOption, KeyOption, optional_broker
from fieldpost.store.address import DEFAULT_URL as DEFAULT_STORE


def serve(
    broker: Annotated[
        str | None, optional_broker("Use this broker; by itself, one of our own")
    ] = None,
    store: Annotated[
        str,
        typer.Option(help="sqlite:///FILE.", envvar="FIELDPOST_STORE", metavar="URL"),
    ] = DEFAULT_STORE,
    base: Annotated[str, typer.Option(help="mqtt.base of the nodes.")] = "fieldpost",
    loopback: Annotated[
        bool, typer.Option("--loopback", help="Let the broker listen for this machine alone.")
    ] = False,
    using: Annotated[
        Program | None, typer.Option(help="Our own broker; by itself, the first installed.")
    ] = None,
    broker_port: Annotated[
        int | None,
        typer.Option(min=1, max=65535, help="Of our own broker; else 1883, or the next free."),
    ] = None,
    host: Annotated[
        str, typer.Option(help="Where the page listens; elsewhere than here with --token alone.")
    ] = "127.0.0.1",
    port: Annotated[
        int | None,
        typer.Option(min=1, max=65535, help="Of the page; else 8470, or the next free."),
    ] = None,
    token: Annotated[
        bool,
        typer.Option(
            "--token",
            help="Let in only who has the token: that of FIELDPOST_PAGE_TOKEN, else one that is "
            "made up and stands in the address that is printed.",
        ),
    ] = False,
    console: Annotated[
        str | None,
        typer.Option("--port-console", metavar="PORT", help="Show this board's console, too."),
    ] = None,
    open_it: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Say where it is as one object, when it runs.")
    ] = False,
    ca: CaOption = None,
    cert: CertOption = None,
    key: KeyOption = None,
) -> None:
    """Show nodes and their readings on a page in the browser, until Ctrl-C.

    Starts a broker for boards at the bench, stores every reading in SQLite, and listens for a
    browser of this machine alone. docs/serve.md says what is on the page.
    """
    from fieldpost.mqtt.client import check_topic
    from fieldpost.serve.run import Wish, serve_command
    from fieldpost.store.address import parse

    check_topic(base)
    serve_command(
        Wish(
            broker=broker,
            files=ClientFiles(ca, cert, key),
            store=parse(store),
            base=base,
            is_loopback=loopback,
            using=using,
            broker_port=broker_port,
            host=host,
            port=port,
            has_token=token,
            console=console,
            opens=open_it,
            as_json=as_json,
        )
    )
