"""`fieldpost provision`: a node's network, broker and name."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fieldpost.board.choose import complete_ports
from fieldpost.errors import CommandError
from fieldpost.terminal import to_json
from fieldpost.wrapping import fit

if TYPE_CHECKING:
    from fieldpost.mqtt.tls import ClientFiles
    from fieldpost.provision.node_files import Answers

_QUESTIONS = {
    "ssid": "Wi-Fi network",
    "password": "Its password (not shown; empty for an open network)",
    "broker": "Broker, as 192.168.1.10 or mqtts://host; its user and password are asked for",
    "node": "Name of this node (a-z, 0-9, - and _)",
}


def provision(
    port: Annotated[
        str | None,
        typer.Option(
            help="The board's port; by itself, the one that is connected.",
            autocompletion=complete_ports,
        ),
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
    if to is None:
        from fieldpost.board.choose import the_port

        # Before anything is asked: nobody types four answers for a board that is not there.
        port = the_port(port)
    answers = _ask(given, not as_json and sys.stdin.isatty(), tls)
    if to:
        known = (None, None) if fresh else provisioning.read_from_folder(to)
        files = provisioning.make(answers, tls, *known)
        provisioning.put_in_folder(to, files)
        where = str(to)
    else:
        from fieldpost.board.link import open_link
        from fieldpost.config import pins

        # Wrong answers are found before any board is stopped.
        provisioning.make(answers, tls)
        assert port
        where = port
        with open_link(where) as link:
            known = (None, None) if fresh else provisioning.read_from_board(link)
            files = provisioning.make(answers, tls, *known, pins.chip_on(link))
            provisioning.put_on_board(link, files.contents())
    names = sorted(files.contents())
    if as_json:
        result = {"ok": True, "where": where, "node": answers.node, "files": names}
        typer.echo(to_json(result, indent=2))
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

    is_password = name == "password"
    while True:
        answer = _typed(_QUESTIONS[name], is_hidden=is_password, may_be_empty=is_password)
        try:
            check_answer(name, answer, tls)
        except CommandError as error:
            typer.echo(fit(str(error), sys.stderr), err=True)
            continue
        return _with_login(answer, tls) if name == "broker" else answer


def _with_login(broker: str, tls: "ClientFiles") -> str:
    """The address of the broker with the node's user and password, which are asked for unless
    they stand in it."""
    from urllib.parse import quote

    from fieldpost.mqtt import url as mqtt_url

    address = mqtt_url.parse(broker, tls)
    if address.user is not None:
        return broker
    user = _typed("Its user for this node (empty: it wants none)", may_be_empty=True)
    if not user:
        return broker
    password = _typed("That user's password (not shown)", is_hidden=True, may_be_empty=True)
    login = ":".join(quote(word, safe="") for word in (user, password) if word)
    scheme, _, place = str(address).partition("://")
    return f"{scheme}://{login}@{place}"


def _typed(question: str, *, is_hidden: bool = False, may_be_empty: bool = False) -> str:
    answer: str = typer.prompt(
        question,
        hide_input=is_hidden,
        default="" if may_be_empty else None,
        show_default=False,
    )
    return answer
