"""`fieldpost update`: its command line, and what is told at the end."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fieldpost.errors import Usage
from fieldpost.mqtt import nodes as known_nodes
from fieldpost.mqtt.url import DEFAULT_URL
from fieldpost.options import BrokerOption, CaOption, CertOption, JsonOption, KeyOption
from fieldpost.terminal.result import result, status_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fieldpost.release.folder import Release
    from fieldpost.update.node import Node
    from fieldpost.update.rollout import Wishes
    from fieldpost.update.session import Session


def update(
    release: Annotated[
        Path | None,
        typer.Option(help="The folder that fieldpost release has made.", metavar="FOLDER"),
    ] = None,
    node: Annotated[
        list[str] | None,
        typer.Option(
            help="Which nodes, in this order: A,B; may be repeated.",
            autocompletion=known_nodes.complete,
            metavar="NAME",
        ),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Every node the broker knows.")] = False,
    canary: Annotated[
        int, typer.Option(min=0, help="So many first, alone, until they have proved it.")
    ] = 0,
    at_once: Annotated[
        int, typer.Option(min=1, help="How many nodes have an offer that is not decided.")
    ] = 8,
    keep_going: Annotated[
        bool, typer.Option("--keep-going", help="Go on after a node has failed.")
    ] = False,
    again: Annotated[
        bool,
        typer.Option("--again", help="Also to nodes that have refused it, or went back."),
    ] = False,
    for_home: Annotated[
        bool,
        typer.Option(
            "--home-assistant",
            help="Let Home Assistant's button begin it for each node, until Ctrl-C.",
        ),
    ] = False,
    prefix: Annotated[str, typer.Option(help="Where Home Assistant looks.")] = "homeassistant",
    status: Annotated[
        bool, typer.Option("--status", help="Say what the nodes run, and offer nothing.")
    ] = False,
    cancel: Annotated[
        bool, typer.Option("--cancel", help="Take back what is offered, and offer nothing.")
    ] = False,
    timeout: Annotated[
        float | None,
        typer.Option(
            min=0.1,
            help="Seconds without a sign of a node; by itself, as long as it may take.",
        ),
    ] = None,
    base: Annotated[str, typer.Option(help="As mqtt.base of the nodes.")] = "fieldpost",
    as_json: JsonOption = False,
    broker: BrokerOption = DEFAULT_URL,
    ca: CaOption = None,
    cert: CertOption = None,
    key: KeyOption = None,
) -> None:
    """Update nodes over the air, and wait until each has proved what it got.

    The pieces come from here, so this runs until the last node has fetched them. After Ctrl-C,
    nodes keep what they have, and the same command goes on from there. Status 0 only if every
    node runs the release; with --all, every node that is not away.
    """
    from fieldpost.mqtt.tls import ClientFiles
    from fieldpost.processes.programs import signals_end_it
    from fieldpost.release import folder
    from fieldpost.update import home_assistant
    from fieldpost.update.rollout import Wishes
    from fieldpost.update.session import Session

    if sum((release is not None, status, cancel)) != 1:
        raise Usage("give one of --release FOLDER, --status and --cancel")
    names = [name for one in node or () for name in one.split(",") if name]
    if bool(names) == every and not (status and not names):
        raise Usage("which nodes: --node A,B or --all")
    found = folder.load(release) if release else None
    if for_home and (found is None or canary):
        raise Usage("--home-assistant goes with --release, and its button with no --canary")
    session = Session(
        names or None,
        broker=broker,
        base=base,
        tls=ClientFiles(ca, cert, key),
        also=home_assistant.INSTALL if for_home else None,
        will=(home_assistant.server_topic(base), home_assistant.OFFLINE) if for_home else None,
    )
    with signals_end_it(), session:
        if found is None:
            if cancel:
                _cancel(session)
            raise typer.Exit(_tell(session.nodes, as_json, None, is_update=False))
        wishes = Wishes(
            canary, keep_going, again, at_once, timeout, on_demand=for_home, are_named=not every
        )
        if for_home:
            code = _serve(session, found, wishes, prefix, base, as_json)
        else:
            code = _roll_out(session, found, wishes, as_json)
    raise typer.Exit(code)


def _roll_out(session: "Session", release: "Release", wishes: "Wishes", as_json: bool) -> int:
    from fieldpost.update import show
    from fieldpost.update.rollout import Rollout

    wanted = Rollout(release, session.nodes, wishes, session.publish)
    if not as_json:
        count = len(session.nodes)
        typer.echo(f"{release.what} to {count} node{'s' * (count > 1)}")
    is_cut_short = False
    try:
        with show.screen(session.nodes, is_silent=as_json) as screen:
            session.run(wanted, screen.refresh)
    except KeyboardInterrupt:
        is_cut_short = True
    return _tell(
        session.nodes,
        as_json,
        release,
        is_update=True,
        is_cut_short=is_cut_short,
        are_named=wishes.are_named,
    )


def _serve(
    session: "Session",
    release: "Release",
    wishes: "Wishes",
    prefix: str,
    base: str,
    as_json: bool,
) -> int:
    """Until Ctrl-C, which is how it ends."""
    from fieldpost.update import show
    from fieldpost.update.home_assistant import PRESSED, Entities
    from fieldpost.update.rollout import Rollout

    wanted = Rollout(release, session.nodes, wishes, session.publish)
    entities = Entities(release, prefix, base, session.keep)
    if not as_json:
        typer.echo(f"{release.what}: Home Assistant shows it to {len(session.nodes)} nodes")

    def pressed(name: str, message: bytes) -> None:
        if message == PRESSED:
            wanted.demand(name)

    try:
        with show.screen(session.nodes, is_silent=as_json) as screen:

            def step() -> None:
                entities.refresh(session.nodes)
                screen.refresh()

            session.run(wanted, step, entities.forget, pressed)
    except KeyboardInterrupt:
        pass
    entities.close()
    return _tell(session.nodes, as_json, release, is_update=False)


def _cancel(session: "Session") -> None:
    """Empty what the broker keeps for them. A node on trial goes on: it decides by itself."""
    from fieldpost.update.rollout import OFFER

    for one in session.nodes:
        if one.outstanding:
            session.publish(one.name, OFFER, b"", True)
            one.text = "what was offered is taken back"
            one.outstanding = b""


def _all_but(away: "list[Node]") -> str:
    names = ", ".join(one.name for one in away)
    return (
        f"every node that is there runs it. Away: {names}. Repeat the command when they are back; "
        "the broker forgets one that is gone for good by: fieldpost ha remove NAME"
    )


def _tell(
    nodes: "Sequence[Node]",
    as_json: bool,
    release: "Release | None",
    *,
    is_update: bool,
    is_cut_short: bool = False,
    are_named: bool = True,
) -> int:
    """What became of each, and the exit status. Where none was named, one that is away is no
    failure, as long as another one runs the release."""
    from fieldpost.terminal.console import Console
    from fieldpost.update import show
    from fieldpost.update.node import GOOD

    if release is None:
        for one in nodes:
            one.describe()
    bad = [one for one in nodes if is_update and one.state not in GOOD]
    away: list[Node] = []
    if not are_named and any(one.state in GOOD for one in nodes):
        away = [one for one in bad if one.state == "offline"]
        bad = [one for one in bad if one.state != "offline"]
    failure = None
    if is_cut_short:
        text = "it was interrupted. Nodes keep what they have: the same command goes on"
        failure = ("interrupted", text)
    elif bad:
        told = ", ".join(f"{one.name} ({one.state})" for one in bad)
        failure = ("not_updated", f"not updated: {told}")
    if as_json:
        values: dict[str, object] = {"nodes": [show.as_json(one) for one in nodes]}
        if release:
            values |= {"version": release.version, "counter": release.counter}
        typer.echo(result(values, failure))
    else:
        Console(highlight=False).print(show.table(nodes))
        if failure:
            typer.echo(failure[1], err=True)
            if is_cut_short:
                typer.echo("To take back what is offered: fieldpost update --cancel", err=True)
        elif is_update:
            typer.echo("every node runs it" if not away else _all_but(away))
    return status_of(failure[0]) if failure else 0
