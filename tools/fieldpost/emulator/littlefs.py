"""A board's file system as an image: built of files, and taken apart again.

MicroPython's unix port has the very littlefs that is on the board, so it does the work.
"""

import json
import os
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fieldpost.errors import BadFile, Ended, MissingTool, TimedOut
from fieldpost.node_process import find_micropython

BLOCK_BYTES = 4096
_LIMIT_S = 30


@dataclass(frozen=True)
class Geometry:
    """blocks: of 4 KiB. program_bytes: what the board's own _boot.py makes it with."""

    blocks: int
    program_bytes: int


_DEVICE = """
import json, os, sys, vfs
class Flash:
    def __init__(self, data):
        self.data = data
    def readblocks(self, block, buf, offset=0):
        at = block * 4096 + offset
        buf[:] = self.data[at:at + len(buf)]
    def writeblocks(self, block, buf, offset=None):
        if offset is None:
            self.ioctl(6, block)
            offset = 0
        at = block * 4096 + offset
        self.data[at:at + len(buf)] = buf
    def ioctl(self, op, arg):
        if op == 4:
            return len(self.data) // 4096
        if op == 5:
            return 4096
        if op == 6:
            self.data[arg * 4096:arg * 4096 + 4096] = b"\\xff" * 4096
            return 0
task = json.load(open("task.json"))
"""

_BUILD = """
flash = Flash(bytearray(b"\\xff" * (4096 * task["blocks"])))
vfs.VfsLfs2.mkfs(flash, progsize=task["program_bytes"])
lfs = vfs.VfsLfs2(flash, progsize=task["program_bytes"])
for path, source in task["files"]:
    folder = ""
    for part in path.strip("/").split("/")[:-1]:
        folder += "/" + part
        try:
            lfs.mkdir(folder)
        except OSError as error:
            if error.errno != 17:
                raise
    with open(source, "rb") as file:
        data = file.read()
    with lfs.open("/" + path.strip("/"), "wb") as file:
        file.write(data)
lfs.umount()
with open("image", "wb") as file:
    file.write(flash.data)
"""

_READ = """
with open("image", "rb") as file:
    flash = Flash(bytearray(file.read()))
lfs = vfs.VfsLfs2(flash, progsize=task["program_bytes"])
found = []
def walk(folder):
    for entry in lfs.ilistdir(folder or "/"):
        path = folder + "/" + entry[0]
        if entry[1] & 0x4000:
            walk(path)
            continue
        with lfs.open(path, "rb") as file:
            data = file.read()
        with open("f%d" % len(found), "wb") as file:
            file.write(data)
        found.append(path)
walk("")
json.dump(found, sys.stdout)
"""


def build_image(files: Mapping[str, bytes], geometry: Geometry) -> bytes:
    """The image of a littlefs that holds `files`, contents by path."""
    with tempfile.TemporaryDirectory(prefix="fieldpost-littlefs-") as folder:
        sources = []
        for number, (path, data) in enumerate(files.items()):
            (Path(folder) / f"f{number}").write_bytes(data)
            sources.append((path, f"f{number}"))
        task = {**asdict(geometry), "files": sources}
        _micropython(_DEVICE + _BUILD, task, folder)
        return (Path(folder) / "image").read_bytes()


def read_image(image: bytes, geometry: Geometry) -> dict[str, bytes]:
    """The files of a littlefs image, by absolute path. Raises CommandError if it is none."""
    if not image or len(image) % BLOCK_BYTES:
        raise BadFile("this is not an image of a file system: its size is not whole blocks")
    with tempfile.TemporaryDirectory(prefix="fieldpost-littlefs-") as folder:
        (Path(folder) / "image").write_bytes(image)
        paths = json.loads(_micropython(_DEVICE + _READ, asdict(geometry), folder))
        return {path: (Path(folder) / f"f{n}").read_bytes() for n, path in enumerate(paths)}


def _micropython(script: str, task: dict[str, Any], folder: str) -> str:
    micropython = find_micropython()
    if not micropython:
        raise MissingTool(
            "a board's file system is made with MicroPython's unix port, which nobody packages "
            "for this platform: write to the running board with `fieldpost deploy` instead"
        )
    (Path(folder) / "task.json").write_text(json.dumps(task))
    try:
        done = subprocess.run(
            [micropython, "-X", "heapsize=8M", "-c", script],
            cwd=folder,
            env={**os.environ, "MICROPYPATH": ".frozen"},
            capture_output=True,
            text=True,
            timeout=_LIMIT_S,
        )
    except subprocess.TimeoutExpired:
        raise TimedOut(f"the file system's image took longer than {_LIMIT_S} s") from None
    if done.returncode:
        last = (done.stdout + done.stderr).strip().splitlines()[-1:] or ["no reason given"]
        raise Ended(f"the file system's image: {last[0]}")
    return done.stdout
