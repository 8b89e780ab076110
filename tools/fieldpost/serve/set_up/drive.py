"""MicroPython for a Pico: onto the drive of its bootloader, or as a file for somebody to copy.

The catalogue, the hashes and the refusals are those of `fieldpost flash`.
"""

from collections.abc import Callable
from typing import Any

from fieldpost.board import uf2_volume
from fieldpost.board.screen import Screen
from fieldpost.errors import Cancelled, NoBoard, NotFlashed, SeveralBoards, Usage
from fieldpost.flash import catalogue, download, flashing, images
from fieldpost.flash.catalogue import Entry
from fieldpost.flash.images import Image
from fieldpost.serve.set_up.job import Source

# The name of the drive, by the chip whose bootloader shows it.
DRIVES = {"RP2040": "RPI-RP2", "RP2350": "RP2350"}
_TITLES = {"RPI_PICO_W": "Pico W", "RPI_PICO2_W": "Pico 2 W"}
_WHERE = "the drive"


def boards() -> list[dict[str, Any]]:
    """Each board that takes a UF2 file, with the newest image for it."""
    found = [entry for entry in catalogue.load() if entry.chip in DRIVES and not entry.by_name]
    return [
        {
            "board": name,
            "title": _TITLES.get(name, name),
            "drive": DRIVES[entry.chip],
            "version": entry.version,
            "file": entry.file_name,
            "is_vouched_for": entry.sha256 is not None,
        }
        for name in dict.fromkeys(entry.board for entry in found)
        for entry in [_newest(name)]
    ]


def image_for(board: str, source: Source, screen: Screen) -> Image:
    """The catalogue's, from the cache or from its publisher, checked either way."""
    entry = _newest(board)
    if source.image:
        return images.examine(source.image)
    return download.obtain_shown(entry, screen, _WHERE)


def put_on(
    board: str, source: Source, screen: Screen, is_over: Callable[[], bool]
) -> dict[str, Any]:
    """Wait for the drive, copy the image, and see that MicroPython answers. is_over: whether
    nobody waits any more. Raises CommandError saying what went wrong."""
    # Before anybody holds a button.
    screen.say(_WHERE, str(image_for(board, source, screen)))
    places = [source.volume] if source.volume else None
    limits = source.limits

    def ends(left_s: float) -> bool:
        screen.count_down(_WHERE, "waiting for the drive", left_s, limits.hand_s)
        return is_over()

    there = uf2_volume.find(places)
    if len(there) > 1:
        raise SeveralBoards("several boards are in their bootloader: unplug all but one")
    volume = there[0] if there else uf2_volume.wait_for(limits.hand_s, folders=places, ends=ends)
    if is_over():
        raise Cancelled("nothing was written")
    if volume is None:
        raise NoBoard(
            f"no drive appeared within {limits.hand_s:g} s. Another cable may help, for many "
            "carry power only. If the board hangs at another computer than the one that runs "
            "fieldpost serve, take the file there"
        )
    wish = flashing.Wish(image=source.image, board=board, volume=source.volume, limits=limits)
    done = flashing.flash(str(volume.folder), wish, screen)
    if not done.ok:
        raise NotFlashed(done.text.replace(str(volume.folder), _WHERE), done.code)
    return {"micropython": done.micropython, "image": done.image}


def _newest(board: str) -> Entry:
    chips = [one.chip for one in catalogue.load() if one.board == board and one.chip in DRIVES]
    if not chips:
        raise Usage("there is no such board with a drive")
    return catalogue.choose(chip=chips[0], board=board)
