"""What flashing waits for: a hand on BOOTSEL, a board that is plugged in, or one that wakes."""

from collections.abc import Callable, Iterable
from pathlib import Path

from fieldpost.board import uf2_volume
from fieldpost.board.errors import NoAnswer, PortUnavailable
from fieldpost.board.find import Board
from fieldpost.board.screen import Screen
from fieldpost.board.uf2_volume import Volume
from fieldpost.board.wake import ask_at_wake
from fieldpost.errors import NoBoard

_BY_HAND = "Hold its BOOTSEL button down, plug it in again, and let go: a drive appears. Waiting "
_KNOWN_S = 1.0


def for_hand(
    where: str, limit_s: float, places: list[Path] | None, screen: Screen, before: Iterable[Path]
) -> Volume:
    """The volume of a Pico that somebody puts into its bootloader. places: where to look, None:
    wherever drives are mounted. before: those that were there already. Raises NoBoard."""
    screen.say(where, f"Unplug the board. {_BY_HAND}{limit_s:g} s for it.")
    screen.progress(where, "waiting for a hand on BOOTSEL", 0, None)
    volume = uf2_volume.wait_for(limit_s, besides=before, folders=places)
    if volume is None:
        raise _no_volume(limit_s)
    return volume


def for_any(
    limit_s: float, places: list[Path] | None, ports: Callable[[], list[str]], screen: Screen
) -> Volume | str:
    """The same volume, or the port of a board that is plugged in or wakes. Raises NoBoard."""
    where = "USB"
    screen.say(
        where,
        "No board is connected. Plug one in with a cable that carries data. One that sleeps may "
        "have a port only while it is awake: its RESET button ends the wait. A new Pico: hold its "
        f"BOOTSEL button down while plugging it in. Waiting {limit_s:g} s.",
    )
    came: list[str] = []

    def ends(left_s: float) -> bool:
        screen.count_down(where, "waiting for a board", left_s, limit_s)
        came.extend(ports())
        return bool(came)

    volume = uf2_volume.wait_for(limit_s, folders=places, ends=ends)
    if volume is None and not came:
        raise _no_volume(limit_s)
    return volume or came[0]


class _Appeared(Exception):
    """A volume is there, so that no wake has to be waited for."""

    def __init__(self, volume: Volume) -> None:
        super().__init__()
        self.volume = volume


class _Looking:
    """A screen that looks for a volume whenever it shows how long a wait goes on."""

    def __init__(self, screen: Screen, places: list[Path] | None, before: Iterable[Path]) -> None:
        self._screen = screen
        self._places = places
        self._before = set(before)

    def say(self, where: str, text: str) -> None:
        """What it says of a board without MicroPython is told otherwise here."""

    def progress(self, where: str, what: str, done: int, total: int | None) -> None:
        self._screen.progress(where, what, done, total)

    def count_down(self, where: str, what: str, left_s: float, total_s: float) -> None:
        self._screen.count_down(where, what, left_s, total_s)
        if volume := uf2_volume.wait_for(0, besides=self._before, folders=self._places):
            raise _Appeared(volume)


def for_wake_or_hand(
    known: Board, limit_s: float, places: list[Path] | None, screen: Screen
) -> Board | Volume:
    """A board that says nothing, or has no port now: itself at its next wake, stopped, or the
    volume of its bootloader, if somebody puts it there. Raises NoBoard."""
    screen.say(
        known.port,
        "Nothing answers. If a node sleeps there, it is taken at its next wake, or when its RESET "
        f"button is pressed. Or unplug the board. {_BY_HAND}{limit_s:g} s.",
    )
    before = [volume.folder for volume in uf2_volume.find(places)]
    looking = _Looking(screen, places, before)
    try:
        return ask_at_wake(known.port, looking, limit_s, resume=False, connect_s=_KNOWN_S)
    except _Appeared as appeared:
        return appeared.volume
    except (NoAnswer, PortUnavailable) as error:
        if isinstance(error, PortUnavailable) and error.code != "board_port":
            raise  # It is there, and another program has it.
        raise NoBoard(
            f"no board woke on {known.port} within {limit_s:g} s, and no UF2 volume appeared. "
            "Repeat the command and hold BOOTSEL while plugging the board in, or wait longer with "
            "--wait SECONDS"
        ) from None


def _no_volume(limit_s: float) -> NoBoard:
    return NoBoard(
        f"no UF2 volume appeared within {limit_s:g} s. If the drive did appear, name its "
        "folder with --volume; if it did not, try another cable, for many carry power only."
    )
