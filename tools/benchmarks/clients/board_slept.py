"""On an emulated board, before boot.py begins: the chip has woken from a deep sleep.

It says so to whoever asks as early as lib/module_pack.py does, unless the plan of board_wake.py is
at its cold start.
"""

import json
import sys


class _Chip:
    """`machine` of an ESP32 that fell asleep with no module beside the pack."""

    @staticmethod
    def reset_cause():
        return 4

    @staticmethod
    def RTC():
        return _Chip

    @staticmethod
    def memory():
        return b"QF"


with open("/wake/plan") as file:
    plan = json.load(file)
if plan and plan[0] != "first":
    sys.modules["umachine"] = _Chip
