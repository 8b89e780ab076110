"""What boards are called: one spelling is as good as another, in every command.

MicroPython says `RPI_PICO_W` and `ESP32_GENERIC_C3`, a shop `Pico W` and `ESP32-C3`, and people
write `pico_w`. A build of MicroPython may have a variant behind a hyphen: `ESP32_GENERIC-D2WD`.
"""

import re
from collections.abc import Callable, Iterable


def plain(name: str) -> str:
    """The same for every spelling of one board."""
    spelt = re.sub(r"[-_ ]", "", name.lower())
    return spelt.replace("generic", "").removeprefix("rpi").removeprefix("raspberrypi")


def same(name: str, known: Iterable[str]) -> str | None:
    """That of the known names that means the same board, None without one."""
    return next((one for one in known if plain(one) == plain(name)), None)


def without_variant(build: str) -> str:
    """The board of a build of MicroPython: ESP32_GENERIC for ESP32_GENERIC-D2WD."""
    return build.partition("-")[0] if "generic" in build.lower() else build


def completing(known: Callable[[], Iterable[str]]) -> Callable[[str], list[str]]:
    """For the shell: which of the known names begin so."""

    def complete(incomplete: str) -> list[str]:
        return [one for one in known() if one.startswith(incomplete)]

    return complete
