"""Which file of the tree goes to which board: the one list, for all that installs one."""

import ast
from pathlib import Path

from fieldpost.deploy import folded
from fieldpost.deploy.folded import without_const
from fieldpost.deploy.remembered import code_of, remembered
from fieldpost.paths import ROOT

# These two must be found by name, as source, by the board itself.
AS_SOURCE = ("boot.py", "main.py")
UMQTT = "lib/umqtt/simple.py"
# They find the modules of a pack, or choose which pack, so they lie beside it.
ROOT_MODULES = ("lib/module_pack.py", "lib/pack_trial.py")
# By `sys.platform` of the board: what its family alone has.
FAMILIES = {
    "rp2": ("firmware/board/rp2.py", "firmware/board/rp2_supply.py"),
    "esp32": (
        "firmware/board/esp32.py",
        "firmware/board/esp32_radio.py",
        "firmware/board/esp32_slots.py",
        "firmware/board/esp32_wake_pins.py",
        "firmware/update/image_target.py",
    ),
    "linux": ("firmware/board/unix.py",),
}
# In a source: what follows is for the host's tools alone (firmware/sensor_types/shared.py).
_HOST_ONLY = "\n# For the host alone: "
BOARDS = ("esp32", "rp2")


def sources(*platforms: str, root: Path = ROOT) -> dict[str, Path]:
    """Every source for boards of these platforms by its path on the board, without umqtt.simple.

    Raises KeyError for a platform that Fieldpost has no module for.
    """
    ours = {name for platform in platforms for name in FAMILIES[platform]}
    foreign = {name for names in FAMILIES.values() for name in names} - ours
    found = {name: root / name for name in AS_SOURCE if (root / name).exists()}
    for folder in ("firmware", "lib"):
        for path in sorted((root / folder).rglob("*.py")):
            name = path.relative_to(root).as_posix()
            if name in foreign or name.startswith("lib/umqtt/") or _says_nothing(path):
                continue
            found[name] = path
    return found


def for_board(source: bytes) -> bytes:
    """A source without what only the host's tools, or only the compiler, has a use for."""
    own = source.partition(_HOST_ONLY.encode())[0]
    of = (code_of(folded.__file__), own)
    return remembered("source", of, lambda: without_const(own)) if own else own


def _says_nothing(path: Path) -> bool:
    """An `__init__.py` that is its docstring: MicroPython imports the folder without it, for less
    heap and time."""
    if path.name != "__init__.py":
        return False
    body = ast.parse(path.read_text(encoding="utf-8")).body
    return all(isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant) for one in body)
