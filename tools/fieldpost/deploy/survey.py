"""What is on a board before a deployment: asked in one round trip, with its program stopped."""

import base64
import binascii
import contextlib
from dataclasses import dataclass, field

from fieldpost.board import said
from fieldpost.board.errors import BoardError, ProgramError
from fieldpost.board.link import BoardLink
from fieldpost.board.said import NUMBER_OR_NONE, TEXT_OR_NONE
from fieldpost.board.script import compact
from fieldpost.deploy.pack import PATH, RECORD_BYTES
from fieldpost.file_names import CHECKED, DEPLOYMENT, SETTINGS, on_board

FOLDER = on_board(DEPLOYMENT) + "/"
COMMIT = FOLDER + "commit"
INSTALLED = FOLDER + "installed"
COMPLETE = FOLDER + "complete.py"
# An update over the air that has yet to prove itself, or has failed (lib/pack_trial.py). Without
# these, boot.py runs the pack that the cable brought.
TRIALS = (FOLDER + "trial", FOLDER + "failed")
# Ends the first line of a journal that more parts follow: boot.py starts nothing then.
UNFINISHED = " unfinished"
_LIMIT_S = 30.0
# Of these the survey has the hashes, too: small, and needed by nearly every deployment.
_HASHED = ("/boot.py", "/main.py", "/module_pack.mpy", "/pack_trial.mpy", on_board(CHECKED))
_HASHED_BYTES_MAX = 8192
# And of these the content: it says what of the configuration the board's pins cannot do, and
# whether what the board takes as checked is what the new firmware would have.
_READ = tuple(map(on_board, SETTINGS))
_READ_BYTES_MAX = 2048
# What stands there may be no pack.
_MODULES_MAX = 1000

# A watchdog that a node has armed would reset a Pico in the middle, and can be stopped nowhere but
# at its register (CTRL, bit 30: RP2040 datasheet 4.7.6, RP2350 datasheet 12.9.8); on an ESP32 the
# node itself lets go of it, unless an update on trial did not come to a node. The firmware and
# what it imports are forgotten: their heap is needed, and `.frozen` must not be taken for what was
# found in /lib.
_SURVEY = compact("""
def _survey(hashed, hashed_max, read, read_max, pack, record, modules_max):
    import gc, json, os, sys
    from binascii import b2a_base64, hexlify
    from hashlib import sha256
    i = sys.implementation
    try:
        with open("/config.json") as f:
            armed = json.load(f).get("watchdog_s", 0)
    except (OSError, AttributeError):
        armed = False
    except ValueError:
        armed = True
    try:
        os.stat("/.deploy/trial")
        armed = True
        if sys.platform == "esp32":
            import machine
            machine.WDT(timeout=86400000)
    except OSError:
        pass
    if armed and sys.platform == "rp2":
        import machine
        at = 0x400D8000 if "RP2350" in i._machine else 0x40058000
        machine.mem32[at] &= ~(1 << 30)
    r = {"platform": sys.platform, "mpy": getattr(i, "_mpy", None), "release": i.version[:3]}
    for name in ("installed", "commit"):
        try:
            with open("/.deploy/" + name) as f:
                r[name] = f.read()
        except OSError:
            r[name] = ""
    r["version"] = None
    try:
        from firmware import VERSION
        r["version"] = VERSION
    except Exception:
        pass
    for name in list(sys.modules):
        if name.split(".")[0] in ("firmware", "umqtt", "wire", "wire_packets", "module_pack"):
            del sys.modules[name]
    path = sys.path[:]
    sys.path[:] = [".frozen"]
    try:
        from umqtt.simple import MQTTClient
        r["frozen_umqtt"] = True
    except ImportError:
        r["frozen_umqtt"] = False
    sys.path[:] = path
    for name in ("umqtt.simple", "umqtt"):
        sys.modules.pop(name, None)
    try:
        os.remove("/.deploy/none")  # see boot.py
    except OSError:
        pass
    files = r["files"] = {}
    def walk(folder):
        for entry in os.ilistdir(folder or "/"):
            path = folder + "/" + entry[0]
            if entry[1] & 0x4000:
                files[path + "/"] = 0
                if path != "/outbox":
                    walk(path)
            else:
                files[path] = entry[3] if len(entry) > 3 else os.stat(path)[6]
    walk("")
    def digest(path, size):
        with open(path, "rb") as f:
            return hexlify(sha256(f.read(size)).digest()).decode()
    r["hashes"] = {}
    r["texts"] = {}
    r["head"] = ""
    try:
        for path in hashed:
            if 0 < files.get(path, 0) <= hashed_max:
                r["hashes"][path] = digest(path, hashed_max)
        for path in read:
            if 0 < files.get(path, 0) <= read_max:
                with open(path, "rb") as f:
                    r["texts"][path] = b2a_base64(f.read()).decode().strip()
        if pack in files:
            with open(pack, "rb") as f:
                n = int.from_bytes(f.read(8)[4:], "little")
            if n <= modules_max:
                r["head"] = digest(pack, 8 + n * record + 4)
    except OSError:
        pass  # Whoever needs it asks for it, and is told why.
    s = os.statvfs("/")
    r["free"] = s[0] * s[3] if 0 <= s[3] <= s[2] else 0
    r["machine"] = getattr(i, "_machine", None)
    print(json.dumps(r))
    gc.collect()
""")
_ASK = f"""_survey({_HASHED!r}, {_HASHED_BYTES_MAX}, {_READ!r}, {_READ_BYTES_MAX},
 "/{PATH}", {RECORD_BYTES}, {_MODULES_MAX})
del _survey
"""

_SHAPE = {
    "platform": str,
    "mpy": NUMBER_OR_NONE,
    "release": [int],
    "version": TEXT_OR_NONE,
    "frozen_umqtt": bool,
    "files": {str: int},
    "installed": str,
    "commit": str,
    "hashes?": {str: str},
    "texts?": {str: str},
    "head?": str,
    "machine?": TEXT_OR_NONE,
    "free?": int,
}


@dataclass(frozen=True)
class Survey:
    """files: size by absolute path; folders end in '/'. installed: what deploy last put there,
    as paths without a leading slash. version: Fieldpost's, None without. is_unfinished: parts of
    a deployment are missing, so that boot.py starts nothing.

    What may be missing, and then has to be asked for: hashes: hex SHA-256 by absolute path; texts:
    contents of the settings by absolute path; head: the hex SHA-256 of all that stands before the
    bytecode in the pack. machine: MicroPython's name of the board. free: bytes of its flash.
    """

    platform: str
    mpy: int | None
    micropython: str
    version: str | None
    frozen_umqtt: bool
    files: dict[str, int]
    installed: frozenset[str]
    is_unfinished: bool = False
    hashes: dict[str, str] = field(default_factory=dict)
    texts: dict[str, bytes] = field(default_factory=dict, repr=False)
    head: str = ""
    machine: str | None = None
    free: int | None = None

    @property
    def is_committed(self) -> bool:
        """A deployment was cut short after its commit: it has to be completed first."""
        return COMMIT in self.files

    def has(self, path: str) -> bool:
        """Whether there is such a file. path: from the root, without a leading slash."""
        return "/" + path in self.files


def survey(link: BoardLink) -> Survey:
    """Ask the board. Raises BoardError."""
    try:
        told = said.last_line(link.port, link.exec(_SURVEY + _ASK, _LIMIT_S), _SHAPE)
    except ProgramError as error:
        if "MemoryError" in error.traceback:
            raise BoardError(
                f"the board on {link.port} has too little memory left: press its reset button, "
                "and repeat the command"
            ) from None
        raise
    return Survey(
        platform=told["platform"],
        mpy=told["mpy"],
        micropython=".".join(map(str, told["release"])),
        version=told["version"],
        frozen_umqtt=told["frozen_umqtt"],
        files=told["files"],
        # Between two parts both count: what was there before, and what comes.
        installed=frozenset(parse_installed(told["installed"] + told["commit"])),
        is_unfinished=told["commit"].partition("\n")[0].endswith(UNFINISHED),
        hashes=told.get("hashes", {}),
        texts=_decoded(told.get("texts", {})),
        head=told.get("head", ""),
        machine=told.get("machine"),
        free=told.get("free"),
    )


def _decoded(texts: dict[str, str]) -> dict[str, bytes]:
    """Without those that have arrived damaged."""
    found = {}
    for path, text in texts.items():
        with contextlib.suppress(binascii.Error):
            found[path] = base64.b64decode(text, validate=True)
    return found


def parse_installed(text: str) -> list[str]:
    """The paths of a journal's lines, without those that it removed."""
    lines = [line.split(" ", 1) for line in text.splitlines() if " " in line]
    return [path.lstrip("/") for name, path in lines if name not in ("-", "#")]
