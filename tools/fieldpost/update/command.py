"""`fieldpost update`: its command line, and what is told at the end."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fieldpost.errors import Usage
from fieldpost.mqtt import nodes as known_nodes
from fieldpost.mqtt.url import DEFAULT_URL
from fieldpost.options import BrokerOption, CaOption, CertOption, JsonOption, KeyOption
from fieldpost.result import result, status_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fieldpost.release.folder import Release
    from fieldpost.update.node import Node
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
    node runs the release.
    """
    from fieldpost.mqtt.tls import ClientFiles
    from fieldpost.programs import signals_end_it
    from fieldpost.release import folder
    from fieldpost.update.session import Session

    if sum((release is not None, status, cancel)) != 1:
        raise Usage("give one of --release FOLDER, --status and --cancel")
    names = [name for one in node or () for name in one.split(",") if name]
    if bool(names) == every and not (status and not names):
        raise Usage("which nodes: --node A,B or --all")
    found = folder.load(release) if release else None
    session = Session(names or None, broker=broker, base=base, tls=ClientFiles(ca, cert, key))
    with signals_end_it(), session:
        if found is None:
            if cancel:
                _cancel(session)
            raise typer.Exit(_tell(session.nodes, as_json, None, is_update=False))
        code = _roll_out(
            session,
            found,
            as_json=as_json,
            canary=canary,
            at_once=at_once,
            keep_going=keep_going,
            again=again,
            timeout_s=timeout,
        )
    raise typer.Exit(code)


def _roll_out(
    session: "Session",
    release: "Release",
    *,
    as_json: bool,
    canary: int,
    at_once: int,
    keep_going: bool,
    again: bool,
    timeout_s: float | None,
) -> int:
    from fieldpost.update import show
    from fieldpost.update.rollout import Rollout, Wishes

    wishes = Wishes(canary, keep_going, again, at_once, timeout_s)
    wanted = Rollout(release, session.nodes, wishes, session.publish)
    if not as_json:
        count = len(session.nodes)
        typer.echo(f"{release.what} to {count} node{'s' * (count > 1)}")
    try:
        with show.screen(session.nodes, is_silent=as_json) as screen:
            session.run(wanted, screen.refresh)
    except KeyboardInterrupt:
        return _tell(session.nodes, as_json, release, is_update=True, is_cut_short=True)
    return _tell(session.nodes, as_json, release, is_update=True)


def _cancel(session: "Session") -> None:
    """Empty what the broker keeps for them. A node on trial goes on: it decides by itself."""
    from fieldpost.update.rollout import OFFER

    for one in session.nodes:
        if one.outstanding:
            session.publish(one.name, OFFER, b"", True)
            one.text = "what was offered is taken back"
            one.outstanding = b""


def _tell(
    nodes: "Sequence[Node]",
    as_json: bool,
    release: "Release | None",
    *,
    is_update: bool,
    is_cut_short: bool = False,
) -> int:
    """What became of each, and the exit status."""
    from fieldpost.console import Console
    from fieldpost.update import show
    from fieldpost.update.node import GOOD

    if not is_update:
        for one in nodes:
            one.describe()
    bad = [one for one in nodes if is_update and one.state not in GOOD]
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
            typer.echo("every node runs it")
    return status_of(failure[0]) if failure else 0
