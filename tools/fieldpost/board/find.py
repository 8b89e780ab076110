"""The boards that are connected, and what runs on each: asked all at once, each with a limit."""

import queue
import re
import threading
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from serial import serial_for_url

from fieldpost.board import met, said, uf2_volume
from fieldpost.board.errors import BoardError, NoAnswer, ProgramError
from fieldpost.board.link import BoardLink, open_link
from fieldpost.board.ports import Port, all_ports, port_named
from fieldpost.board.said import NUMBER_OR_NONE, TEXT_OR_NONE

ASK_S = 3.0
# Beyond the limit itself: opening a port is the operating system's, and has none.
_GRACE_S = 2.0

State = Literal[
    "micropython",  # answers
    "bootloader",  # waits for an image
    "silent",  # says nothing
    "chatty",  # prints without end, and does not stop
    "unavailable",  # can't be opened
    "not asked",  # not one of ours by its USB id, or told not to
]

# Prints one line of JSON. `import firmware` runs its __init__ alone, which is small, and leaves
# the application where it is.
_QUERY = """
def _query():
    import sys, json
    i = sys.implementation
    r = {"release": i.version, "version": sys.version, "platform": sys.platform}
    for k in ("_machine", "_build", "_mpy"):
        r[k] = getattr(i, k, None)
    try:
        import machine
        r["uid"] = "".join("%02x" % b for b in machine.unique_id())
    except Exception:
        pass
    try:
        with open("/config.json") as f:
            r["node"] = json.load(f)["node"]
    except Exception:
        pass
    try:
        from firmware import VERSION
        r["fieldpost"] = VERSION
    except Exception:
        pass
    print(json.dumps(r))
_query()
del _query
"""

_SHAPE = {
    "release": [(int, str)],
    "version": str,
    "platform": str,
    "_machine": TEXT_OR_NONE,
    "_build": TEXT_OR_NONE,
    "_mpy": NUMBER_OR_NONE,
    "uid?": TEXT_OR_NONE,
    "fieldpost?": TEXT_OR_NONE,
}

# A SYNC command of Espressif's ROM bootloader in a SLIP frame, and how its answer begins (Serial
# Protocol, in Espressif's esptool documentation).
_SYNC = b"\xc0\x00\x08\x24\x00\x00\x00\x00\x00\x07\x07\x12\x20" + b"\x55" * 32 + b"\xc0"
_SYNCED = b"\xc0\x01\x08"


@dataclass(frozen=True)
class Board:
    """One board, or what stands in its place on a port.

    port: the device, or the folder of a UF2 volume. chip: as "ESP32-C3" or "RP2040".
    micropython: as "1.29.0". build: MicroPython's name of the board. mpy: its .mpy version.
    uid: the chip's own number, as hex. detail: what to do about a board that does not answer, with
    the `code` of the error, as fieldpost/terminal/result.py lists them.
    """

    port: str
    state: State
    usb: str = ""
    serial: str | None = None
    chip: str | None = None
    machine: str | None = None
    build: str | None = None
    platform: str | None = None
    micropython: str | None = None
    version: str | None = None
    mpy: int | None = None
    uid: str | None = None
    fieldpost: str | None = None
    node: str | None = None
    detail: str = ""
    code: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Every field, null where it is not known."""
        return asdict(self)


def find(
    named: Iterable[str] = (),
    *,
    limit_s: float = ASK_S,
    ask: bool = True,
    volumes: Iterable[Path] | None = None,
) -> list[Board]:
    """Every board: on the ports named, or else on each USB serial port and UF2 volume.

    Takes at most about `limit_s` + 2 s, however many ports there are and whatever they do.
    volumes: folders to look at for UF2 volumes, None: wherever this platform mounts them.
    """
    names = list(named)
    chosen = [port_named(name) for name in names] if names else all_ports()
    boards = _ask_all(chosen, limit_s, ask, always=bool(names))
    if not names:
        boards += [
            Board(str(volume.folder), "bootloader", volume.model, chip=volume.chip)
            for volume in uf2_volume.find(volumes)
        ]
    return boards


def ask(port: Port, limit_s: float = ASK_S) -> Board:
    """What runs on the board at this port; its program is stopped for that and started again.

    Raises nothing: what goes wrong is the board's `state` and `detail`.
    """
    known = Board(port.device, "silent", port.description, port.serial)
    try:
        with open_link(port.device, limit_s) as link:
            met.remember(port)
            return asked(link, known, limit_s)
    except NoAnswer as error:
        if not error.chatty and in_espressif_bootloader(port.device):
            return replace(known, state="bootloader", detail="an ESP32 that waits for an image")
        return replace(
            known, state="chatty" if error.chatty else "silent", detail=str(error), code=error.code
        )
    except said.Senseless as error:
        return replace(known, state="micropython", detail=str(error), code=error.code)
    except ProgramError as error:
        return replace(
            known,
            state="micropython",
            detail=f"its answer makes no sense: {error}",
            code="board_senseless",
        )
    except BoardError as error:
        return replace(known, state="unavailable", detail=str(error), code=error.code)


def asked(link: BoardLink, known: Board, limit_s: float = ASK_S) -> Board:
    """What runs on the board of that link. Raises BoardError."""
    told = said.last_line(known.port, link.exec(_QUERY, limit_s), _SHAPE)
    return _answered(known, told)


def in_espressif_bootloader(device: str, limit_s: float = 0.6) -> bool:
    """Whether an Espressif ROM bootloader answers there, without a reset."""
    try:
        with serial_for_url(device, 115_200, timeout=0.1, write_timeout=1) as port:
            end = time.monotonic() + limit_s
            port.write(_SYNC)
            heard = b""
            while time.monotonic() < end and _SYNCED not in heard:
                heard += port.read(64)
            return _SYNCED in heard
    except OSError:  # SerialException is one
        return False


def chip_of(machine: str | None) -> str | None:
    """The chip at the end of MicroPython's machine text, as in "Raspberry Pi Pico W with RP2040".

    "ESP32S3" and "ESP32-S3" are one chip: Espressif's own spelling is returned.
    """
    found = re.search(r" with (RP2\d{3}|ESP32(?:-?[A-Z]\d+)?)", machine or "")
    if not found:
        return None
    return re.sub(r"^ESP32-?([A-Z]\d+)$", r"ESP32-\1", found[1])


def _ask_all(chosen: list[Port], limit_s: float, wanted: bool, always: bool) -> list[Board]:
    """One thread to a port, for a driver may hang in open(): then its thread is left behind."""
    answers: queue.SimpleQueue[tuple[int, Board]] = queue.SimpleQueue()
    boards: dict[int, Board] = {}
    asked: set[int] = set()
    for number, port in enumerate(chosen):
        boards[number] = Board(port.device, "not asked", port.description, port.serial)
        if wanted and (always or port.may_be_a_board):
            asked.add(number)
            threading.Thread(
                target=lambda n, p: answers.put((n, ask(p, limit_s))),
                args=(number, port),
                daemon=True,
            ).start()
    end = time.monotonic() + limit_s + _GRACE_S
    while asked:
        try:
            number, board = answers.get(timeout=max(0.0, end - time.monotonic()))
        except queue.Empty:
            break
        boards[number] = board
        asked.discard(number)
    for number in asked:
        text = f"its driver does not let go within {limit_s + _GRACE_S:g} s: unplug it"
        boards[number] = replace(boards[number], state="unavailable", detail=text)
    return [boards[number] for number in sorted(boards)]


def _answered(known: Board, told: dict[str, Any]) -> Board:
    release = told["release"]
    node = told.get("node")
    text = ".".join(map(str, release[:3]))
    if len(release) > 3 and release[3]:
        text += f"-{release[3]}"
    return replace(
        known,
        state="micropython",
        chip=chip_of(told["_machine"]),
        machine=told["_machine"],
        build=told["_build"],
        platform=told["platform"],
        micropython=text,
        version=told["version"],
        mpy=told["_mpy"],
        uid=told.get("uid"),
        fieldpost=told.get("fieldpost"),
        # config.json may say anything.
        node=node if isinstance(node, str) else None,
    )
