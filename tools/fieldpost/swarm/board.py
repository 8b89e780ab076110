"""The board of one node of a swarm: the desktop's, where waiting lets other nodes run."""

import random
from typing import NoReturn

from fieldpost.swarm.port import Select, Sockets, Time
from firmware.board import unix


class Restarted(BaseException):
    """The firmware has restarted its board. No `except Exception` of its own takes it."""


class SwarmBoard(unix.Board):
    """It keeps its RAM while it sleeps, as a Pico W does. This machine's network is its Wi-Fi."""

    def __init__(
        self, time: Time, sockets: Sockets, select: Select, dice: random.Random, cause: str
    ) -> None:
        super().__init__(time)  # type: ignore[arg-type]  # an object in a module's part
        self.socket = sockets  # type: ignore[assignment]
        self.select = select  # type: ignore[assignment]
        self._dice = dice
        self._cause = cause

    def reset_cause(self) -> str:
        return self._cause

    def version(self) -> str:
        return "swarm"

    def random_u32(self) -> int:
        return self._dice.getrandbits(32)

    def restart(self) -> NoReturn:
        raise Restarted
