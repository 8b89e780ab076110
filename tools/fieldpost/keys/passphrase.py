"""Where the passphrase of a key comes from: a file, the environment, or whoever sits there."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import typer

from fieldpost.errors import BadFile, Usage
from fieldpost.terminal.wrapping import fit

Made = TypeVar("Made")
VARIABLE = "FIELDPOST_KEY_PASSPHRASE"


class Unfit(Usage):
    """A passphrase that nobody should take."""


class NotOpened(BadFile):
    """A key does not open with a passphrase."""


def with_passphrase(
    file: Path | None,
    what: str,
    use: Callable[[str], Made],
    *,
    may_ask: bool,
    twice: bool = False,
) -> Made:
    """What `use` makes of it.

    Who types one that `use` does not take (it raises Unfit or NotOpened), or with `twice` another
    one the second time, is asked again. file: its first line. what: the key's name, for the
    question. Raises CommandError.
    """
    given = _given(file)
    if given is not None:
        return use(given)
    if not (may_ask and sys.stdin.isatty()):
        raise Usage(
            f"the passphrase of {what} is missing: give it in {VARIABLE}, or with "
            "--passphrase-file FILE"
        )
    while True:
        typed = _typed(f"Passphrase of {what} (not shown)")
        try:
            made = use(typed)
        except (Unfit, NotOpened) as error:
            _say(str(error))
            continue
        if not twice or _typed("The same again") == typed:
            return made
        _say("these are two different ones")


def _given(file: Path | None) -> str | None:
    if not file:
        return os.environ.get(VARIABLE)
    try:
        return file.read_text(encoding="utf-8").partition("\n")[0].rstrip("\r")
    except OSError as error:
        raise BadFile(f"cannot read {file}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise BadFile(f"{file} is not UTF-8") from None


def _typed(question: str) -> str:
    typed: str = typer.prompt(fit(question, sys.stderr), hide_input=True, err=True)
    return typed


def _say(text: str) -> None:
    typer.echo(fit(text, sys.stderr), err=True)
