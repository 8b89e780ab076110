"""The ESP32 family: asked for its chip and written to by esptool, in a process of its own.

esptool's licence is the GPL, so it is run and never imported here; and its logger is one to a
process, so boards that are flashed at once need one process each anyway.
"""

import functools
import json
import os
import queue
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from fieldpost.errors import MissingTool, NotFlashed, UnfitBoard
from fieldpost.terminal.advice import install_command

FASTEST_BAUD = 460_800
_SLOWER_BAUDS = (230_400, 115_200)
_ASK_S = 45.0
# Erasing 16 MB takes esptool up to two minutes without a word.
_WRITE_S = 600.0
_SILENT_S = 180.0
_GONE_S = 3.0
_TABLE_S = 30.0
_MIB = 1024 * 1024
_UNITS = {"KB": 1024, "MB": _MIB}
_TABLE = """
import json
from esptool.targets import CHIP_DEFS
print(json.dumps({
    c.CHIP_NAME: [key, c.BOOTLOADER_FLASH_OFFSET, getattr(c, "IMAGE_CHIP_ID", None)]
    for key, c in CHIP_DEFS.items()
}))
"""

Progress = Callable[[int, int], None]
Say = Callable[[str], None]


class EspError(NotFlashed):
    """esptool could not do it; the text has its reason and what to do."""


@dataclass(frozen=True)
class EspChip:
    """name: as "ESP32-C3". key: esptool's name of it. base: the flash address of an image.

    flash: its size in bytes. cores: of the processor that programs run on. None: it did not tell.
    is_octal: whether its flash has eight data lines, for which images are built otherwise.
    """

    name: str
    key: str
    base: int
    mac: str | None = None
    flash: int | None = None
    cores: int | None = None
    is_octal: bool = False

    @property
    def flash_mb(self) -> float | None:
        """Its flash as its seller counts it."""
        return self.flash / _MIB if self.flash else None


@functools.cache
def chip_table() -> dict[str, tuple[str, int, int | None]]:
    """esptool's own table: for each chip its key, the bootloader's address, its id in images."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", _TABLE], capture_output=True, text=True, timeout=_TABLE_S
        )
    except subprocess.TimeoutExpired:
        raise EspError(f"esptool did not start within {_TABLE_S:g} s") from None
    if done.returncode:
        raise MissingTool(
            "esptool is missing, which writes to the ESP32 family. Install it beside fieldpost: "
            f"{install_command('esptool')}"
        )
    return {name: tuple(row) for name, row in json.loads(done.stdout).items()}


def identify(port: str, *, reset: bool = True) -> EspChip:
    """Ask the chip on this port what it is, and its flash how large. The board restarts.

    reset: False if the board was put into its bootloader by hand, and must be left there.
    """
    status, text = _run([*_connection(port, None, reset), "flash-id"], _ASK_S)
    found = re.search(r"Connected to (\S+) on ", text)
    if status or not found:
        raise EspError(*_explain(port, _reason(text) or _last_line(text), reset))
    name = found[1]
    if name not in chip_table():
        raise UnfitBoard(f"the chip on {port} is {name}, which this esptool has no table for")
    key, base, _ = chip_table()[name]
    mac = re.search(r"MAC:\s+([0-9a-f:]{17})", text)
    flash = re.search(r"Detected flash size:\s+(\d+)([KM]B)", text)
    # The second core of an ESP32 may be disabled in the chip; "Single Core + LP Core" is one.
    cores = re.search(r"Features:.*\b(Single|Dual) Core", text)
    return EspChip(
        name,
        key,
        base,
        mac[1] if mac else None,
        int(flash[1]) * _UNITS[flash[2]] if flash else None,
        {"Single": 1, "Dual": 2}[cores[1]] if cores else None,
        "Flash type set in eFuse: octal" in text,
    )


def write(
    port: str,
    chip: EspChip,
    image: Path,
    *,
    erase: bool = False,
    baud: int = FASTEST_BAUD,
    reset: bool = True,
    on_progress: Progress | None = None,
    say: Say | None = None,
) -> int:
    """Write the image where it belongs, have esptool compare the flash's MD5, and restart.

    A failure is tried again at lower baud rates. Returns the rate that worked; raises EspError.
    """
    tell = say or (lambda _: None)
    rates = [baud, *(slower for slower in _SLOWER_BAUDS if slower < baud)]
    for number, rate in enumerate(rates):
        last = number + 1 == len(rates)
        command = [*_connection(port, rate, reset, chip.key), "write-flash"]
        command += [*["--erase-all"] * erase, hex(chip.base), str(image)]
        status, text = _run(command, _WRITE_S, on_progress)
        if status == 0 and "Hash of data verified" in text:
            return rate
        reason = _reason(text) or f"it ended with status {status}, and verified nothing"
        if not _still_there(port):
            raise EspError(
                f"the port {port} went away while it was written to ({reason}). The board is not "
                "lost: its bootloader can't be overwritten. Check the cable, plug it in again, "
                "and repeat the command."
            )
        if last or not _worth_another_try(reason):
            raise EspError(*_explain(port, reason, reset, tried=rates[: number + 1]))
        tell(f"Writing at {rate} baud failed ({reason}); trying {rates[number + 1]} baud.")
    raise AssertionError("unreachable: the last rate returns or raises")


def _connection(port: str, baud: int | None, reset: bool, chip: str = "auto") -> list[str]:
    arguments = ["--chip", chip, "--port", port]
    if not reset:
        arguments += ["--before", "no-reset", "--after", "no-reset"]
    if baud:
        arguments += ["--baud", str(baud)]
    return arguments


def _run(
    arguments: list[str], limit_s: float, on_progress: Progress | None = None
) -> tuple[int, str]:
    """Run esptool to its end, at most `limit_s`. Returns its status and all it printed."""
    environment = {**os.environ, "NO_COLOR": "1", "COLUMNS": "160", "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        [sys.executable, "-m", "esptool", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        env={**environment, "PYTHONIOENCODING": "utf-8"},
    )
    lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    threading.Thread(target=_read_lines, args=(process, lines), daemon=True).start()
    said: list[str] = []
    end = time.monotonic() + limit_s
    try:
        while True:
            left_s = min(_SILENT_S, end - time.monotonic())
            try:
                line = lines.get(timeout=max(0.0, left_s))
            except queue.Empty:
                said.append(f"fatal error occurred: no end after {min(limit_s, _SILENT_S):g} s")
                return 1, "\n".join(said)
            if line is None:
                return process.wait(_GONE_S), "\n".join(said)
            said.append(line)
            if on_progress and (found := re.search(r"Writing at .*?(\d+(?:\.\d+)?)%", line)):
                on_progress(round(float(found[1]) * 10), 1000)
    finally:
        process.kill()
        process.wait()


def _read_lines(process: "subprocess.Popen[str]", lines: "queue.SimpleQueue[str | None]") -> None:
    assert process.stdout
    for line in process.stdout:  # universal newlines: a carriage return ends a line too
        lines.put(line.rstrip())
    lines.put(None)


def _reason(text: str) -> str:
    found = re.findall(r"fatal error occurred: (.*)", text)
    return found[-1].strip().rstrip(".") if found else ""


def _worth_another_try(reason: str) -> bool:
    final = ("could not open", "is not an", "doesn't fit", "permission", "busy", "no such file")
    return not any(word in reason.lower() for word in final)


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["it said nothing"])[-1]


def _explain(
    port: str, reason: str, reset: bool, tried: list[int] | None = None
) -> tuple[str, str | None]:
    """What to say, and its code where it is not that of EspError."""
    lowered = reason.lower()
    head = f"esptool on {port}: {reason}"
    if tried:
        head += f" (tried at {', '.join(map(str, tried))} baud)"
    if "could not open" in lowered or "busy" in lowered:
        from fieldpost.board.ports import why_unavailable

        why, code = why_unavailable(port)
        return f"{head}. {why}", code
    if "failed to connect" in lowered or "no serial data" in lowered:
        by_hand = (
            "Hold the board's BOOT button, press and release its RESET (EN) button, let go of "
            "BOOT, and repeat the command"
        )
        return f"{head}. {by_hand}{' with --no-reset' if reset else ''}.", "board_silent"
    return f"{head}. Check the cable and repeat the command; a lower --baud may help.", None


def _still_there(port: str) -> bool:
    """Whether the port exists; one that comes back within a moment only restarted."""
    end = time.monotonic() + _GONE_S
    while True:
        if "://" in port:
            address = urlsplit(port)
            try:
                where = (address.hostname or "", address.port or 0)
                with socket.create_connection(where, timeout=_GONE_S):
                    return True
            except OSError:
                pass
        elif os.name == "nt" or Path(port).exists():
            return True
        if time.monotonic() > end:
            return False
        time.sleep(0.2)
