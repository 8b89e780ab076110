"""The command `fieldpost`, from its first moment on: Ctrl-C while it still loads is no fault."""

import sys

# As a shell has it of a program that Ctrl-C ended.
_INTERRUPTED = 130


def main() -> None:
    """Load the command line, which takes a moment, and run it."""
    try:
        from fieldpost.cli import main as run

        run()
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
