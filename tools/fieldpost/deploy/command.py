"""`fieldpost deploy`: the project's files onto one board or all that are connected.

In the command line: `app.command()(deploy_command.deploy)`.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fieldpost.board.choose import WaitOption, complete_ports
from fieldpost.errors import BadFile, Usage
from fieldpost.options import DriversOption, JsonOption, NodeKeysOption
from fieldpost.terminal.result import all_of
from fieldpost.terminal.wrapping import fit

if TYPE_CHECKING:
    from fieldpost.board.screen import OwnScreen
    from fieldpost.deploy.deployment import Outcome, Wish


def deploy(
    port: Annotated[
        list[str] | None,
        typer.Option(help="The board's port; may be repeated.", autocompletion=complete_ports),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Every board that is connected.")] = False,
    umqtt: Annotated[
        Path | None,
        typer.Option(help="A umqtt.simple to install, its simple.py, even where there is one."),
    ] = None,
    drivers: DriversOption = None,
    keys: NodeKeysOption = None,
    start: Annotated[bool, typer.Option(help="Let the node run afterwards.")] = True,
    ready: Annotated[
        float, typer.Option(min=0, help="Seconds for the node to be ready; 0: do not wait.")
    ] = 30.0,
    wait: WaitOption = None,
    watch: Annotated[
        bool,
        typer.Option(
            "--watch", help="Show the console, and deploy again whenever a file changes."
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Make the board's files equal to ours, and start the node.

    Only what changed is sent. Interrupted anywhere, the board runs the old files or the new ones,
    and the next run completes it; where flash has no room for both, it runs nothing until then,
    and says so. Configuration, secrets and readings are never touched, and drivers of one's own
    stay until `fieldpost erase`. Status 0 only if every board has the files and its node is ready.
    """
    from fieldpost.board.choose import targets
    from fieldpost.deploy import deployment as deploying
    from fieldpost.drivers import folder as own_drivers
    from fieldpost.terminal.progress import FlashScreen

    # What is wrong with them is said before a board is looked for, unless they are being written.
    if drivers and not drivers.is_dir():
        raise BadFile(f"there is no folder {drivers}")
    if drivers and not watch:
        own_drivers.find(drivers).files()
    wish = deploying.Wish(
        umqtt=umqtt,
        drivers=drivers,
        keys=_keys_in(keys) if keys else None,
        start=start,
        ready_s=ready,
        wait_s=wait,
    )
    if watch:
        raise typer.Exit(_follow(port or [], wish, is_plain=not (every or as_json) and start))
    with FlashScreen() as screen:
        outcomes = _deploy_all(targets(port or [], every, screen, wait), wish, screen)
    if as_json:
        typer.echo(all_of("boards", [outcome.as_json() for outcome in outcomes], "deploying"))
    else:
        _show(outcomes)
    if not all(outcome.ok for outcome in outcomes):
        raise typer.Exit(1)


def _keys_in(folder: Path) -> bytes:
    # It takes a moment to load, and a board keeps the keys that it has.
    from fieldpost.keys.folder import KeyFolder

    return KeyFolder(folder).node_file()


def _follow(ports: list[str], wish: "Wish", *, is_plain: bool) -> int:
    from fieldpost.board import patience
    from fieldpost.board.choose import the_port
    from fieldpost.board.ports import port_named
    from fieldpost.deploy.follow import Follower
    from fieldpost.processes.programs import signals_end_it
    from fieldpost.terminal.progress import FlashScreen

    if len(ports) > 1 or not is_plain:
        raise Usage("--watch follows one board, which runs: no --all, --no-start or --json")
    with signals_end_it():
        where = the_port(ports[0] if ports else None)
        with FlashScreen(steps=False) as screen:
            # Later any port is waited for; now its name may be mistyped.
            patience.wait_s(port_named(where), wish.wait_s, screen)
            screen.finished(where)
        follower = Follower(
            where,
            wish,
            lambda line: print(fit(line, sys.stdout), flush=True),
        )
        try:
            return 0 if follower.run() else 1
        except KeyboardInterrupt:
            return 0  # That is how it ends; the board runs on.


def _deploy_all(ports: list[str], wish: "Wish", screen: "OwnScreen") -> "list[Outcome]":
    from concurrent.futures import ThreadPoolExecutor

    from fieldpost.deploy import deployment as deploying

    def one(port: str) -> "Outcome":
        outcome = deploying.deploy(port, wish, screen)
        screen.finished(port)
        return outcome

    if len(ports) == 1:
        # In this thread, so that Ctrl-C reaches it and the board is set going again.
        return [one(ports[0])]
    with ThreadPoolExecutor(max_workers=len(ports)) as pool:
        return list(pool.map(one, ports))


def _show(outcomes: "list[Outcome]") -> None:
    for one in outcomes:
        mark = "done" if one.ok else "failed"
        typer.echo(fit(f"{one.port}: {mark} in {one.seconds:g} s: {one.text}", sys.stdout))
        for line in one.console:
            typer.echo("    " + line)
        for warning in one.warnings:
            typer.echo(fit(f"{one.port}: note: {warning}", sys.stdout))
