"""The files on a board: listed, hashed, read, and replaced whole or not at all."""

import base64
import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path

from fieldpost.board.errors import BoardError, ProgramError
from fieldpost.board.link import BoardLink
from fieldpost.board.said import json_or_none
from fieldpost.board.script import compact

# Bytes to a line of source. More would save few round trips and take heap the board may not have.
_CHUNK = 1024
_HASH_S = 60.0
_DIGITS_MAX = 16
TEMPORARY = ".new"
_NOT_IN_NAMES = set('\\:*?"<>|')
# Of every file system that a copy may go to; some count characters, some bytes.
_NAME_BYTES_MAX = 255
# Windows opens a device for these, whatever the folder and the ending.
_DEVICES = {
    *("CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"),
    *(f"{port}{digit}" for port in ("COM", "LPT") for digit in "0123456789\xb9\xb2\xb3"),
}

Progress = Callable[[int, int], None]

_LIST = """
def _walk(folder):
    import os, json
    for entry in os.ilistdir(folder or "/"):
        path = folder + "/" + entry[0]
        if entry[1] & 0x4000:
            print(json.dumps([path + "/", 0]))
            _walk(path)
        else:
            print(json.dumps([path, entry[3] if len(entry) > 3 else os.stat(path)[6]]))
_walk({folder!r})
del _walk
"""

_HASH = """
def _hash(paths):
    import hashlib, binascii
    block = bytearray(512)
    view = memoryview(block)
    for path in paths:
        digest = hashlib.sha256()
        try:
            with open(path, "rb") as f:
                while True:
                    n = f.readinto(block)
                    if not n:
                        break
                    digest.update(view[:n])
        except OSError:
            print("-")
            continue
        print(binascii.hexlify(digest.digest()).decode())
_hash({paths!r})
del _hash
"""

_READ = """
def _read(path, left):
    import binascii
    with open(path, "rb") as f:
        while left:
            block = f.read(min(left, 512))
            if not block:
                break
            left -= len(block)
            print(binascii.b2a_base64(block).decode(), end="")
_read({path!r}, {size})
del _read
"""

# littlefs and POSIX replace the old file in one step; FAT refuses, and only then is it removed.
_REPLACE = compact("""
def _replace(new, path):
    import os
    try:
        os.rename(new, path)
    except OSError:
        os.remove(path)
        os.rename(new, path)
_replace({new!r}, {path!r})
del _replace
""")


# All of a small file in one round trip: a serial line takes longer for eight than for the bytes.
_WRITE = compact("""
def _write(new, path, text, digest):
    import os
    from binascii import a2b_base64, hexlify
    from hashlib import sha256
    with open(new, "wb") as f:
        f.write(a2b_base64(text))
    with open(new, "rb") as f:
        if hexlify(sha256(f.read()).digest()) != digest:
            print("damaged")
            return
    try:
        os.rename(new, path)
    except OSError:
        os.remove(path)
        os.rename(new, path)
""")


class FileError(BoardError):
    """A file on the board can't be read or written."""

    code = "board_file"


def list_files(link: BoardLink, folder: str = "/") -> dict[str, int]:
    """Every file below `folder` by its absolute path, with its size; folders end in '/', size 0.

    Raises FileError if there is no such folder.
    """
    found: dict[str, int] = {}
    for line in _run(link, _LIST.format(folder=folder.rstrip("/")), folder).splitlines():
        match json_or_none(line):
            case [str(path), int(size)]:
                found[path] = size
            case _:
                raise FileError(f"the board on {link.port} lists its files in no form known here")
    return found


def below(folder: Path, path: str) -> Path | None:
    """Where `folder` is to hold the board's file `path`; None for a path that would leave it.

    A board names its files as it likes: what is a folder above, a drive, a device or a control
    character on any system that this runs on is refused on all.
    """
    parts = path.removeprefix("/").split("/")
    return folder.joinpath(*parts) if all(map(_is_plain, parts)) else None


def hash_files(link: BoardLink, paths: Iterable[str]) -> dict[str, str | None]:
    """The SHA-256 of each file as hex, None for one that can't be read. One round trip."""
    wanted = list(paths)
    if not wanted:
        return {}
    lines = _run(link, _HASH.format(paths=wanted), "hashing").split()
    if len(lines) != len(wanted):
        raise FileError(f"the board on {link.port} did not hash every file. Repeat the command.")
    return {path: None if line == "-" else line for path, line in zip(wanted, lines, strict=True)}


def read_file(link: BoardLink, path: str, size: int = 1 << 29) -> bytes:
    """What is in the file, at most its first `size` bytes. Raises FileError if there is none."""
    said = _run(link, _READ.format(path=path, size=size), path)
    try:
        return b"".join(map(base64.b64decode, said.split()))
    except ValueError:
        raise FileError(f"{path} arrived damaged from {link.port}. Repeat the command.") from None


def replacing(new: str, path: str) -> str:
    """The program of a board that puts the file `new` in the place of the one at `path`."""
    return _REPLACE.format(new=new, path=path)


def write_file(
    link: BoardLink, path: str, data: bytes, on_progress: Progress | None = None
) -> None:
    """Replace the file: written beside it, read back and hashed on the board, then renamed.

    Interrupted anywhere, the old file is whole, and at most `path + TEMPORARY` is left over. Its
    folder must exist. `on_progress` gets bytes written and their total. Raises FileError.
    """
    new = path + TEMPORARY
    digest = hashlib.sha256(data).hexdigest()
    try:
        if len(data) <= _CHUNK:
            call = (new, path, base64.b64encode(data), digest.encode())
            if _run(link, f"{_WRITE}_write{call!r}\ndel _write", new).strip():
                raise _damaged(link, path)
            if on_progress:
                on_progress(len(data), len(data))
            return
        _run(link, f"from binascii import a2b_base64 as _a\n_f = open({new!r}, 'wb')", new)
        for at in range(0, len(data), _CHUNK):
            text = base64.b64encode(data[at : at + _CHUNK])
            _run(link, f"_f.write(_a({text!r}))", new)
            if on_progress:
                on_progress(min(at + _CHUNK, len(data)), len(data))
        _run(link, "_f.close()\ndel _f, _a", new)
        if hash_files(link, [new])[new] != digest:
            raise _damaged(link, path)
        _run(link, replacing(new, path), path)
    except FileError:
        _discard(link, new)
        raise


def remove_file(link: BoardLink, path: str) -> None:
    """Raises FileError if it can't be removed; a file that is not there is no error."""
    code = f"import os\ntry:\n os.remove({path!r})\nexcept OSError as e:\n if e.errno != 2: raise"
    _run(link, code, path)


def make_folder(link: BoardLink, path: str) -> None:
    """Make a folder and those above it, unless they exist."""
    parts = path.strip("/").split("/")
    folders = ["/" + "/".join(parts[: n + 1]) for n in range(len(parts))]
    code = f"import os\nfor p in {folders!r}:\n try:\n  os.mkdir(p)\n except OSError as e:\n"
    _run(link, code + "  if e.errno != 17: raise", path)


def free_bytes(link: BoardLink) -> int:
    """What is free in the board's file system."""
    # littlefs counts some blocks twice: fewer than none can be free, on 64 bits as a huge number.
    code = "import os\n_s = os.statvfs('/')\nprint(_s[0] * _s[3] if 0 <= _s[3] <= _s[2] else 0)"
    said = _run(link, code, "/").strip()
    if not (said.isascii() and said.isdigit() and len(said) < _DIGITS_MAX):
        raise FileError(f"the board on {link.port} does not say how much room it has")
    return int(said)


def _is_plain(name: str) -> bool:
    """Whether a file of this name stands in its folder on Linux, macOS and Windows alike."""
    return (
        name.isprintable()
        and not set(name) & _NOT_IN_NAMES
        and name == name.rstrip(". ")  # Windows drops them; "", "." and ".." are gone with them
        and 0 < len(name.encode()) <= _NAME_BYTES_MAX
        and name.split(".")[0].rstrip().upper() not in _DEVICES
    )


def _damaged(link: BoardLink, path: str) -> FileError:
    return FileError(
        f"{path} arrived damaged on {link.port}, and the old file was kept. Try another cable, or "
        "a USB port without a hub."
    )


def _discard(link: BoardLink, path: str) -> None:
    try:
        _run(link, "try:\n _f.close()\nexcept NameError: pass", path)
        remove_file(link, path)
    except BoardError:
        pass  # the first error is the one to report


def _run(link: BoardLink, code: str, path: str) -> str:
    try:
        return link.exec(code, _HASH_S).decode(errors="replace")
    except ProgramError as error:
        raise FileError(_explain(link.port, path, error.traceback)) from None


def _explain(port: str, path: str, traceback: str) -> str:
    last = (traceback.strip().splitlines() or ["no reason given"])[-1]
    if "ENOSPC" in last or "Errno 28" in last:
        return f"the flash of the board on {port} is full: {path} was not written"
    if "ENOENT" in last or "Errno 2]" in last:
        return f"there is no {path} on the board on {port}"
    return f"{path} on the board on {port}: {last}"
