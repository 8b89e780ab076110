"""A board's file system in memory, littlefs behind MicroPython's `os`, on which power can fail.

What littlefs promises is kept: a file's content changes on the disk at `flush()` or `close()`,
as a whole; `remove`, `rename` and `mkdir` happen or do not. The mode "harsh" promises less, as
FAT does: of data written and not yet synced a prefix may be there, and garbage after it.
"""

import random
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from fakes.flash_file import FakeFile, PowerCut

_NO_ENTRY, _IO, _EXISTS, _NOT_A_DIRECTORY, _IS_DIRECTORY = 2, 5, 17, 20, 21
_INVALID, _NO_SPACE, _NOT_EMPTY = 22, 28, 39
_FILE, _DIRECTORY = 0x8000, 0x4000


class Operation(NamedTuple):
    """What changes the disk, or prepares to: kind is create, write, sync, remove, rename, mkdir
    or rmdir; `size` the bytes that a write or a sync brings."""

    number: int
    kind: str
    path: str
    size: int


@dataclass
class Wear:
    """What one file cost. `erases` is what littlefs needs at least: a sync copies everything
    from the first changed block on, one erase per block; files that fit into the directory
    entry need none of their own. Metadata is not counted."""

    writes: int = 0
    bytes: int = 0
    syncs: int = 0
    erases: int = 0


class FakeFlash:
    """The disk, and the functions of `os` (`listdir`, `rename`, …) and `open` on it.

    `cut_at(number, when)` ends the power at one operation; `decide` (a function of an Operation
    that returns "before", "within", "after" or None) at any that it likes. Both raise PowerCut;
    then nothing works until `power_on()`. `write_error`: errno that every write raises.
    `history`: the last operations, for a trace.
    """

    def __init__(
        self,
        capacity_bytes: int = 1 << 20,
        rng: random.Random | None = None,
        harsh: bool = False,
        block_bytes: int = 4096,
        inline_bytes: int = 128,
    ) -> None:
        self.rng = rng or random.Random(0)
        self.harsh = harsh
        self.block_bytes = block_bytes
        self.blocks = capacity_bytes // block_bytes
        self.inline_bytes = inline_bytes
        self.files: dict[str, bytes] = {}
        self.folders: set[str] = {""}
        self.open_files: list[FakeFile] = []
        self.wear: dict[str, Wear] = {}
        self.operations = 0
        self.history: deque[Operation] = deque(maxlen=200)
        self.decide: Callable[[Operation], str | None] | None = None
        self.write_error: int | None = None
        self.powered = True
        self.cuts = 0
        self._cut: tuple[int, str] | None = None
        self._used_blocks = 2

    # -- power ---------------------------------------------------------------------------------

    def cut_at(self, number: int, when: str = "within") -> None:
        """Cut the power at operation `number` (the next one is `operations + 1`)."""
        if when not in ("before", "within", "after"):
            raise ValueError(when)
        self._cut = (number, when)

    def power_off(self) -> None:
        """The power fails at this moment, between operations."""
        for file in self.open_files:
            if self.harsh and file.dirty and file.path in self.files:
                self._put(file.path, self._torn(self.files[file.path], bytes(file.data)))
        self.open_files.clear()
        self.powered = False
        self.cuts += 1

    def power_on(self) -> None:
        self.powered = True

    def total_wear(self) -> Wear:
        every = self.wear.values()
        return Wear(
            sum(one.writes for one in every),
            sum(one.bytes for one in every),
            sum(one.syncs for one in every),
            sum(one.erases for one in every),
        )

    def operate(
        self,
        kind: str,
        path: str,
        size: int,
        apply: Callable[[], None],
        tear: Callable[[], None] | None = None,
    ) -> None:
        """One operation: `apply` does it, `tear` leaves what a cut in its middle leaves."""
        if not self.powered:
            raise PowerCut
        self.operations += 1
        operation = Operation(self.operations, kind, path, size)
        self.history.append(operation)
        when = self.decide(operation) if self.decide is not None else None
        if self._cut is not None and self._cut[0] == self.operations:
            when = self._cut[1]
        if when is None:
            apply()
            return
        if when == "after" or (when == "within" and not tear and self.rng.random() < 0.5):
            apply()
        elif when == "within" and tear:
            tear()
        self.power_off()
        raise PowerCut(f"{when} operation {operation.number}: {kind} {path}")

    # -- os ------------------------------------------------------------------------------------

    def listdir(self, path: str = "") -> list[str]:
        return [entry[0] for entry in self.ilistdir(path)]

    def ilistdir(self, path: str = "") -> Iterator[tuple[str, int, int, int]]:
        """(name, type, 0, size), in the order of names, as littlefs keeps them."""
        self.check_power()
        folder = _clean(path)
        if folder not in self.folders:
            raise OSError(_NOT_A_DIRECTORY if folder in self.files else _NO_ENTRY)
        start = folder + "/" if folder else ""
        entries = []
        for name, data in self.files.items():
            if name.startswith(start) and "/" not in name[len(start) :]:
                entries.append((name[len(start) :], _FILE, 0, len(data)))
        for name in self.folders:
            if name and name.startswith(start) and "/" not in name[len(start) :]:
                entries.append((name[len(start) :], _DIRECTORY, 0, 0))
        return iter(sorted(entries))

    def stat(self, path: str) -> tuple:
        self.check_power()
        name = _clean(path)
        if name in self.folders:
            return (_DIRECTORY, 0, 0, 0, 0, 0, 0, 0, 0, 0)
        if name not in self.files:
            raise OSError(_NO_ENTRY)
        return (_FILE, 0, 0, 0, 0, 0, len(self.files[name]), 0, 0, 0)

    def remove(self, path: str) -> None:
        """A file or, as littlefs has it, an empty folder."""
        self.check_power()
        name = _clean(path)
        if name in self.folders:
            if not name or self.listdir(name):
                raise OSError(_NOT_EMPTY)
            self.operate("rmdir", name, 0, lambda: self._remove_folder(name))
        elif name in self.files:
            self.operate("remove", name, 0, lambda: self._put(name, None))
        else:
            raise OSError(_NO_ENTRY)

    unlink = rmdir = remove

    def rename(self, old_path: str, new_path: str) -> None:
        """Replaces a file that is there, in one step."""
        self.check_power()
        old, new = _clean(old_path), _clean(new_path)
        self._check_parent(new)
        if old not in self.files and old not in self.folders:
            raise OSError(_NO_ENTRY)
        if old in self.files and new in self.folders:
            raise OSError(_IS_DIRECTORY)
        if old in self.folders and new in self.files:
            raise OSError(_NOT_A_DIRECTORY)
        if new in self.folders and self.listdir(new):
            raise OSError(_NOT_EMPTY)
        if old != new:
            self.operate("rename", new, 0, lambda: self._rename(old, new))

    def mkdir(self, path: str) -> None:
        self.check_power()
        name = _clean(path)
        if name in self.folders or name in self.files:
            raise OSError(_EXISTS)
        self._check_parent(name)
        self._check_room(2)

        def apply() -> None:
            self.folders.add(name)
            self._used_blocks += 2

        self.operate("mkdir", name, 0, apply)

    def statvfs(self, _path: str = "") -> tuple:
        """(block size, fragment size, blocks, free, available, 0, 0, 0, 0, longest name)."""
        self.check_power()
        size, free = self.block_bytes, self.blocks - self._used_blocks
        return (size, size, self.blocks, free, free, 0, 0, 0, 0, 255)

    def sync(self) -> None:
        """`os.sync`: open files stay unsynced, as in MicroPython."""
        self.check_power()

    def open(self, path: str, mode: str = "r") -> FakeFile:
        self.check_power()
        name = _clean(path)
        if name in self.folders:
            raise OSError(_IS_DIRECTORY)
        letters = mode.replace("b", "").replace("t", "")
        if letters not in ("r", "w", "a", "r+", "w+", "a+"):
            raise ValueError(mode)
        if name not in self.files:
            if letters[0] == "r":
                raise OSError(_NO_ENTRY)
            self._check_parent(name)
            if self.write_error is not None:
                raise OSError(self.write_error)
            self.operate("create", name, 0, lambda: self._put(name, b""))
        file = FakeFile(self, name, letters, "b" in mode)
        self.open_files.append(file)
        return file

    # -- for its files -------------------------------------------------------------------------

    def prepare_write(self, file: FakeFile, start: int, data: bytes) -> None:
        """A write into a file's buffer, which reaches the disk at its sync."""
        if self.write_error is not None:
            raise OSError(self.write_error)
        size = max(len(file.data), start + len(data))
        self._check_room(self._changed_blocks(size, min(start, file.clean_bytes)))
        wear = self.wear.setdefault(file.path, Wear())
        wear.writes += 1
        wear.bytes += len(data)

        def apply() -> None:
            file.data[start : start + len(data)] = data

        def tear() -> None:
            apply()
            file.dirty = True  # so that power_off leaves some of it, if harsh

        self.operate("write", file.path, len(data), apply, tear)

    def sync_file(self, file: FakeFile) -> None:
        if self.write_error is not None:
            raise OSError(self.write_error)
        name, new = file.path, bytes(file.data)
        old = self.files.get(name)
        if old is None:  # removed while it was open
            return
        wear = self.wear.setdefault(name, Wear())
        wear.syncs += 1
        wear.erases += self._changed_blocks(len(new), file.clean_bytes)

        def tear() -> None:
            if not self.harsh and self.rng.random() < 0.5:
                self._put(name, new)
            # else it stays dirty: power_off leaves some of it, if harsh

        self.operate("sync", name, len(new), lambda: self._put(name, new), tear)

    def _rename(self, old: str, new: str) -> None:
        for name in [one for one in self.files if one == old or one.startswith(old + "/")]:
            data = self.files[name]
            self._put(name, None)
            self._put(new + name[len(old) :], data)
        moved = {one for one in self.folders if one == old or one.startswith(old + "/")}
        if moved and new in self.folders:
            self._remove_folder(new)
        self.folders = self.folders - moved | {new + one[len(old) :] for one in moved}

    def _remove_folder(self, name: str) -> None:
        self.folders.remove(name)
        self._used_blocks -= 2

    def _torn(self, old: bytes, new: bytes) -> bytes:
        """A prefix of the change, and now and then garbage where the rest should be."""
        same = 0
        limit = min(len(old), len(new))
        if new.startswith(old):
            same = len(old)
        else:
            while same < limit and old[same] == new[same]:
                same += 1
        reached = self.rng.randint(same, len(new))
        torn = new[:reached] + old[reached:]
        if self.rng.random() < 0.3 and len(new) > reached:
            torn = new[:reached] + self.rng.randbytes(self.rng.randint(1, len(new) - reached))
        return torn

    def _changed_blocks(self, size: int, first_changed: int) -> int:
        if size <= self.inline_bytes:
            return 0
        return -(-size // self.block_bytes) - first_changed // self.block_bytes

    def _blocks_of(self, data: bytes | None) -> int:
        if data is None or len(data) <= self.inline_bytes:
            return 0
        return -(-len(data) // self.block_bytes)

    def _put(self, name: str, data: bytes | None) -> None:
        self._used_blocks += self._blocks_of(data) - self._blocks_of(self.files.get(name))
        if data is None:
            self.files.pop(name, None)
        else:
            self.files[name] = data

    def _check_room(self, more_blocks: int) -> None:
        if self._used_blocks + more_blocks > self.blocks:
            raise OSError(_NO_SPACE)

    def _check_parent(self, name: str) -> None:
        if name.rpartition("/")[0] not in self.folders:
            raise OSError(_NO_ENTRY)

    def check_power(self) -> None:
        if not self.powered:
            raise PowerCut


def _clean(path: str) -> str:
    return path.strip("/")
