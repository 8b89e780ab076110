"""`fieldpost config push` and `pull`: their command line, and what is told."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fieldpost.board.choose import WAIT_S, PortOption, WaitOption, the_board
from fieldpost.options import DriversOption, JsonOption
from fieldpost.result import result
from fieldpost.terminal import neutral
from fieldpost.wrapping import fit

if TYPE_CHECKING:
    from fieldpost.config.changes import Change
    from fieldpost.push.cable import Found
    from fieldpost.push.local import Local

ReadyOption = Annotated[
    float, typer.Option(min=0, help="Seconds for the node to be ready; 0: do not wait.")
]


def push(
    file: Annotated[Path, typer.Argument(metavar="FILE|DIR", help="config.json, or its folder.")],
    port: PortOption = None,
    drivers: DriversOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would change, and write nothing.")
    ] = False,
    ready: ReadyOption = 30.0,
    wait: WaitOption = WAIT_S,
    as_json: JsonOption = False,
) -> None:
    """Give a node its config.json, and wait for its first reading with it.

    It is checked for that very board, its pins, drivers and certificates included, and what
    changes is shown. A secrets.json beside it goes with it; without one the board keeps its own.
    So do certificates that lie there. Status 0 only if the node measures without a failure.
    """
    from fieldpost.node_start import tell
    from fieldpost.progress import FlashScreen
    from fieldpost.push import cable, local

    wanted = local.read(file)
    node = None
    with FlashScreen(steps=False) as screen:
        with the_board(port, screen, wait) as link:
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
                written, node = cable.bring(link, found, fitting, screen, ready)
        screen.finished(where)
    ok = dry_run or not found.is_deployed or not ready or tell.measures(node)
    if as_json:
        told = {
            "where": where,
            "node": wanted.config.get("node"),
            "changes": [vars(one) for one in told],
            "warnings": cautions,
            "written": written,
            **tell.as_json(node),
        }
        failure = None if ok else ("not_measuring", "its node does not measure with it")
        typer.echo(result(told, failure))
    elif dry_run:
        _say("nothing was written: this was a dry run")
    elif node is None:
        _say(f"written. The board has no firmware yet: fieldpost deploy --port {where}")
    elif ready:
        tell.show(node, ready, bool(written))
    if not ok:
        raise typer.Exit(1)


def pull(
    folder: Annotated[
        Path | None, typer.Argument(metavar="FILE|DIR", help="By itself, a folder of its name.")
    ] = None,
    port: PortOption = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace a config.json that says something else.")
    ] = False,
    wait: WaitOption = WAIT_S,
    as_json: JsonOption = False,
) -> None:
    """Copy a node's config.json here, to be changed and pushed; never its secrets.

    The node is stopped for it and started again.
    """
    from fieldpost.progress import FlashScreen
    from fieldpost.push import cable, local

    with FlashScreen(steps=False) as screen, the_board(port, screen, wait) as link:
        where = link.port
        found = cable.look(link)
    target, is_new = local.keep(folder, found.config, force)
    if as_json:
        typer.echo(result({"where": where, "file": str(target), "changed": is_new}))
    else:
        _say(f"{where}: its configuration is in {target}" + ("" if is_new else ", as it was"))


def _show_changes(
    where: str, found: "Found", wanted: "Local", told: "list[Change]", cautions: list[str]
) -> None:
    chip = found.chip.name if found.chip else "a chip whose pins are not known"
    was, name = found.config.get("node"), wanted.config.get("node")
    node = f"node {name}" + (f", until now {was}" if was and was != name else "")
    _say(f"{where}: {chip}, {node}")
    for one in told:
        _say(f"  {one}")
    if not told:
        _say("  nothing to change: the board has all of it")
    for text in cautions:
        _say(f"  note: {text}")


def _say(text: str) -> None:
    typer.echo(fit(neutral(text), sys.stdout))
