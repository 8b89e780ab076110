"""The firmware of another checkout as a board has it: run by path, with that checkout's tools.

    python of_tree.py ROOT < {"platform": …, "config": …, "secrets": …}

prints `files`, contents in base64 by path on the board, and `mpy_bytes`, by path in the tree.
"""

import base64
import json
import sys
from pathlib import Path


def main() -> None:
    """ROOT's own packages are found first."""
    root = Path(sys.argv[1])
    sys.path[:0] = [str(root / "tools"), str(root)]
    from fieldpost.config.checked import with_checked
    from fieldpost.deploy.build import build, find_umqtt

    asked = json.load(sys.stdin)
    # An ESP32's image has umqtt.simple in it.
    umqtt = find_umqtt(root, None) if asked["platform"] == "rp2" else None
    built = build(asked["platform"], root, umqtt)
    files = dict(built.files)
    for name in ("config", "secrets"):
        files[f"{name}.json"] = json.dumps(asked[name]).encode()
    modules = getattr(built, "modules", built.files)
    told = {
        "files": {
            path: base64.b64encode(data).decode() for path, data in with_checked(files).items()
        },
        "mpy_bytes": {path: len(data) for path, data in modules.items() if path[-4:] == ".mpy"},
    }
    if "module_pack.mpy" in built.files:
        told["mpy_bytes"]["lib/module_pack.mpy"] = len(built.files["module_pack.mpy"])
    json.dump(told, sys.stdout)


if __name__ == "__main__":
    main()
