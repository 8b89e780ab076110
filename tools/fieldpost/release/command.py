"""`fieldpost release …`: the command line of make.py and folder.py."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from typer.core import TyperGroup

from fieldpost.errors import Usage
from fieldpost.keys.command import FOLDER, FolderOption, PassphraseOption
from fieldpost.options import JsonOption
from fieldpost.terminal.result import result

if TYPE_CHECKING:
    from fieldpost.keys.folder import Key, KeyFolder
    from fieldpost.keys.signer import Signer
    from fieldpost.release.make import Draft
    from fieldpost.release.manifest import Manifest

OUT = Path("releases")
_HELP = ("-h", "--help")


class _MakesByItself(TyperGroup):
    """`fieldpost release` alone makes one."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not args or (args[0] not in self.commands and args[0] not in _HELP):
            args = ["make", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    help="Releases for updates over the air: `fieldpost release` makes one.",
    cls=_MakesByItself,
    pretty_exceptions_enable=False,
)


@app.command("make")
def make_command(
    platform: Annotated[
        list[str] | None,
        typer.Option(help="rp2 or esp32; may be repeated. By itself, both.", metavar="NAME"),
    ] = None,
    image: Annotated[
        list[Path] | None,
        typer.Option(
            help="In place of the firmware, all of MicroPython for an ESP32: a .bin or .app-bin. "
            "May be repeated.",
            metavar="FILE",
        ),
    ] = None,
    chip: Annotated[
        str | None, typer.Option(help="What the images must be for: esp32c3.", metavar="NAME")
    ] = None,
    umqtt: Annotated[
        Path | None,
        typer.Option(help="A umqtt.simple to put in, its simple.py, also for an ESP32."),
    ] = None,
    counter: Annotated[
        int | None,
        typer.Option(
            min=1, help="Not the next one, but this; the same release can be made again with its."
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="Where its folder goes.")] = OUT,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Build it and say what it is; write nothing.")
    ] = False,
    role: Annotated[
        Literal["update", "next", "old"],
        typer.Option("--key", help="Which key signs: the one in use, or another."),
    ] = "update",
    sign_with: Annotated[
        str | None,
        typer.Option(
            metavar="COMMAND",
            help="A program that signs with a key that is not here: data in, signature out.",
        ),
    ] = None,
    passphrase_file: PassphraseOption = None,
    as_json: JsonOption = False,
    folder: FolderOption = FOLDER,
) -> None:
    """Build the firmware of this checkout, and sign it.

    The same sources give the same bytes. Its counter is one more than that of the release before.
    """
    from fieldpost.keys.folder import KeyFolder
    from fieldpost.release import folder as release_folder
    from fieldpost.release import make
    from fieldpost.terminal.progress import FlashScreen

    if image and (platform or umqtt):
        raise Usage("a release has the firmware, or images: not both")
    if chip and not image:
        raise Usage("--chip goes with --image")
    keys = KeyFolder(folder)
    key, past = keys.key(role), keys.history()
    if image:
        draft = make.draft_images(image, chip, past, counter)
    else:
        with FlashScreen(steps=False) as screen:
            draft = make.draft_packs(
                platform or make.PLATFORMS,
                past,
                counter,
                umqtt=umqtt,
                on_build=lambda name: screen.progress(name, "compiling", 0, None),
            )
    told: dict[str, Any] = {
        "folder": None,
        "version": draft.version,
        "counter": draft.counter,
        "artefacts": [_as_json(name, one) for name, (one, _) in draft.manifests.items()],
        "dry_run": dry_run,
    }
    if not as_json:
        _say(draft)
    if dry_run:
        if as_json:
            typer.echo(result(told))
        else:
            typer.echo("nothing was written: this was a dry run")
        return
    made = make.sign(draft, _signer(keys, key, sign_with, passphrase_file, as_json), out)
    # The counter first: were it used twice, nodes would take two things for one.
    past.add(draft.entry())
    is_new = release_folder.save(made)
    if as_json:
        typer.echo(result(told | {"folder": str(made.folder)}))
        return
    typer.echo(
        f"{made.folder}: signed by {key.public.fingerprint}{'' if is_new else ', as it was'}"
    )
    typer.echo(f"Next: fieldpost update --release {made.folder} --all --canary 1")


@app.command("show")
def show_command(
    release: Annotated[Path, typer.Argument(help="Its folder.", metavar="FOLDER")],
    as_json: JsonOption = False,
    folder: FolderOption = FOLDER,
) -> None:
    """Say what a release is, and check all of it: hashes, manifests, signatures."""
    from fieldpost.keys.folder import KeyFolder
    from fieldpost.release import folder as release_folder

    found = release_folder.load(release)
    by = found.check_signed([one.public for one in KeyFolder(folder).all_keys()])
    if as_json:
        told = {
            "folder": str(release),
            "version": found.version,
            "counter": found.counter,
            "artefacts": [
                {**_as_json(one.name, one.manifest), "signed_by": key.fingerprint}
                for one, key in zip(found.artefacts, by, strict=True)
            ],
        }
        typer.echo(result(told))
        return
    typer.echo(f"{found.what}: whole, and signed")
    for one, key in zip(found.artefacts, by, strict=True):
        typer.echo(f"  {_words(one.name, one.manifest)}, by {key.fingerprint}")


def _signer(
    keys: "KeyFolder",
    key: "Key",
    sign_with: str | None,
    passphrase_file: Path | None,
    as_json: bool,
) -> "Signer":
    from fieldpost.keys.passphrase import with_passphrase
    from fieldpost.keys.signer import ProgramSigner, check_mode

    if sign_with is not None:
        return ProgramSigner(sign_with, key.public)
    if key.private is None:
        return keys.signer(key.role, "")  # which says that it is not here
    check_mode(key.private)
    return with_passphrase(
        passphrase_file,
        str(key.private),
        lambda text: keys.signer(key.role, text),
        may_ask=not as_json,
    )


def _say(draft: "Draft") -> None:
    for name, (told, _) in draft.manifests.items():
        typer.echo(_words(name, told))


def _words(name: str, told: "Manifest") -> str:
    needs = f"bytecode {told.mpy}, MicroPython {'.'.join(map(str, told.least))} or newer"
    return (
        f"{name}: {told.version}, counter {told.counter}, {told.size} bytes, "
        f"{told.sha16}, {needs if told.kind == 'pack' else f'for {told.chip}'}"
    )


def _as_json(name: str, told: "Manifest") -> dict[str, Any]:
    return {
        "name": name,
        "kind": told.kind,
        "platform": told.platform,
        "chip": told.chip,
        "version": told.version,
        "size": told.size,
        "sha256": told.sha256,
    }
