"""The serial ports of this machine, and what can be said of each without opening it."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from serial.tools import list_ports
from serial.tools.list_ports_common import ListPortInfo

from fieldpost.board import emulated

# What is at the other end: an interpreter's own port, a chip's own port, a bridge to somebody's
# UART, a board that a program is, or something that no board of ours uses.
Kind = Literal["micropython", "espressif", "bridge", "emulated", "probe", "other"]

RASPBERRY_PI = 0x2E8A
ESPRESSIF = 0x303A
_KNOWN: dict[tuple[int, int], tuple[Kind, str]] = {
    (RASPBERRY_PI, 0x0005): ("micropython", "Raspberry Pi Pico with MicroPython"),
    (RASPBERRY_PI, 0x0009): ("other", "Raspberry Pi RP2350 with a C or C++ program"),
    (RASPBERRY_PI, 0x000A): ("other", "Raspberry Pi RP2040 with a C or C++ program"),
    (RASPBERRY_PI, 0x000C): ("probe", "Raspberry Pi Debug Probe (a bridge to another board)"),
    (ESPRESSIF, 0x1001): ("espressif", "Espressif USB Serial/JTAG, in the chip"),
    (ESPRESSIF, 0x4001): ("micropython", "Espressif chip with MicroPython"),
    (0x0403, 0x6001): ("bridge", "FT232R serial bridge (FTDI)"),
    (0x0403, 0x6010): ("bridge", "FT2232 serial bridge (FTDI)"),
    (0x0403, 0x6015): ("bridge", "FT-X serial bridge (FTDI)"),
    (0x067B, 0x2303): ("bridge", "PL2303 serial bridge (Prolific)"),
    (0x10C4, 0xEA60): ("bridge", "CP210x serial bridge (Silicon Labs)"),
    (0x10C4, 0xEA70): ("bridge", "CP2105 serial bridge, two ports (Silicon Labs)"),
    (0x1A86, 0x5523): ("bridge", "CH341 serial bridge (WCH)"),
    (0x1A86, 0x55D3): ("bridge", "CH343 serial bridge (WCH)"),
    (0x1A86, 0x55D4): ("bridge", "CH9102 serial bridge (WCH)"),
    (0x1A86, 0x7523): ("bridge", "CH340 serial bridge (WCH)"),
}
# An error lists so many ports.
_TOLD_MAX = 8


@dataclass(frozen=True)
class Port:
    """A serial port. `serial` is the USB serial number: of the board, or of its bridge."""

    device: str
    kind: Kind
    description: str
    usb_id: str | None = None
    serial: str | None = None

    @property
    def may_be_a_board(self) -> bool:
        """Whether to talk to it unasked: a stranger's modem or printer is left alone."""
        return self.kind in ("micropython", "espressif", "bridge", "emulated")


def all_ports() -> list[Port]:
    """The USB serial ports, in the order of their names, then emulated boards. Opens none."""
    found = [_port(info) for info in list_ports.comports() if info.vid is not None]
    made = [Port(one.console, "emulated", f"emulated {one.title}") for one in emulated.running()]
    return sorted(found, key=lambda port: port.device) + made


def port_named(device: str) -> Port:
    """What is known of a port that the user named. It may be no USB port, or not exist."""
    for port in all_ports():
        if port.device == device:
            return port
    return Port(device, "other", "over the network" if "://" in device else "not a USB port")


def present_name(port: Port) -> str | None:
    """The device of this port now, None while it is away.

    A board that comes back may have another one: where USB gives it a serial number, it is found
    by that.
    """
    if "://" in port.device:
        return port.device
    if port.serial:
        found = [one.device for one in all_ports() if one.serial == port.serial]
        if found and port.device not in found:
            return found[0]
    return port.device if _exists(port.device) else None


def why_unavailable(port: str, error: str = "") -> tuple[str, str]:
    """Why a port can't be opened, what to do about it on this platform, and the error's code."""
    if "://" in port:
        return f"cannot reach {port} ({error})", "board_port"
    return why_unusable(port) or (
        f"cannot open {port}. Another program has it open, or it has just gone: close serial "
        "monitors and editors that are connected to the board, and try again.",
        "board_busy",
    )


def why_unusable(port: str) -> tuple[str, str] | None:
    """The same as far as it shows without opening the port; None if nothing does."""
    path = Path(port)
    if "://" in port:
        return None
    if not _exists(port):
        return there_is_no(port), "board_port"
    if os.name == "nt":
        return None
    if not path.is_char_device():
        return f"{port} is no serial port. {_those_there_are()}", "board_port"
    if not os.access(path, os.R_OK | os.W_OK):
        fix = "see who may with: ls -l " + port
        if sys.platform == "linux":
            group = _group_of(path)
            fix = f"run `sudo usermod -aG {group} $USER`, then log out and in again"
        return f"this user may not use {port}: {fix}.", "board_denied"
    return None


def there_is_no(port: str) -> str:
    """What is told of a port that does not exist: with those that do."""
    return f"there is no port {port}. {_those_there_are()}"


def _exists(device: str) -> bool:
    if os.name != "nt":
        return Path(device).exists()
    # There a port is no file, and its name may be typed in other ways.
    typed = device.removeprefix("\\\\.\\").casefold()
    return any(info.device.casefold() == typed for info in list_ports.comports())


def _those_there_are() -> str:
    ports = [f"{one.device} ({one.description})" for one in all_ports()]
    if not ports:
        return "Nor is there any other: `fieldpost boards` says what helps."
    more = f", and {len(ports) - _TOLD_MAX} more" if len(ports) > _TOLD_MAX else ""
    return f"There are: {', '.join(ports[:_TOLD_MAX])}{more}."


def _port(info: ListPortInfo) -> Port:
    vid, pid, product = info.vid, info.pid or 0, info.product
    kind, description = _KNOWN.get(
        (vid, pid), ("other", product or info.description or "unknown USB device")
    )
    if kind == "other" and vid == ESPRESSIF:
        # Boards of many makers: Espressif hands out product ids under its own vendor id.
        kind, description = "espressif", product or "Espressif chip"
    elif kind == "other" and vid == RASPBERRY_PI and (vid, pid) not in _KNOWN:
        # As above, for boards with an RP2040 or RP2350.
        kind, description = "micropython", product or "board with a Raspberry Pi chip"
    return Port(info.device, kind, description, f"{vid:04X}:{pid:04X}", info.serial_number)


def _group_of(path: Path) -> str:
    try:
        return path.group()
    except (KeyError, OSError, NotImplementedError):
        return "dialout"


def complete(incomplete: str) -> list[tuple[str, str]]:
    """For the shell: ports that begin so, with what is at each."""
    return [
        (port.device, port.description)
        for port in all_ports()
        if port.device.startswith(incomplete) and port.may_be_a_board
    ]
