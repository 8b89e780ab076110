"""A folder of drivers: what is in it, whether a board can have it, and the files that it gets."""

import ast
from codecs import BOM_UTF8
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from fieldpost.bytecode import compiled
from fieldpost.errors import BadFile
from fieldpost.file_names import FIRMWARE, STARTED
from fieldpost.paths import ROOT

# Where a board looks for libraries, those of the firmware too.
_ON_BOARD = "lib/"


@dataclass(frozen=True)
class Drivers:
    """sources: each module of the folder, by its path in it, such as "greenhouse/tmp117.py"."""

    folder: Path
    sources: dict[str, bytes]

    def files(self) -> dict[str, bytes]:
        """Contents by path on the board, from its root: bytecode, or the source where a module
        is for one processor alone. Raises CommandError for what does not compile."""
        found = {}
        for name, source in self.sources.items():
            code = compiled(source, name)
            path = name if code is None else name.removesuffix(".py") + ".mpy"
            found[_ON_BOARD + path] = source if code is None else code
        return found


def find(folder: Path, root: Path = ROOT) -> Drivers:
    """Every Python file below `folder`; files and folders whose names begin with a dot are none.

    Raises CommandError if there is none, if no `import` can name one, or if one has a name that
    belongs to the firmware in `root` or to what that imports: it would take its place.
    """
    try:
        if not folder.is_dir():
            raise BadFile(f"there is no folder {folder}")
        modules = sorted(folder.rglob("*.py"))
    except OSError as error:
        raise BadFile(f"cannot read {folder}: {error.strerror}") from None
    sources = {}
    taken = names_taken(root)
    for path in modules:
        name = path.relative_to(folder).as_posix()
        parts = PurePosixPath(name).with_suffix("").parts
        if any(part.startswith(".") for part in parts) or not path.is_file():
            continue
        if wrong := [part for part in parts if not part.isidentifier()]:
            raise BadFile(
                f"{path}: no import can name {wrong[0]!r}; the names of a module and of its "
                "folders have letters, digits and _ alone, no digit first"
            )
        if parts[0] in taken:
            raise BadFile(
                f"{path}: on a board it would take the place of {parts[0]!r}, which the firmware "
                "needs; give it another name, or put it into a folder of your own name"
            )
        try:
            # Editors on Windows put the mark in front, and a board's compiler does not know it.
            sources[name] = path.read_bytes().removeprefix(BOM_UTF8)
        except OSError as error:
            raise BadFile(f"cannot read {path}: {error.strerror}") from None
    if not sources:
        raise BadFile(f"there is no Python file in {folder}")
    return Drivers(folder, sources)


def names_taken(root: Path = ROOT) -> set[str]:
    """First parts of the names of all modules that a board has from us, or that those import."""
    libraries = root / "lib"
    found = {Path(name).stem for name in STARTED} | {*FIRMWARE, "umqtt"}
    found |= {path.stem for path in libraries.iterdir() if not path.name.startswith((".", "__"))}
    ours = (root / name for name in STARTED)
    for path in (*ours, *(root / "firmware").rglob("*.py"), *libraries.rglob("*.py")):
        if path.is_file():
            found |= _imported(path.read_bytes())
    return found


def _imported(source: bytes) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {one.name.split(".")[0] for one in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.split(".")[0])
    return names
