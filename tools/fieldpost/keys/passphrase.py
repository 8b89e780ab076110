"""Where the passphrase of a key comes from: a file, the environment, or whoever sits there."""

import os
import sys
from pathlib import Path

import typer

from fieldpost.errors import BadFile, Usage
from fieldpost.terminal.wrapping import fit

VARIABLE = "FIELDPOST_KEY_PASSPHRASE"


def passphrase(file: Path | None, what: str, *, may_ask: bool, twice: bool = False) -> str:
    """file: its first line. what: the key's name, for the question. Raises CommandError."""
    if file:
        try:
            return file.read_text(encoding="utf-8").partition("\n")[0].rstrip("\r")
        except OSError as error:
            raise BadFile(f"cannot read {file}: {error.strerror}") from None
        except UnicodeDecodeError:
            raise BadFile(f"{file} is not UTF-8") from None
    given = os.environ.get(VARIABLE)
    if given is not None:
        return given
    if not (may_ask and sys.stdin.isatty()):
        raise Usage(
            f"the passphrase of {what} is missing: give it in {VARIABLE}, or with "
            "--passphrase-file FILE"
        )
    typed: str = typer.prompt(
        fit(f"Passphrase of {what} (not shown)", sys.stderr),
        hide_input=True,
        confirmation_prompt=twice,
        err=True,
    )
    return typed
