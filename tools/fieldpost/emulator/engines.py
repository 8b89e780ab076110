"""The boards that there is an emulator of."""

from fieldpost.board import names
from fieldpost.emulator.engine import Engine
from fieldpost.emulator.esp32_c3 import ESP32_C3
from fieldpost.emulator.pico_w import PICO_W
from fieldpost.errors import Usage

ALL: tuple[Engine, ...] = (PICO_W, ESP32_C3)


def of_board(name: str) -> Engine:
    """That of a board, whatever the spelling. Raises CommandError without one."""
    found = names.same(name, [one.board for one in ALL])
    for engine in ALL:
        if engine.board == found:
            return engine
    known = " and ".join(f"{one.title} ({one.board})" for one in ALL)
    raise Usage(f"there is no emulator of {name} here, only of {known}")
