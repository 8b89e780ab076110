"""`fieldpost ha …`: its command line."""

from typing import Annotated

import typer

from fieldpost.mqtt import nodes
from fieldpost.mqtt.tls import ClientFiles
from fieldpost.mqtt.url import DEFAULT_URL
from fieldpost.options import BrokerOption, CaOption, CertOption, KeyOption

app = typer.Typer(help="Home Assistant.", no_args_is_help=True)


@app.command()
def remove(
    node: Annotated[str, typer.Argument(help="Name of the node.", autocompletion=nodes.complete)],
    prefix: Annotated[str, typer.Option(help="Where Home Assistant looks.")] = "homeassistant",
    broker: BrokerOption = DEFAULT_URL,
    ca: CaOption = None,
    cert: CertOption = None,
    key: KeyOption = None,
) -> None:
    """Take a node out of Home Assistant: clears what it left with the broker."""
    from fieldpost.messages import home_assistant

    tls = ClientFiles(ca, cert, key)
    typer.echo(home_assistant.remove(node, broker=broker, prefix=prefix, tls=tls))
