"""`fieldpost keys …`: the command line of folder.py."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fieldpost.errors import Cancelled, Usage
from fieldpost.options import JsonOption
from fieldpost.terminal.result import result

if TYPE_CHECKING:
    from fieldpost.keys.folder import Key

app = typer.Typer(
    help="Keys that updates over the air are signed with.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
FOLDER = Path("keys")
FolderOption = Annotated[
    Path, typer.Option("--dir", help="The folder of the keys.", envvar="FIELDPOST_KEYS")
]
PassphraseOption = Annotated[
    Path | None,
    typer.Option(
        "--passphrase-file",
        help="Its first line opens the key; FIELDPOST_KEY_PASSPHRASE does, too.",
        metavar="FILE",
    ),
]
AdoptOption = Annotated[
    Path | None,
    typer.Option(
        "--public",
        help="The public key, as PEM, of one that lies elsewhere, as in a token.",
        metavar="FILE",
    ),
]


@app.command("new")
def new_command(
    adopted: AdoptOption = None,
    passphrase_file: PassphraseOption = None,
    as_json: JsonOption = False,
    folder: FolderOption = FOLDER,
) -> None:
    """Make a key, with a passphrase.

    Nodes get its public half by `fieldpost deploy --keys` or `provision --keys`.
    """
    from fieldpost.keys.folder import KeyFolder

    keys = KeyFolder(folder)
    if adopted:
        made = keys.adopt(adopted)
    else:
        keys.check_new()  # Nobody types a passphrase for a folder that has a key.
        made = keys.create(_new_passphrase(passphrase_file, "the new key", as_json))
    if as_json:
        _tell([made])
        return
    typer.echo(f"{made.path}: {made.public.fingerprint}")
    if made.private:
        typer.echo(f"Keep {made.private} to yourself: whoever has it can update your nodes.")
    typer.echo("Keep a copy of the folder, and its passphrase, at a second place.")
    typer.echo(f"Next: fieldpost deploy --keys {folder}")


@app.command("show")
def show_command(as_json: JsonOption = False, folder: FolderOption = FOLDER) -> None:
    """Show the keys, and the newest release that was signed with them."""
    from fieldpost.keys.folder import KeyFolder

    keys = KeyFolder(folder)
    found, past = keys.all_keys(), keys.history()
    if as_json:
        newest = past.releases[-1] if past.releases else None
        told = {
            "keys": [_as_json(one) for one in found],
            "counter": past.counter,
            "newest": newest and vars(newest),
        }
        typer.echo(result(told))
        return
    for one in found:
        where = "" if one.private else ", its private half is not here"
        typer.echo(f"{one.role:6}  {one.public.fingerprint}  {_MEANING[one.role]}{where}")
    if not past.releases:
        typer.echo("nothing was released with them yet")
        return
    newest = past.releases[-1]
    typer.echo(f"newest release: {newest.version}, counter {newest.counter}, of {newest.made}")


@app.command("rotate")
def rotate_command(
    finish: Annotated[
        bool,
        typer.Option(
            "--finish", help="The next key takes the place of the one in use from now on."
        ),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="With --finish: do not ask.")] = False,
    adopted: AdoptOption = None,
    passphrase_file: PassphraseOption = None,
    as_json: JsonOption = False,
    folder: FolderOption = FOLDER,
) -> None:
    """Make the key that will follow the one in use.

    Nodes believe both as soon as they have been deployed to with --keys. Then --finish changes
    over. docs/updates.md says what to do when a key is lost or stolen.
    """
    import sys

    from fieldpost.keys.folder import KeyFolder

    keys = KeyFolder(folder)
    if finish:
        if adopted:
            raise Usage("--finish adopts no key: rotate does, before it")
        if not yes:
            if as_json or not sys.stdin.isatty():
                raise Usage("--finish needs --yes where nobody can be asked")
            question = "Nodes that do not know the next key take no more updates. Go on?"
            if not typer.confirm(question, err=True):
                raise Cancelled("the keys are as they were")
        made = keys.finish()
    elif adopted:
        made = keys.rotate(None, adopted)
    else:
        keys.check_next()  # Nor for one that has no key, or a next one.
        made = keys.rotate(_new_passphrase(passphrase_file, "the next key", as_json))
    if as_json:
        _tell([made])
        return
    if finish:
        typer.echo(f"releases are signed with {made.public.fingerprint} from now on")
        typer.echo(f"Next: fieldpost deploy --keys {folder}, so that nodes forget the old one")
        return
    typer.echo(f"{made.path}: {made.public.fingerprint}")
    typer.echo(
        f"Next: fieldpost deploy --keys {folder}, for each node. Then: keys rotate --finish"
    )


_MEANING = {
    "update": "releases are signed with it",
    "next": "nodes that were deployed to since believe it, too",
    "old": "was in use before",
}


def _new_passphrase(file: Path | None, what: str, as_json: bool) -> str:
    from fieldpost.keys.folder import checked_passphrase
    from fieldpost.keys.passphrase import with_passphrase

    return with_passphrase(file, what, checked_passphrase, may_ask=not as_json, twice=True)


def _tell(made: "list[Key]") -> None:
    typer.echo(result({"keys": [_as_json(one) for one in made]}))


def _as_json(one: "Key") -> dict[str, Any]:
    return {
        "role": one.role,
        "fingerprint": one.public.fingerprint,
        "public": str(one.path),
        "private": None if one.private is None else str(one.private),
    }
