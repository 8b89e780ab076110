"""The command `fieldpost`, from its first moment on: Ctrl-C while it still loads is no fault."""

import os
import sys

# As a shell has it of a program that Ctrl-C ended.
_INTERRUPTED = 130
_STREAMS = (("stdin", "r"), ("stdout", "w"), ("stderr", "w"))


def main() -> None:
    """Load the command line, which takes a moment, and run it."""
    _open_what_is_closed()
    try:
        from fieldpost.cli import main as run

        run()
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)


def _open_what_is_closed() -> None:
    """Standard streams that are closed (`<&-`, or a service without a terminal) become empty ones.

    Python has None in their place, and their numbers would go to the next files or sockets, which
    programs that are started from here would take for their own input and output.
    """
    for number, (name, mode) in enumerate(_STREAMS):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free
            os.set_inheritable(number, True)
        if getattr(sys, name) is None:
            stream = open(number, mode, encoding="utf-8", closefd=False)  # noqa: SIM115
            setattr(sys, name, stream)
