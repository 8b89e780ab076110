"""`fieldpost publish`, `listen`, `cmd` and `pace`: their command line."""

from typing import Annotated

import typer

from fieldpost.messages.typed import DEFAULT_MESSAGE, complete_arguments, complete_commands
from fieldpost.mqtt import nodes
from fieldpost.mqtt.limits import TIMEOUT_S
from fieldpost.mqtt.tls import ClientFiles
from fieldpost.mqtt.url import DEFAULT_URL
from fieldpost.options import BrokerOption, CaOption, CertOption, JsonOption, KeyOption
from fieldpost.processes.programs import signals_end_it

QosOption = Annotated[int, typer.Option(min=0, max=2, help="0 at most once, 1 at least once.")]


def publish(
    topic: str,
    message: Annotated[
        str, typer.Argument(help="- for what comes in by standard input.")
    ] = DEFAULT_MESSAGE,
    qos: QosOption = 0,
    retain: Annotated[bool, typer.Option(help="The broker keeps it for who comes later.")] = False,
    timeout: Annotated[
        float, typer.Option(min=0.1, help="Seconds for each answer of the broker.")
    ] = TIMEOUT_S,
    as_json: JsonOption = False,
    broker: BrokerOption = DEFAULT_URL,
    ca: CaOption = None,
    cert: CertOption = None,
    key: KeyOption = None,
) -> None:
    """Publish one message and wait until it is delivered."""
    from fieldpost.messages.publish import publish_command

    tls = ClientFiles(ca, cert, key)
    publish_command(
        topic,
        message,
        broker=broker,
        qos=qos,
        retain=retain,
        timeout_s=timeout,
        as_json=as_json,
        tls=tls,
    )


def listen(
    topic: Annotated[
        str | None, typer.Argument(help="+ and # allowed; with --telemetry, all nodes' readings.")
    ] = None,
    telemetry: Annotated[
        bool, typer.Option(help="Judge readings by node, boot and seq: order, gaps, repeats.")
    ] = False,
    count: Annotated[int | None, typer.Option(min=1, help="End after so many messages.")] = None,
    timeout: Annotated[float | None, typer.Option(min=0.1, help="End after seconds.")] = None,
    qos: QosOption = 0,
    as_json: JsonOption = False,
    broker: BrokerOption = DEFAULT_URL,
    ca: CaOption = None,
    cert: CertOption = None,
    key: KeyOption = None,
) -> None:
    """Print each message that arrives, topic first. Status 1 if COUNT did not come in time.

    With --telemetry, the node first, and what the reading is for its account: new; boot, the first
    since a start of the node; gap of 2, new and two before it are missing; late; duplicate;
    conflict; malformed. Status 1 if a reading is missing.
    """
    tls = ClientFiles(ca, cert, key)
    if telemetry:
        from fieldpost.messages.verify import verify_command

        wanted = topic or "fieldpost/+/telemetry"
        with signals_end_it():
            status = verify_command(
                wanted, broker=broker, count=count, timeout_s=timeout, as_json=as_json, tls=tls
            )
        raise typer.Exit(status)
    if topic is None:
        raise typer.BadParameter("give a topic, or --telemetry for all nodes' readings")
    from fieldpost.messages.listen import listen_command

    with signals_end_it():
        listen_command(
            topic, broker=broker, qos=qos, count=count, timeout_s=timeout, as_json=as_json, tls=tls
        )


def cmd(
    node: Annotated[str, typer.Argument(help="Name of the node.", autocompletion=nodes.complete)],
    do: Annotated[
        str,
        typer.Argument(
            help="get, set, sample, deliver, identify, restart, …",
            autocompletion=complete_commands,
        ),
    ],
    arguments: Annotated[
        list[str] | None,
        typer.Argument(
            help="What it needs: get sample_s, set sample_s=60, stay_awake 10.",
            autocompletion=complete_arguments,
        ),
    ] = None,
    timeout: Annotated[float | None, typer.Option(min=0.1, help="End after seconds.")] = None,
    as_json: JsonOption = False,
    broker: BrokerOption = DEFAULT_URL,
    ca: CaOption = None,
    cert: CertOption = None,
    key: KeyOption = None,
) -> None:
    """Tell a node something and print its answer; one that sleeps is waited for."""
    from fieldpost.messages.cmd import cmd_command

    tls = ClientFiles(ca, cert, key)
    raise typer.Exit(cmd_command(node, do, arguments or [], broker, timeout, as_json, tls))


def pace(
    factor: Annotated[
        int | None,
        typer.Argument(min=2, max=16, help="How many times as slow. None: show what holds."),
    ] = None,
    minutes: Annotated[
        int, typer.Option("--for", min=1, max=1440, help="Minutes that it holds.")
    ] = 60,
    clear: Annotated[bool, typer.Option("--clear", help="End it.")] = False,
    base: Annotated[str, typer.Option(help="What the nodes' topics begin with.")] = "fieldpost",
    timeout: Annotated[
        float, typer.Option(min=0.1, help="Seconds for each answer of the broker.")
    ] = TIMEOUT_S,
    as_json: JsonOption = False,
    broker: BrokerOption = DEFAULT_URL,
    ca: CaOption = None,
    cert: CertOption = None,
    key: KeyOption = None,
) -> None:
    """Ask all nodes with "pace": true to slow down for a while, or show what they were asked.

    They dial again later and gather more readings for a delivery; readings are taken as ever.
    """
    from fieldpost.messages.pace import pace_command

    pace_command(
        factor,
        minutes=minutes,
        clear=clear,
        base=base,
        broker=broker,
        timeout_s=timeout,
        as_json=as_json,
        tls=ClientFiles(ca, cert, key),
    )
