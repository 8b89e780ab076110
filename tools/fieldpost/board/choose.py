"""Which board a command is for: its options on the command line, and the port that is meant."""

from typing import Annotated

import typer

from fieldpost.errors import CommandError

PortOption = Annotated[
    str | None, typer.Option(help="The board's port; by itself, the one that is connected.")
]


def targets(named: list[str], every: bool) -> list[str]:
    """The ports of the boards that are meant.

    Raises CommandError if there is none or it isn't clear which.
    """
    if named:
        return named
    from fieldpost.board import find
    from fieldpost.board.ports import port_named

    found = [b for b in find.find(ask=False) if b.state == "not asked" and b.chip is None]
    ports = [b for b in found if port_named(b.port).may_be_a_board]
    if not ports:
        raise CommandError(
            "no board was found. Plug one in with a cable that carries data; one that is new "
            "needs MicroPython first: fieldpost flash"
        )
    if len(ports) > 1 and not every:
        listed = "\n".join(f"  {one.port}  {one.usb}" for one in ports)
        raise CommandError(
            f"several boards are connected:\n{listed}\nChoose with --port, or take all: --all"
        )
    return [one.port for one in ports]


def the_port(port: str | None) -> str:
    """The one port that is meant. Raises CommandError as `targets` does."""
    return targets([port] if port else [], every=False)[0]
