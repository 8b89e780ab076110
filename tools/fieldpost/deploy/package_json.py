"""Writes package.json (mip) and manifest.py (frozen modules) from the tree.

PYTHONPATH=tools python -m fieldpost.deploy.package_json
"""

import json
from pathlib import Path

from fieldpost.deploy import tree
from fieldpost.pages import require_checkout
from fieldpost.paths import ROOT
from fieldpost.version import project_version

_MANIFEST = '''\
"""Freezes Fieldpost into a MicroPython image: `make FROZEN_MANIFEST=…/manifest.py` in a port.

main.py is left out, to stay on the board, where its owner can change it. See docs/deploy.md.
Made from the tree: PYTHONPATH=tools python -m fieldpost.deploy.package_json
"""

# ruff: noqa: F821
# The names are those that MicroPython's build runs this file with.
# The port's own manifest first: without it the image would lose its file system's set-up.
include("$(PORT_DIR)/boards/manifest.py")

require("umqtt.simple")
require("ssl")

package("firmware")
'''


def package_json(root: Path = ROOT) -> str:
    """What `mpremote mip install` of the repository reads: every module for a board, as source,
    and umqtt.simple from upstream's index."""
    rows = [[name, name] for name in _firmware(root)]
    rows += [[name, f"lib/{name}"] for name in _libraries(root)]
    lines = ",\n".join(f"    {json.dumps(row)}" for row in rows)
    return (
        f'{{\n  "version": "{project_version(root)}",\n  "urls": [\n{lines}\n  ],\n'
        '  "deps": [\n    ["umqtt.simple", "latest"]\n  ]\n}\n'
    )


def manifest(root: Path = ROOT) -> str:
    """What a port's build reads: functions of manifestfile.py, a tool of MicroPython."""
    lines = [f'module("{name}", base_path="lib")\n' for name in _libraries(root)]
    return _MANIFEST + "".join(lines)


def _firmware(root: Path) -> list[str]:
    """Of both families: mip does not know which board it is on."""
    found = tree.sources(*tree.BOARDS, root=root)
    return [name for name in found if name.startswith("firmware/")]


def _libraries(root: Path) -> list[str]:
    """Without lib/umqtt/, which is upstream's, and what finds the modules of a pack."""
    found = sorted(path.name for path in (root / "lib").glob("*.py"))
    return [name for name in found if f"lib/{name}" not in tree.ROOT_MODULES]


if __name__ == "__main__":
    require_checkout()
    (ROOT / "package.json").write_text(package_json(), encoding="utf-8")
    (ROOT / "manifest.py").write_text(manifest(), encoding="utf-8")
