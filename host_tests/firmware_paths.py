"""Finds the firmware as a board does: `lib/` and the root of the checkout are on the path.

Whatever runs it under CPython imports this first. The stand-ins for MicroPython's own module names
come last, so nothing of CPython is hidden.
"""

import sys
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[1]
for _folder in ("tools/fieldpost/desk_path", "host_tests", "tools", "lib", "."):
    sys.path.insert(0, str(_ROOT / _folder))
sys.path.append(str(_ROOT / "tools" / "fieldpost" / "cpython"))
