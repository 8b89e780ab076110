"""`fieldpost certs …`: the command line of authority.py and mosquitto.py."""

import json
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Annotated

import typer

from fieldpost.errors import BadFile, Usage
from fieldpost.options import JsonOption
from fieldpost.terminal.result import result

if TYPE_CHECKING:
    from fieldpost.certs.authority import Certificate

app = typer.Typer(
    help="Certificates for TLS: an authority of your own, for the broker, its nodes, its people.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
_SOON_DAYS = 60
_PORT = 8883  # As mosquitto.py has it, which is loaded when it is asked for.

Folder = Annotated[
    Path,
    typer.Option("--dir", help="The folder of the authority.", envvar="FIELDPOST_CERTS"),
]
Days = Annotated[
    int | None, typer.Option(min=1, max=40 * 365, help="How long it is valid. Has a default.")
]
_FOLDER = Path("certs")


@app.command("ca")
def ca_command(
    name: Annotated[str, typer.Option(help="What it is called.")] = "Fieldpost CA",
    days: Days = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace one that exists: all it signed is void.")
    ] = False,
    as_json: JsonOption = False,
    folder: Folder = _FOLDER,
) -> None:
    """Make a certificate authority."""
    from fieldpost.certs.authority import CA_DAYS, Authority

    if not 1 <= len(name) <= 64:
        raise Usage("--name must have 1 to 64 characters")
    made = Authority(folder).create(name, days or CA_DAYS, force=force)
    if as_json:
        _tell([made])
        return
    typer.echo(f"{made.path}: {_term(made)}")
    typer.echo(f"Keep {folder}/ca.key to yourself: whoever has it can be any node of yours.")
    typer.echo(f"Next: fieldpost certs server HOST{_given(folder)}")


@app.command("server")
def server_command(
    names: Annotated[
        list[str],
        typer.Argument(help="Host names and addresses that nodes may use.", metavar="HOST..."),
    ],
    days: Days = None,
    as_json: JsonOption = False,
    folder: Folder = _FOLDER,
) -> None:
    """Make the broker's certificate."""
    from fieldpost.certs.authority import SERVER_DAYS, Authority

    made = Authority(folder).issue_server(names, days or SERVER_DAYS)
    if as_json:
        _tell([made])
        return
    typer.echo(f"{made.path}, for {', '.join(made.names)}: {_term(made)}")
    typer.echo(f"Next: fieldpost certs node NAME{_given(folder)}")


@app.command("node")
def node_command(
    names: Annotated[list[str], typer.Argument(help="As in config.json.", metavar="NODE...")],
    days: Days = None,
    as_json: JsonOption = False,
    folder: Folder = _FOLDER,
) -> None:
    """Make a certificate for each node, and say what to put into its config.json."""
    from fieldpost.certs.authority import NODE_DAYS, Authority

    done = [Authority(folder).issue_node(name, days or NODE_DAYS) for name in names]
    if as_json:
        _tell(done)
        return
    for made in done:
        typer.echo(f"{made.path.parent}/: ca.der, cert.der, key.der: {_term(made)}")
    typer.echo("The three files go into the folder certs/ on the board; in config.json:")
    files = {f"{one}_file": f"certs/{one}.der" for one in ("ca", "cert", "key")}
    typer.echo(f'  "mqtt": {{"host": …, "tls": {json.dumps(files)}}}')
    typer.echo(f"Next: fieldpost certs mosquitto{_given(folder)}")


@app.command("person")
def person_command(
    names: Annotated[list[str], typer.Argument(metavar="NAME...")],
    days: Days = None,
    as_json: JsonOption = False,
    folder: Folder = _FOLDER,
) -> None:
    """Make a certificate for somebody, or a program, that reads and commands all nodes.

    The broker knows of them after `fieldpost certs mosquitto`.
    """
    from fieldpost.certs.authority import PERSON_DAYS, Authority

    done = [Authority(folder).issue_person(name, days or PERSON_DAYS) for name in names]
    if as_json:
        _tell(done)
        return
    for made in done:
        place = made.path.parent
        typer.echo(f"{place}/: ca.crt, client.crt, client.key: {_term(made)}")
        typer.echo(
            f"  fieldpost listen --broker mqtts://HOST --ca {place}/ca.crt "
            f"--cert {made.path} --key {place}/client.key 'fieldpost/#'"
        )
    typer.echo(f"Next: fieldpost certs mosquitto{_given(folder)}")


@app.command("mosquitto")
def mosquitto_command(
    port: Annotated[int, typer.Option(min=1, max=65535)] = _PORT,
    bind: Annotated[str | None, typer.Option(help="Listen on this address alone.")] = None,
    base: Annotated[str, typer.Option(help="As mqtt.base of the nodes.")] = "fieldpost",
    home_assistant: Annotated[
        bool, typer.Option("--home-assistant", help="Let nodes announce themselves to it.")
    ] = False,
    at: Annotated[
        PurePosixPath | None,
        typer.Option(
            help="Where the folder will lie on the broker's machine, if not here.",
            parser=PurePosixPath,
            metavar="FOLDER",
        ),
    ] = None,
    as_json: JsonOption = False,
    folder: Folder = _FOLDER,
) -> None:
    """Write the configuration of Mosquitto: TLS, nobody anonymous, each node its own topic."""
    from fieldpost.certs import mosquitto
    from fieldpost.certs.authority import Authority

    path = mosquitto.write_configuration(
        Authority(folder),
        port=port,
        bind=bind,
        base=base,
        home_assistant=home_assistant,
        at=at,
    )
    if as_json:
        typer.echo(result({"files": [str(path), str(path.parent / "acl")]}))
        return
    if at is None:
        typer.echo(f"{path} and acl. To try it here: mosquitto -c {path}")
    else:
        typer.echo(f"{path} and acl. On the broker's machine, as root:")
        typer.echo(f"  install -d -o mosquitto -m 700 {at}")
        typer.echo(f"  install -o mosquitto -m 600 {path.parent}/* {at}/")
        typer.echo(f"  ln -s {at}/mosquitto.conf /etc/mosquitto/conf.d/fieldpost.conf")
        typer.echo("  systemctl restart mosquitto")


@app.command("show")
def show_command(as_json: JsonOption = False, folder: Folder = _FOLDER) -> None:
    """Show all certificates and when they expire. Status 1 if one has expired."""
    from rich.table import Table

    from fieldpost.certs.authority import Authority
    from fieldpost.terminal.console import Console

    found = Authority(folder).certificates()
    if as_json:
        expired = [one.name for one in found if one.days_left() < 0]
        failure = ("expired", ", ".join(expired)) if expired else None
        typer.echo(result({"certificates": [_as_json(one) for one in found]}, failure))
    else:
        table = Table("", "name", "valid for", "until", box=None)
        for one in found:
            table.add_row(
                one.kind,
                one.name,
                ", ".join(one.names) if one.kind == "server" else "",
                _until(one),
                style="red" if one.days_left() < 0 else None,
            )
        Console(highlight=False, markup=False, emoji=False).print(table)
        if any(one.days_left() < _SOON_DAYS and one.kind != "ca" for one in found):
            typer.echo(f"Next: fieldpost certs renew{_given(folder)}")
    raise typer.Exit(1 if any(one.days_left() < 0 for one in found) else 0)


@app.command("renew")
def renew_command(
    names: Annotated[
        list[str] | None, typer.Argument(help="Which; else all that expire soon.", metavar="NAME…")
    ] = None,
    within: Annotated[int, typer.Option(help="Days that count as soon.", min=0)] = _SOON_DAYS,
    days: Days = None,
    as_json: JsonOption = False,
    folder: Folder = _FOLDER,
) -> None:
    """Make certificates anew, with new keys, for the same names."""
    from fieldpost.certs.authority import Authority

    authority = Authority(folder)
    found = [one for one in authority.certificates() if one.kind != "ca"]
    if names:
        unknown = sorted(set(names) - {one.name for one in found})
        if unknown:
            raise BadFile(f"there is no certificate of {', '.join(unknown)} in {folder}")
        chosen = [one for one in found if one.name in names]
    else:
        chosen = [one for one in found if one.days_left() < within]
    done = [authority.renew(one, days) for one in chosen]
    if as_json:
        _tell(done)
        return
    for made in done:
        typer.echo(f"{made.kind} {made.name}: {_term(made)}")
    if not chosen:
        typer.echo(f"nothing expires within {within} days")
    if any(one.kind == "server" for one in chosen):
        typer.echo("Give Mosquitto its new files and restart it.")
    if any(one.kind == "node" for one in chosen):
        typer.echo("Put the new files onto the boards: the old ones hold until they expire.")


def _tell(made: "list[Certificate]") -> None:
    typer.echo(result({"certificates": [_as_json(one) for one in made]}))


def _term(made: "Certificate") -> str:
    return f"valid until {_until(made)}"


def _until(made: "Certificate") -> str:
    left = made.days_left()
    when = f"{made.expires:%Y-%m-%d}"
    return f"{when} ({left} days)" if left >= 0 else f"{when} (EXPIRED)"


def _as_json(one: "Certificate") -> dict[str, object]:
    return {
        "kind": one.kind,
        "name": one.name,
        "names": list(one.names),
        "expires": one.expires.isoformat(),
        "days_left": one.days_left(),
        "path": str(one.path),
    }


def _given(folder: Path) -> str:
    return "" if folder == _FOLDER else f" --dir {folder}"
