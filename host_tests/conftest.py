"""Where the tests find the firmware: laid out as on a board, with `lib/` on the path.

The stand-ins for MicroPython's own module names come last, so nothing of CPython is hidden.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
for folder in ("host_tests", "tools", "lib", "."):
    sys.path.insert(0, str(ROOT / folder))
sys.path.append(str(ROOT / "tools" / "fieldpost" / "cpython"))
