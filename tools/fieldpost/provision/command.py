"""`fieldpost provision`: a node's network, broker and name."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fieldpost.board.choose import WaitOption, complete_ports, the_board
from fieldpost.errors import Cancelled, CommandError, Usage
from fieldpost.file_names import CHECKED, CONFIG, SECRETS, UPDATE_KEYS
from fieldpost.options import JsonOption, NodeKeysOption
from fieldpost.terminal.result import result
from fieldpost.terminal.safe_text import neutral
from fieldpost.terminal.wrapping import fit

if TYPE_CHECKING:
    from fieldpost.config.pins import Chip
    from fieldpost.mqtt.tls import ClientFiles
    from fieldpost.provision.node_files import Answers, NodeFiles

_QUESTIONS = {
    "ssid": "Wi-Fi network",
    "password": "Its password (not shown; empty: it is open)",
    "broker": "Broker, as 192.168.1.10 or mqtts://host (user and password come next)",
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
    config: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE|DIR",
            help="A config.json to write, with the secrets.json beside it. What they lack is "
            "asked for.",
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
    keys: NodeKeysOption = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Keep nothing of the files that are there.")
    ] = False,
    ready: Annotated[
        float, typer.Option(min=0, help="Seconds for the node to be ready; 0: do not wait.")
    ] = 30.0,
    wait: WaitOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a node's config.json and secrets.json: network, broker, name; and start it.

    Answers come from --from, then from FIELDPOST_WIFI_SSID, FIELDPOST_WIFI_PASSWORD,
    FIELDPOST_BROKER and FIELDPOST_NODE, then from --config, and are asked for otherwise.
    Everything else that is configured stays as it is. Secrets are never shown.
    """
    from dataclasses import replace

    from fieldpost.board import files as board_files
    from fieldpost.config import pins
    from fieldpost.keys import on_board
    from fieldpost.keys.folder import KeyFolder
    from fieldpost.mqtt.tls import ClientFiles
    from fieldpost.node_start import tell, watch
    from fieldpost.provision import node_files as provisioning
    from fieldpost.terminal.progress import FlashScreen

    if port and to:
        raise Usage("give either --port or --to")
    own = {UPDATE_KEYS: KeyFolder(keys).node_file()} if keys else {}
    given = provisioning.merged(
        *([provisioning.read_answers(source)] if source else []), provisioning.from_environment()
    )
    tls = ClientFiles(ca, cert, key)
    base = provisioning.read_from_file(config) if config else None
    if not base and not given.missing():
        provisioning.make(given, tls)  # Wrong answers are found before any board is stopped.
    may_ask = not as_json and sys.stdin.isatty()
    if to:
        known = (None, None) if fresh else provisioning.read_from_folder(to)
        files, cautions = _files(given, tls, config, base, known, None, may_ask)
        files = replace(files, others=files.others | own)
        _confirm(str(to), files, cautions, may_ask, as_json)
        provisioning.put_in_folder(to, files)
        if as_json:
            typer.echo(result(_told(str(to), files, cautions)))
        else:
            _say(f"{to}: {_written(files)}")
            _say(
                f"{CHECKED} spares a board the check of the other two, and is made anew with them"
            )
            _say(f"See: fieldpost config check {to}")
        return
    # Before anything is asked: nobody types four answers for a board that is not there.
    with FlashScreen(steps=False) as screen:
        link = the_board(port, screen, wait)
    with link:
        there = board_files.list_files(link)
        known = (None, None) if fresh else provisioning.read_from_board(link, there)
        files, cautions = _files(given, tls, config, base, known, pins.chip_on(link), may_ask)
        if own:
            own[UPDATE_KEYS] = on_board.raised(own[UPDATE_KEYS], on_board.there(link))
        files = replace(files, others=files.others | own)
        _confirm(link.port, files, cautions, may_ask, as_json)
        provisioning.put_on_board(link, files.contents())
        node = None
        is_deployed = "/main.py" in there
        if is_deployed:
            with FlashScreen(steps=False) as screen:
                node = watch.restart(link, screen, ready)
    ok = not is_deployed or not ready or tell.measures(node)
    if as_json:
        told = _told(link.port, files, cautions) | tell.as_json(node)
        failure = None if ok else ("not_measuring", "its node does not measure with it")
        typer.echo(result(told, failure))
    else:
        _say(f"{link.port}: {_written(files)}")
        if node is None:
            _say(f"Next: fieldpost deploy --port {link.port}")
        elif ready:
            tell.show(node, ready)
    if not ok:
        raise typer.Exit(1)


def _files(
    given: "Answers",
    tls: "ClientFiles",
    path: Path | None,
    base: "tuple[dict[str, Any], dict[str, Any] | None] | None",
    known: "tuple[dict[str, Any] | None, dict[str, Any] | None]",
    chip: "Chip | None",
    may_ask: bool,
) -> "tuple[NodeFiles, list[str]]":
    """The files, and what may be wrong with them. base: of --config, whose secrets may be missing;
    known: of the board or folder. What neither has is asked for."""
    from dataclasses import replace

    from fieldpost.config import files as config_files
    from fieldpost.config import pins, report
    from fieldpost.provision import node_files as provisioning

    config, secrets = known
    others: dict[str, bytes] = {}
    if base and path:
        config, beside = base
        others = provisioning.certificates_beside(path, config)
        secrets = provisioning.secrets_for(config, *known) if beside is None else beside
        answers = _ask(given, may_ask, tls, provisioning.unanswered(given, config, secrets or {}))
    else:
        answers = _ask(given, may_ask, tls)
    files = provisioning.make(answers, tls, config, secrets, chip)
    files = replace(files, others=others | files.others)
    contents = files.contents()
    settings, _ = config_files.check_bytes(contents[CONFIG], contents[SECRETS])
    assert settings  # `make` has checked them.
    of_pins = pins.check(settings, chip)[1] if chip else []
    return files, report.cautions(settings) + of_pins


def _confirm(
    where: str, files: "NodeFiles", cautions: list[str], may_ask: bool, as_json: bool
) -> None:
    """Show what is about to be written, and ask a person who sits there."""
    if as_json:
        return
    config, secrets = files.config, files.secrets
    networks = ", ".join(str(one["ssid"]) for one in secrets["wifi"])
    mqtt = config["mqtt"]
    scheme, usual = ("mqtts", 8883) if mqtt.get("tls") else ("mqtt", 1883)
    login = "with a login" if secrets.get("mqtt") else "without a login"
    sensors = ", ".join(str(one["type"]) for one in config.get("sensors", ()))
    _say(f"{where}:")
    _say(f"  node     {config['node']}")
    _say(f"  Wi-Fi    {networks}")
    _say(f"  broker   {scheme}://{mqtt['host']}:{mqtt.get('port', usual)}, {login}")
    _say(f"  sensors  {sensors or 'as by default'}")
    for text in cautions:
        _say(f"  note: {text}")
    if may_ask and not typer.confirm("Write this?", default=True):
        raise Cancelled("nothing was written")


def _told(where: str, files: "NodeFiles", cautions: list[str]) -> dict[str, Any]:
    return {
        "where": where,
        "node": files.config["node"],
        "files": sorted(files.contents()),
        "warnings": cautions,
    }


def _written(files: "NodeFiles") -> str:
    return f"{', '.join(sorted(files.contents()))} written for node {files.config['node']}"


def _say(text: str) -> None:
    typer.echo(fit(neutral(text), sys.stdout))


def _ask(
    given: "Answers", may_ask: bool, tls: "ClientFiles", wanted: list[str] | None = None
) -> "Answers":
    from fieldpost.provision.node_files import VARIABLES, Answers

    found = {name: getattr(given, name) for name in VARIABLES}
    for name in given.missing() if wanted is None else wanted:
        if not may_ask:
            raise Usage(
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
        fit(question, sys.stdout),
        hide_input=is_hidden,
        default="" if may_be_empty else None,
        show_default=False,
    )
    return answer
