"""`fieldpost provision`: a node's network, broker and name."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fieldpost.errors import CommandError
from fieldpost.wrapping import fit

if TYPE_CHECKING:
    from fieldpost.mqtt.tls import ClientFiles
    from fieldpost.provision.node_files import Answers

_QUESTIONS = {
    "ssid": "Wi-Fi network",
    "password": "Its password (not shown; empty for an open network)",
    "broker": "Broker, as mqtt://192.168.1.10 or mqtt://user:password@host:1883 (not shown)",
    "node": "Name of this node (a-z, 0-9, - and _)",
}
_HIDDEN = ("password", "broker")


def provision(
    port: Annotated[
        str | None, typer.Option(help="The board's port; by itself, the one that is connected.")
    ] = None,
    source: Annotated[
        Path | None,
        typer.Option(
            "--from", help="TOML or JSON with ssid, password, broker, node; the rest is asked for."
        ),
    ] = None,
    to: Annotated[
        Path | None, typer.Option(help="Write to this folder, instead of a board.")
    ] = None,
    ca: Annotated[
        Path | None, typer.Option(help="For mqtts://: who signed the broker's certificate.")
    ] = None,
    cert: Annotated[
        Path | None, typer.Option(help="The node's own certificate, if the broker asks for one.")
    ] = None,
    key: Annotated[Path | None, typer.Option(help="The key of that certificate.")] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Keep nothing of the files that are there.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For scripts: asks nothing.")] = False,
) -> None:
    """Write a node's config.json and secrets.json: network, broker, name.

    Answers come from --from, then from FIELDPOST_WIFI_SSID, FIELDPOST_WIFI_PASSWORD,
    FIELDPOST_BROKER and FIELDPOST_NODE, and are asked for otherwise. Everything else that is
    configured stays as it is. Secrets are never shown.
    """
    from fieldpost.mqtt.tls import ClientFiles
    from fieldpost.provision import node_files as provisioning

    if port and to:
        raise CommandError("give either --port or --to")
    given = provisioning.merged(
        *([provisioning.read_answers(source)] if source else []), provisioning.from_environment()
    )
    tls = ClientFiles(ca, cert, key)
    answers = _ask(given, not as_json and sys.stdin.isatty(), tls)
    if to:
        known = (None, None) if fresh else provisioning.read_from_folder(to)
        files = provisioning.make(answers, tls, *known)
        provisioning.put_in_folder(to, files)
        where = str(to)
    else:
        from fieldpost.board.choose import the_port
        from fieldpost.board.link import open_link
        from fieldpost.config import pins

        # Wrong answers are found before any board is stopped.
        provisioning.make(answers, tls)
        where = the_port(port)
        with open_link(where) as link:
            known = (None, None) if fresh else provisioning.read_from_board(link)
            files = provisioning.make(answers, tls, *known, pins.chip_on(link))
            provisioning.put_on_board(link, files)
    names = sorted(files.contents())
    if as_json:
        result = {"ok": True, "where": where, "node": answers.node, "files": names}
        typer.echo(json.dumps(result, indent=2))
        return
    typer.echo(f"{where}: {', '.join(names)} written for node {answers.node}")
    typer.echo(
        f"Next: fieldpost deploy --port {where}" if not to else f"See: fieldpost config check {to}"
    )


def _ask(given: "Answers", may_ask: bool, tls: "ClientFiles") -> "Answers":
    from fieldpost.provision.node_files import VARIABLES, Answers

    found = {name: getattr(given, name) for name in VARIABLES}
    for name in given.missing():
        if not may_ask:
            raise CommandError(
                f"the {name} is missing: give it with --from FILE, or in the variable "
                f"{VARIABLES[name]}"
            )
        found[name] = _answer(name, tls)
    return Answers(**found)


def _answer(name: str, tls: "ClientFiles") -> str:
    """Asked again until it is possible: nobody types four answers twice for a slip in the last."""
    from fieldpost.provision.node_files import check_answer

    while True:
        answer: str = typer.prompt(
            _QUESTIONS[name],
            hide_input=name in _HIDDEN,
            default="" if name == "password" else None,
            show_default=False,
        )
        try:
            check_answer(name, answer, tls)
        except CommandError as error:
            typer.echo(fit(str(error), sys.stderr), err=True)
            continue
        return answer
