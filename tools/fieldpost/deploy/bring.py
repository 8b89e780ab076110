"""Brings a plan to a board: stages what is new, commits it by the journal, completes it.

Where flash has no room for the new pack beside the old one, that takes more than one part.
"""

from dataclasses import dataclass, field
from pathlib import Path

from fieldpost.board import files as board_files
from fieldpost.board.errors import BoardError, ProgramError
from fieldpost.board.link import BoardLink
from fieldpost.board.ports import port_named
from fieldpost.board.screen import Screen
from fieldpost.board.script import compact
from fieldpost.config import checked
from fieldpost.deploy import heads, pack
from fieldpost.deploy.build import Build, sha256
from fieldpost.deploy.parts import Part, Parts
from fieldpost.deploy.plan import Plan
from fieldpost.deploy.send import WINDOW_UART, WINDOW_USB, send
from fieldpost.deploy.survey import COMMIT, COMPLETE, FOLDER, Survey
from fieldpost.file_names import CHECKED, SETTINGS, on_board

_COMPLETE_S = 60.0

# What boot.py runs of a deployment that was committed.
COMPLETING = compact((Path(__file__).parent / "complete.py").read_text(encoding="utf-8"))
_COMPLETING_STAGED = sha256(COMPLETING.encode())[:16]
# How it is run in its place by us, as by boot.py.
_RUN = "with open({path!r}) as _f: _f = _f.read()\nexec(_f, {{}})\ndel _f"

_COPY = """
def _copy(old, new):
    block = bytearray(512)
    view = memoryview(block)
    with open(old, "rb") as f, open("/.deploy/part", "wb") as g:
        while True:
            n = f.readinto(block)
            if not n:
                break
            g.write(view[:n])
    import os
    os.rename("/.deploy/part", new)
for _old, _new in {copies!r}:
    _copy(_old, _new)
del _copy
"""


@dataclass
class Brought:
    """What a deployment has done so far: as in Outcome. is_to_check: what the board took as
    checked is gone, for the new firmware may see it otherwise."""

    parts: int = 0
    modules: int = 0
    sent: dict[str, int] = field(default_factory=dict)
    is_to_check: bool = True


def bring(
    link: BoardLink, found: Survey, wanted: Build, todo: Plan, screen: Screen, brought: Brought
) -> None:
    """Stage, commit, complete."""
    for path in todo.leftovers:
        board_files.remove_file(link, path)
    parts = Parts(found, wanted, todo)
    part = parts.next(_free(link, None if todo.leftovers else found.free))
    if FOLDER not in found.files:
        board_files.make_folder(link, FOLDER)
    if todo.keep:
        copies = [("/" + old, "/" + new) for old, new in todo.keep.items()]
        link.exec(_COPY.format(copies=copies), _COMPLETE_S)
    # What is committed is completed by the boot.py that belongs to the journal.
    boot = todo.send.get("boot.py")
    window = window_of(link.port, found.platform)
    brought.is_to_check = not _stays_checked(found)
    _bring_part(link, found, todo, part, boot, window, screen, brought)
    if boot is not None:
        brought.sent["boot.py"] = len(boot)
    while not part.is_last:
        try:
            part = parts.next(_free(link))
            _bring_part(link, found, todo, part, None, window, screen, brought)
        except BoardError as error:
            raise BoardError(
                f"{error} The old firmware has made room, the new one is not there yet: the board "
                "starts nothing until `fieldpost deploy` has been repeated. Readings and settings "
                "are whole."
            ) from None


def _free(link: BoardLink, told: int | None = None) -> int:
    """Bytes of its flash. told: what the board has said already."""
    return board_files.free_bytes(link) if told is None else told


def _stays_checked(found: Survey) -> bool:
    """Whether the schema of the firmware that comes makes of the settings what the board has."""
    digest = found.hashes.get(on_board(CHECKED))
    texts = [found.texts.get(on_board(name)) for name in SETTINGS]
    config, secrets = texts
    if digest is None or config is None or secrets is None:
        return False
    return checked.holds(config, secrets, digest)


def window_of(port: str, platform: str) -> int:
    """Bytes that a board takes at once. An ESP32 is taken to be at a serial line unless the port
    is known to be its own: an adapter that nobody has listed, or one in the network, has no flow
    control either, and a lost byte would have both ends wait for each other."""
    kind = port_named(port).kind
    is_its_own = kind in ("espressif", "micropython")
    is_line = kind == "bridge" or (platform == "esp32" and not is_its_own)
    return WINDOW_UART if is_line else WINDOW_USB


def _bring_part(
    link: BoardLink,
    found: Survey,
    todo: Plan,
    part: Part,
    boot: bytes | None,
    window: int,
    screen: Screen,
    brought: Brought,
) -> None:
    port = link.port
    try:
        fresh = {}
        for path, name in part.staged.items():
            if path in todo.resumed:
                continue
            is_pack = path == pack.PATH
            # What boot.py starts nothing without has gone in the first part.
            head = heads.of_board(link, found.head) if is_pack and not brought.parts else b""
            whole = pack.pieces(todo.send[path], head, found.files.get("/" + path, 0))
            fresh[name] = pack.without_start(whole, todo.begun.get(path, 0))
            brought.sent[path] = sum(len(one) for one in fresh[name] if isinstance(one, bytes))
            if is_pack:
                brought.modules = pack.changed(todo.send[path], head)
                heads.keep(todo.send[path])
        fresh[_COMPLETING_STAGED] = [COMPLETING.encode()]
        send(
            link,
            fresh,
            begun=frozenset(part.staged[path] for path in todo.begun if path in part.staged),
            window=window,
            on_progress=lambda done, total: screen.progress(port, "sending", done, total),
        )
        link.exec(board_files.replacing(FOLDER + _COMPLETING_STAGED, COMPLETE))
        if boot is not None:
            board_files.write_file(link, "/boot.py", boot)
        screen.progress(port, "committing", 0, None)
        if brought.is_to_check:
            checked.forget(link)
        board_files.write_file(link, COMMIT, part.journal)
    except ProgramError as error:
        raise _explained(port, error) from None
    complete(link, _RUN.format(path=COMPLETE))
    brought.parts += 1


def complete(link: BoardLink, code: str = COMPLETING) -> None:
    """What boot.py would do when the board starts."""
    try:
        link.exec(code, _COMPLETE_S)
    except ProgramError as error:
        raise BoardError(
            f"the files arrived on {link.port}, but could not be put in their places: "
            f"{error}. Press its reset button, and repeat the command."
        ) from None


def _explained(port: str, error: ProgramError) -> BoardError:
    if "ENOSPC" in error.traceback or "Errno 28" in error.traceback:
        return BoardError(
            f"the flash of the board on {port} is full. Fetch what you want to keep with "
            "fieldpost pull, remove files, and repeat the command."
        )
    return error
