"""A deployment in one part, or in as many as the board's flash has room for. Touches nothing.

In one part the new files lie beside the old ones until the commit, so what boots is wholly the old
set or wholly the new one. Where there is no room for that, what is to go makes room first; from
then until the last part is in its place boot.py starts nothing, and says so.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from fieldpost.board.link import BoardError
from fieldpost.deploy.build import Build
from fieldpost.deploy.plan import Plan, journal
from fieldpost.deploy.survey import Survey

# littlefs on every board; FAT on an ESP32 has blocks of this size, too.
BLOCK = 4096
# A smaller file lies within its folder's own blocks (lfs.h, `inline_max`).
_INLINE_BYTES = 512
# littlefs writes a folder to two blocks in turn (its DESIGN.md, "Metadata pairs").
_FOLDER_BLOCKS = 2
# Of names and small files: what makes a folder outgrow its blocks by one more. Measured: 88 files,
# of which 20 are small, take 87 to 89 blocks, 73 of them for the large ones.
_ENTRY_BYTES = 40
_FOLDER_FILL_BYTES = 768
_JOURNAL_BLOCKS = 2
# For what littlefs must have to rename at all, and for what the above is wrong by.
_SPARE_BLOCKS = 4
# What must be left of these in the end, when nothing more is to be moved but the last few files.
_LEAST_SPARE_BLOCKS = 1
# To make room for fewer blocks than this at a time would make many small parts.
_ROOM_BLOCKS = 24
# With fewer nothing can be committed at all.
_LEAST_BLOCKS = 3


@dataclass(frozen=True)
class Part:
    """staged: the files of this part, the name below FOLDER by path; journal: its commit."""

    staged: dict[str, str]
    journal: bytes
    is_last: bool


def blocks_of(size: int) -> float:
    """Blocks of littlefs for a file, with its share of its folder's. Each block but the first
    begins with pointers to some before it (littlefs's DESIGN.md, "CTZ skip-lists")."""
    if size <= _INLINE_BYTES:
        return (_ENTRY_BYTES + size) / _FOLDER_FILL_BYTES
    blocks = 0
    while size > 0:
        size -= BLOCK - 4 * (blocks & -blocks).bit_length()
        blocks += 1
    return blocks + _ENTRY_BYTES / _FOLDER_FILL_BYTES


class Parts:
    """The parts of one deployment, each made when the one before it is in its place."""

    def __init__(self, survey: Survey, build: Build, plan: Plan) -> None:
        self._build = build
        self._plan = plan
        self._waiting = [path for path in plan.staged if path not in plan.resumed]
        # Staged already; None once they have been a part.
        self._resumed: dict[str, str] | None = {
            path: plan.staged[path] for path in plan.resumed if path in plan.staged
        }
        # Blocks of the files that are there, by path, until they have gone or are replaced.
        self._old = {
            path: blocks_of(survey.files["/" + path])
            for path in [*plan.staged, *plan.removals]
            if not path.endswith("/") and survey.has(path)
        }
        self._kept = sum(blocks_of(survey.files["/" + path]) for path in plan.keep)
        self._folders = {path[1:-1] for path in survey.files if path.endswith("/")}
        self._is_begun = survey.is_unfinished

    def next(self, free: int) -> Part:
        """What to send and commit now. free: bytes, as the board says at this moment.

        Raises BoardError if the new files do not fit in place of the old ones, either.
        """
        left = free / BLOCK
        if self._resumed is None:
            return self._following(left)
        resumed, self._resumed = self._resumed, None
        return self._first(left - self._kept, resumed)

    def _first(self, free: float, resumed: dict[str, str]) -> Part:
        plan = self._plan
        removed = sum(self._old.get(path, 0) for path in plan.removals)
        files = sum(blocks_of(len(plan.send[path])) for path in self._waiting)
        folders = _FOLDER_BLOCKS * len(_folders(plan.staged) - self._folders)
        extra = _JOURNAL_BLOCKS + _SPARE_BLOCKS
        # Folders are made within completion, when what is to be removed has gone.
        beside = files + max(folders - removed, 0) + extra
        if not plan.send or beside <= free:
            return Part(plan.staged, journal(self._build, plan.staged, plan.removals), True)
        room = free + sum(self._old.values())
        # Once some is replaced, to go on as far as there is room can only help.
        needed = files + folders + _JOURNAL_BLOCKS + _LEAST_SPARE_BLOCKS
        if not self._is_begun and (free < _LEAST_BLOCKS or needed > room):
            raise _full(self._is_begun, free, room, needed)
        for path in plan.removals:
            self._old.pop(path, None)
        for path in resumed:
            removed += self._old.pop(path, 0)
        self._folders |= _folders(resumed)
        gone = plan.removals + self._make_room(free + removed - extra)
        return self._part(resumed, gone, is_last=False)

    def _following(self, free: float) -> Part:
        left = free - _JOURNAL_BLOCKS - _SPARE_BLOCKS
        staged = self._that_fit(left)
        gone = self._make_room(left + self._take(staged))  # for the next part
        if staged or gone or not self._waiting:
            return self._part(staged, gone, is_last=not self._waiting)
        # No old file is left that could go. littlefs counts some blocks twice, so the board itself
        # says whether there is room for the last ones: one by one, each in its place before the
        # next.
        path = self._waiting[0]
        staged = {path: self._plan.staged[path]}
        self._take(staged)
        return self._part(staged, [], is_last=not self._waiting)

    def _that_fit(self, left: float) -> dict[str, str]:
        """The next files, until one does not fit."""
        staged: dict[str, str] = {}
        there = set(self._folders)
        for path in self._waiting:
            left -= self._cost(path, there)
            if left < 0:
                break
            staged[path] = self._plan.staged[path]
            there |= _folders([path])
        return staged

    def _take(self, staged: dict[str, str]) -> float:
        """These do not wait any more; by how many blocks what is free grows."""
        grown = 0.0
        for path in staged:
            grown += self._old.pop(path, 0) - self._cost(path, self._folders)
            self._folders |= _folders([path])
        self._waiting = self._waiting[len(staged) :]
        return grown

    def _cost(self, path: str, there: set[str]) -> float:
        folders = _folders([path]) - there
        return blocks_of(len(self._plan.send[path])) + _FOLDER_BLOCKS * len(folders)

    def _make_room(self, left: float) -> list[str]:
        """Old files whose new ones are to come."""
        gone = []
        for path in self._waiting:
            if left < _ROOM_BLOCKS and path in self._old:
                left += self._old.pop(path)
                gone.append(path)
        return gone

    def _part(self, staged: dict[str, str], gone: list[str], *, is_last: bool) -> Part:
        self._is_begun = True
        return Part(staged, journal(self._build, staged, gone, is_last=is_last), is_last)


def _folders(paths: Iterable[str]) -> set[str]:
    """Every folder that these paths lie in."""
    found = set()
    for path in paths:
        names = path.split("/")[:-1]
        found |= {"/".join(names[: n + 1]) for n in range(len(names))}
    return found


def _full(is_begun: bool, free: float, room: float, needed: float) -> BoardError:
    def kib(blocks: float) -> int:
        return int(blocks * BLOCK) // 1024

    changed = "" if is_begun else " Nothing was changed."
    return BoardError(
        f"the board's flash has {kib(free)} KiB free, and would have {kib(room)} KiB without the "
        f"old firmware; what is to be sent needs {kib(needed)} KiB.{changed} Remove what you do "
        "not need, or start afresh: fieldpost pull, then fieldpost erase"
    )
