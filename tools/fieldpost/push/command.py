"""`fieldpost config push` and `pull`: their command line, and what is told."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeGuard

import typer

from fieldpost.board.choose import PortOption, WaitOption, the_board, told_of_restart
from fieldpost.mqtt import nodes
from fieldpost.mqtt.tls import ClientFiles
from fieldpost.mqtt.url import DEFAULT_URL
from fieldpost.options import (
    BrokerOption,
    CaOption,
    CertOption,
    DriversOption,
    JsonOption,
    KeyOption,
)
from fieldpost.terminal.result import result

if TYPE_CHECKING:
    from fieldpost.config.changes import Change
    from fieldpost.push.cable import Found
    from fieldpost.push.local import Local

ReadyOption = Annotated[
    float, typer.Option(min=0, help="Seconds for the node to be ready; 0: do not wait.")
]

NodeOption = Annotated[
    str | None,
    typer.Option(
        help="A node that the broker reaches, in place of a board on a cable.",
        autocompletion=nodes.complete,
        metavar="NAME",
    ),
]
TimeoutOption = Annotated[
    float | None,
    typer.Option(
        min=0.1,
        help="With --node: seconds for each answer; by itself, as long as a sleeper sleeps.",
    ),
]


def push(
    file: Annotated[Path, typer.Argument(metavar="FILE|DIR", help="config.json, or its folder.")],
    port: PortOption = None,
    node: NodeOption = None,
    drivers: DriversOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would change, and write nothing.")
    ] = False,
    ready: ReadyOption = 30.0,
    wait: WaitOption = None,
    timeout: TimeoutOption = None,
    as_json: JsonOption = False,
    broker: BrokerOption = DEFAULT_URL,
    ca: CaOption = None,
    cert: CertOption = None,
    key: KeyOption = None,
) -> None:
    """Give a node its config.json, and wait for its first reading with it.

    It is checked for that very board, its pins, drivers and certificates included, and what
    changes is shown. A secrets.json beside it goes with it; without one the board keeps its own.
    So do certificates that lie there. Status 0 only if the node measures without a failure.

    With --node it goes over MQTT, without a secret: on trial, with a way back.
    """
    if _is_for(node, port):
        from fieldpost.push import with_node

        status = with_node.push(
            node,
            file,
            drivers=drivers,
            dry_run=dry_run,
            ready_s=ready,
            as_json=as_json,
            broker=broker,
            timeout_s=timeout,
            tls=ClientFiles(ca, cert, key),
        )
        raise typer.Exit(status)
    from fieldpost.node_start import tell
    from fieldpost.push import cable, local
    from fieldpost.terminal.progress import FlashScreen

    wanted = local.read(file)
    local.passes(wanted, drivers)
    start = None
    with FlashScreen(steps=False) as screen:
        with the_board(port, screen, wait) as link, told_of_restart(link):
            where = link.port
            screen.progress(where, "looking at its files", 0, None)
            found = cable.look(link)
            fitting = local.fit(wanted, found.secrets, found.chip, found.there, drivers)
            told = cable.differences(found, wanted, fitting, link)
            cautions = fitting.cautions + cable.login_caution(found, wanted)
            if not as_json:
                screen.finished(where)
                _show_changes(where, found, wanted, told, cautions)
            written: list[str] = []
            if not dry_run:
                written, start = cable.bring(link, found, fitting, screen, ready)
        screen.finished(where)
    ok = dry_run or not found.is_deployed or not ready or tell.measures(start)
    if as_json:
        told = {
            "where": where,
            "node": wanted.config.get("node"),
            "changes": [vars(one) for one in told],
            "warnings": cautions,
            "written": written,
            **tell.as_json(start),
        }
        failure = None if ok else ("not_measuring", "its node does not measure with it")
        typer.echo(result(told, failure))
    elif dry_run:
        tell.say("nothing was written: this was a dry run")
    elif start is None:
        tell.say(f"written. The board has no firmware yet: fieldpost deploy --port {where}")
    elif ready:
        tell.show(start, ready, bool(written))
    if not ok:
        raise typer.Exit(1)


def pull(
    folder: Annotated[
        Path | None, typer.Argument(metavar="FILE|DIR", help="By itself, a folder of its name.")
    ] = None,
    port: PortOption = None,
    node: NodeOption = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace a config.json that says something else.")
    ] = False,
    wait: WaitOption = None,
    timeout: TimeoutOption = None,
    as_json: JsonOption = False,
    broker: BrokerOption = DEFAULT_URL,
    ca: CaOption = None,
    cert: CertOption = None,
    key: KeyOption = None,
) -> None:
    """Copy a node's config.json here, to be changed and pushed; never its secrets.

    On a cable the node is stopped for it and started again; with --node it runs on.
    """
    if _is_for(node, port):
        from fieldpost.push import with_node

        tls = ClientFiles(ca, cert, key)
        status = with_node.pull(
            node,
            folder,
            force=force,
            as_json=as_json,
            broker=broker,
            timeout_s=timeout,
            tls=tls,
        )
        raise typer.Exit(status)
    from fieldpost.node_start.tell import say
    from fieldpost.push import cable, local
    from fieldpost.terminal.progress import FlashScreen

    with FlashScreen(steps=False) as screen, the_board(port, screen, wait) as link:
        where = link.port
        found = cable.look(link)
    with told_of_restart(link):
        target, is_new = local.keep(folder, found.config, force)
    if as_json:
        typer.echo(result({"where": where, "file": str(target), "changed": is_new}))
    else:
        say(f"{where}: its configuration is in {target}" + ("" if is_new else ", as it was"))


def _is_for(node: str | None, port: str | None) -> TypeGuard[str]:
    """Whether a node is meant, rather than a board on a cable."""
    if node and port:
        raise typer.BadParameter("--port is for a board on a cable, --node for one over MQTT")
    return node is not None


def _show_changes(
    where: str, found: "Found", wanted: "Local", told: "list[Change]", cautions: list[str]
) -> None:
    from fieldpost.node_start.tell import say
    from fieldpost.push.show import differences

    chip = found.chip.name if found.chip else "a chip whose pins are not known"
    was, name = found.config.get("node"), wanted.config.get("node")
    node = f"node {name}" + (f", until now {was}" if was and was != name else "")
    say(f"{where}: {chip}, {node}")
    differences(told, cautions, "board")
