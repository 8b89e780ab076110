"""What is typed after `fieldpost cmd NODE`: the commands, and for the shell what each takes; and
what `fieldpost publish` says where nothing is typed."""

from collections.abc import Iterator

import typer

DEFAULT_MESSAGE = "Hello from Fieldpost"
# What a node does: firmware/remote/commands.py. Others are sent all the same, for newer nodes.
COMMANDS = (
    "get",
    "set",
    "sample",
    "deliver",
    "identify",
    "restart",
    "log",
    "outbox",
    "stay_awake",
    "safe_mode",
    "forget_network",
)


def complete_commands(incomplete: str) -> list[str]:
    """For the shell: commands that begin so."""
    return [name for name in COMMANDS if name.startswith(incomplete)]


def complete_arguments(context: typer.Context, incomplete: str) -> list[str]:
    """For the shell: the keys of config.json that begin so, as `get` and `set` take them."""
    does = context.params.get("do")
    if does not in ("get", "set"):
        return []
    end = "=" if does == "set" else ""
    return [key + end for key in _keys() if key.startswith(incomplete)]


def _keys() -> list[str]:
    from firmware.config import keys

    return sorted(_below("", keys.CONFIG))


def _below(path: str, rows: tuple[tuple[object, ...], ...]) -> Iterator[str]:
    for row in rows:
        yield f"{path}{row[0]}"
        if row[1] == "section":
            inner = row[3]
            assert isinstance(inner, tuple)
            yield from _below(f"{path}{row[0]}.", inner)
