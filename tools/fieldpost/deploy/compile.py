"""A module of the firmware as a board's bytecode."""

from pathlib import Path

from fieldpost.bytecode import compiled
from fieldpost.deploy import tree
from fieldpost.errors import BadFile


def traceback_name(name: str) -> str:
    """What a module's tracebacks call it: as `import` does, for that name is in a board's heap
    anyway."""
    path = name.removeprefix("lib/").removesuffix(".py").removesuffix("/__init__")
    return path.replace("/", ".")


def compile_module(source: Path, name: str) -> bytes:
    """The bytecode of a Python file; `name`: its path on the board, see `traceback_name`."""
    return compile_source(tree.for_board(source.read_bytes()), name)


def compile_source(source: bytes, name: str) -> bytes:
    """The bytecode of a source; `name` as for `compile_module`. Raises CommandError."""
    code = compiled(source, traceback_name(name))
    if code is None:
        raise BadFile(f"{name} is for one processor alone: Fieldpost's modules are for all")
    return code
