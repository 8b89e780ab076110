"""Puts MicroPython on boards: asks what each is, gets the right image, writes it, checks it."""

import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from fieldpost.board import find as boards
from fieldpost.board import patience, uf2_volume
from fieldpost.board.errors import BoardError, PortUnavailable
from fieldpost.board.find import Board
from fieldpost.board.link import open_link
from fieldpost.board.ports import RASPBERRY_PI, Port, all_ports, port_named, present_name
from fieldpost.board.screen import Screen
from fieldpost.errors import CommandError, NoBoard, NotFlashed, SeveralBoards, UnfitBoard, Usage
from fieldpost.flash import catalogue, download, esp, fit, images, waiting
from fieldpost.flash.images import Image

_ASK_S = 3.0
_POLL_S = 0.3
_PICO_USB = f"{RASPBERRY_PI:04X}:"


@dataclass(frozen=True)
class Limits:
    """How long each wait may take, in seconds."""

    volume_s: float = 30.0  # from machine.bootloader() to the volume
    hand_s: float = 90.0  # for a hand on BOOTSEL
    gone_s: float = 60.0  # until the volume has taken the image
    answer_s: float = 40.0  # until MicroPython answers
    # For a board that sleeps, or is yet to be plugged in; None: as board/patience.py says.
    wake_s: float | None = 0.0


@dataclass(frozen=True)
class Wish:
    """What to write, and how. Without `image`, the catalogue's for the board.

    board: MicroPython's name of it, where it can't be asked or says it wrongly.
    reset: False if an ESP32 was put into its bootloader by hand.
    two_slots: lay an ESP32's image out for updates over the air (two_slots.py).
    volume: where the UF2 volume is, if this platform's usual places are not it.
    """

    image: Path | None = None
    version: str | None = None
    board: str | None = None
    erase: bool = False
    baud: int = esp.FASTEST_BAUD
    reset: bool = True
    volume: Path | None = None
    limits: Limits = Limits()
    two_slots: bool = False


@dataclass(frozen=True)
class Outcome:
    """How it went with one board. micropython: the version that answered afterwards. code: that of
    the error, as fieldpost/terminal/result.py lists them."""

    port: str
    ok: bool
    text: str
    chip: str | None = None
    image: str | None = None
    micropython: str | None = None
    seconds: float = 0.0
    code: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Every field, null where it is not known."""
        return asdict(self)


def targets(named: Iterable[str], every: bool, volume: Path | None = None) -> list[str]:
    """The ports and volume folders to write to. Raises CommandError if it isn't clear which."""
    names = list(named)
    if names:
        return names
    if volume:
        return [str(volume)]
    found = [board for board in boards.find(ask=False) if _is_candidate(board)]
    if not found:
        return []
    if len(found) > 1 and not every:
        listed = "\n".join(f"  {board.port}  {board.usb}" for board in found)
        raise SeveralBoards(
            f"several boards are connected:\n{listed}\nChoose with --port, or take all: --all"
        )
    return [board.port for board in found]


def flash(target: str, wish: Wish, screen: Screen) -> Outcome:
    """Write to the board at a port or UF2 volume, and check what answers. Raises nothing."""
    begin = time.monotonic()
    try:
        if wish.image:
            images.examine(wish.image)  # before the board is so much as asked
        folder = Path(target)
        if folder.is_dir():
            outcome = _flash_volume(folder, wish, screen)
        else:
            outcome = _flash_port(port_named(target), wish, screen)
    except CommandError as error:
        outcome = Outcome(target, False, str(error), code=error.code)
    return replace(outcome, seconds=round(time.monotonic() - begin, 1))


def is_pico(target: str) -> bool:
    """Whether the target is, or may be, a board with a UF2 bootloader: one of those at a time."""
    usb_id = port_named(target).usb_id
    return Path(target).is_dir() or usb_id is None or usb_id.startswith(_PICO_USB)


def flash_by_hand(wish: Wish, screen: Screen) -> Outcome:
    """Wait for a board that somebody plugs in, puts into its UF2 bootloader, or that wakes, and
    write to that."""
    begin = time.monotonic()
    try:
        asked_s = wish.limits.wake_s
        limit_s = patience.WAIT_S if asked_s is None else asked_s or wish.limits.hand_s
        found = waiting.for_any(limit_s, _places(wish), lambda: targets((), False), screen)
        if isinstance(found, str):
            return flash(found, wish, screen)
        outcome = _flash_volume(found.folder, wish, screen)
    except CommandError as error:
        outcome = Outcome("BOOTSEL", False, str(error), code=error.code)
    return replace(outcome, seconds=round(time.monotonic() - begin, 1))


def _is_candidate(board: Board) -> bool:
    if board.state == "bootloader":
        return True
    port = port_named(board.port)
    # An emulated one boots the image that it was started with.
    return port.may_be_a_board and port.kind != "emulated"


def _flash_port(port: Port, wish: Wish, screen: Screen) -> Outcome:
    wake_s = patience.wait_s(port, wish.limits.wake_s, screen)
    if not wish.reset:
        return _flash_esp(port, None, wish, screen)
    known = boards.ask(port, _ASK_S)
    if wake_s and known.state == "unavailable" and present_name(port) is None:
        # A chip with USB of its own has no port while it sleeps.
        found = waiting.for_wake_or_hand(known, wake_s, _places(wish), screen)
        if isinstance(found, uf2_volume.Volume):
            return _flash_volume(found.folder, wish, screen)
        known, port = found, port_named(found.port)
    if known.state == "unavailable":
        raise PortUnavailable(known.detail, known.code)
    by_usb = (port.usb_id or "").startswith(_PICO_USB)
    if known.platform == "rp2" or (by_usb and known.platform is None):
        return _flash_rp2(port, known, wish, screen, wake_s)
    if known.platform not in ("esp32", None):
        raise UnfitBoard(
            f"the board on {port.device} is {known.machine}, which Fieldpost does not support"
        )
    return _flash_esp(port, known, wish, screen)


def _flash_esp(port: Port, known: Board | None, wish: Wish, screen: Screen) -> Outcome:
    where = port.device
    screen.progress(where, "asking the chip", 0, None)
    chip = esp.identify(where, reset=wish.reset)
    size = "flash of unknown size" if chip.flash_mb is None else f"{chip.flash_mb:g} MB of flash"
    screen.say(where, f"{chip.name}, {size}, MAC {chip.mac or '?'}")
    if chip.is_octal and not wish.image:
        raise UnfitBoard(
            f"the flash of the board on {where} has eight data lines, and no image of the "
            "catalogue starts from such. Give a file that was built for it with --image FILE."
        )
    runs = known.build if known else None
    image = _image_for(chip.name, runs, wish, where, screen, chip.flash_mb, chip.cores)
    images.check_fits(image, chip.name, where)
    fit.check_room(image, chip, where)
    screen.say(where, str(image))
    with tempfile.TemporaryDirectory(prefix="fieldpost-flash-") as folder:
        file = (
            fit.laid_out(image, chip, Path(folder), where, screen)
            if wish.two_slots
            else image.path
        )
        rate = esp.write(
            where,
            chip,
            file,
            erase=wish.erase,
            baud=wish.baud,
            reset=wish.reset,
            on_progress=lambda done, total: screen.progress(where, "writing", done, total),
            say=lambda text: screen.say(where, text),
        )
    screen.say(where, f"Written at {rate} baud; the MD5 of the flash is that of the image.")
    done = Outcome(where, True, "written and verified", chip.name, image.path.name)
    if not wish.reset:
        return replace(done, text="written and verified; press RESET to start it")
    return _check_answer(done, image, port, {p.device for p in all_ports()}, wish, screen)


def _flash_rp2(port: Port, known: Board, wish: Wish, screen: Screen, wake_s: float) -> Outcome:
    where = port.device
    _check_uf2_wish(wish, where)
    before = [volume.folder for volume in uf2_volume.find(_places(wish))]
    volume: uf2_volume.Volume | None = None
    if known.state == "silent" and wake_s:
        found = waiting.for_wake_or_hand(known, wake_s, _places(wish), screen)
        if isinstance(found, Board):
            known, port = found, port_named(found.port)
            where = port.device
        else:
            volume = found
    image = None
    if known.chip:
        # What runs there says which board it is. In the bootloader a Pico and a Pico W are alike.
        runs = None if wish.board else _supported(known, wish)
        image = _image_for(known.chip, runs, wish, where, screen)
        _check_uf2(image, known.chip, where, None if wish.board else known.machine)
    ports_before = {p.device for p in all_ports()} - {where}
    if known.state == "micropython":
        screen.say(where, f"{known.machine}: entering its bootloader")
        volume = _enter_bootloader(port, before, wish, screen)
    if volume is None:
        volume = waiting.for_hand(where, wish.limits.hand_s, _places(wish), screen, before)
    image = _copy(volume, image, wish, where, screen)
    done = Outcome(where, True, "copied", volume.chip, image.path.name)
    return _check_answer(done, image, port, ports_before, wish, screen)


def _supported(known: Board, wish: Wish) -> str | None:
    if wish.image or any(entry.board == known.build for entry in catalogue.load()):
        return known.build
    raise UnfitBoard(
        f"the board on {known.port} says that it is {known.build or known.machine}, for which "
        "there is no image here: Fieldpost needs Wi-Fi. If it is a Pico W that was given another "
        "board's image, say so with --board RPI_PICO_W (or RPI_PICO2_W)."
    )


def _flash_volume(folder: Path, wish: Wish, screen: Screen) -> Outcome:
    where = str(folder)
    _check_uf2_wish(wish, where)
    volume = uf2_volume.read(folder)
    if volume is None:
        raise NoBoard(f"{folder} is no UF2 volume: there is no INFO_UF2.TXT in it")
    ports_before = {port.device for port in all_ports()}
    image = _copy(volume, None, wish, where, screen)
    done = Outcome(where, True, "copied", volume.chip, image.path.name)
    return _check_answer(done, image, None, ports_before, wish, screen)


def _copy(
    volume: uf2_volume.Volume, image: Image | None, wish: Wish, where: str, screen: Screen
) -> Image:
    if volume.chip is None:
        raise UnfitBoard(
            f"the bootloader at {volume.folder} is that of a {volume.model} ({volume.board_id}), "
            "which Fieldpost does not support. Nothing was written."
        )
    if image is None:
        image = _image_for(volume.chip, None, wish, where, screen)
        if not (wish.image or wish.board):
            screen.say(where, "A bootloader can't tell a Pico from a Pico W: taken for a Pico W.")
    _check_uf2(image, volume.chip, str(volume.folder), None)
    screen.say(where, str(image))
    screen.progress(where, f"copying to {volume.folder}", 0, None)
    uf2_volume.copy(image.path, volume)
    if not uf2_volume.wait_until_gone(volume, wish.limits.gone_s):
        raise NotFlashed(
            f"the board at {volume.folder} has not taken the image within "
            f"{wish.limits.gone_s:g} s. Unplug it, hold BOOTSEL while plugging it in, and repeat."
        )
    return image


def _check_uf2(image: Image, chip: str, where: str, machine: str | None) -> None:
    if image.kind != "uf2" and image.chip == chip:
        raise images.ImageRefused(f"{image.path.name} is no UF2 file, and {where} needs one")
    images.check_fits(image, chip, where, machine)


def _image_for(
    chip: str,
    runs: str | None,
    wish: Wish,
    where: str,
    screen: Screen,
    flash_mb: float | None = None,
    cores: int | None = None,
) -> Image:
    """The file that was given, or the catalogue's. runs: what the board says that it is."""
    if wish.image:
        return images.examine(wish.image)
    entry = catalogue.choose(
        chip=chip,
        board=wish.board,
        runs=runs,
        version=wish.version,
        flash_mb=flash_mb,
        cores=cores,
    )
    board = wish.board or runs
    if board and entry.board != board:
        screen.say(where, f"For {board}, {entry.board} is taken, which has the same chip.")
    return download.obtain_shown(entry, screen, where)


def _enter_bootloader(
    port: Port, before: list[Path], wish: Wish, screen: Screen
) -> uf2_volume.Volume | None:
    try:
        link = open_link(port.device)
        try:
            link.enter_bootloader()
        finally:
            link.close(resume=False)
    except BoardError as error:
        screen.say(port.device, f"It does not go there by itself: {error}")
        return None
    screen.progress(port.device, "waiting for its volume", 0, None)
    return uf2_volume.wait_for(wish.limits.volume_s, besides=before, folders=_places(wish))


def _places(wish: Wish) -> list[Path] | None:
    return [wish.volume] if wish.volume else None


def _check_uf2_wish(wish: Wish, where: str) -> None:
    if wish.two_slots:
        raise Usage(
            f"{where}: --ota is for the ESP32 family. A Pico has no second place for MicroPython, "
            "which it gets by cable; Fieldpost itself is updated over the air on it, too"
        )
    if wish.erase:
        raise Usage(
            f"{where}: --erase is for the ESP32 family. A Pico's files survive a new image; to "
            "remove them, flash it without --erase and then: fieldpost erase"
        )


def _check_answer(
    done: Outcome, image: Image, port: Port | None, before: set[str], wish: Wish, screen: Screen
) -> Outcome:
    """Wait for MicroPython, on the same port or on a new one, and compare the version."""
    limit_s = wish.limits.answer_s
    screen.progress(done.port, "waiting for MicroPython to answer", 0, None)
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        for candidate in _candidates(port, before):
            answer = boards.ask(candidate, _ASK_S)
            if answer.state == "micropython" and answer.micropython:
                return _compare(done, image, answer)
        time.sleep(_POLL_S)
    raise NotFlashed(
        f"{done.image} was written, but no MicroPython answered within {limit_s:g} s. Press the "
        "board's reset button, or plug it in again, and see: fieldpost boards"
    )


def _candidates(port: Port | None, before: set[str]) -> Iterator[Port]:
    if port and ("://" in port.device or Path(port.device).exists()):
        yield port
    for other in all_ports():
        if port and other.device == port.device:
            continue
        same = port is not None and other.serial and other.serial == port.serial
        if same or (other.device not in before and other.may_be_a_board):
            yield other


def _compare(done: Outcome, image: Image, answer: Board) -> Outcome:
    found = answer.micropython or ""
    if image.version and found.split("-")[0] != image.version.split("-")[0]:
        raise NotFlashed(
            f"{done.image} was written, but the board on {answer.port} answers as MicroPython "
            f"{found}, not {image.version}. Unplug it, plug it in again, and repeat the command."
        )
    text = f"{done.text}, and MicroPython {found} answers on {answer.port}"
    return replace(done, text=text, micropython=found)
