"""A deployment in one part, or in two where flash has no room for one. Touches nothing.

In one part the new files lie beside the old ones until the commit, so what boots is wholly the old
set or wholly the new one. Where there is no room for that, the old set makes room first; from then
until the new one is in its place boot.py starts nothing, and says so.
"""

from dataclasses import dataclass

from fieldpost.board.errors import BoardError
from fieldpost.deploy.build import Build
from fieldpost.deploy.plan import Plan, journal
from fieldpost.deploy.survey import Survey

# littlefs on every board; FAT on an ESP32 has blocks of this size, too.
BLOCK = 4096
# A smaller file lies within its folder's own blocks (lfs.h, `inline_max`).
_INLINE_BYTES = 512
# Of names and small files: what makes a folder outgrow its blocks by one more. Measured: 88 files,
# of which 20 are small, take 87 to 89 blocks, 73 of them for the large ones.
_ENTRY_BYTES = 40
_FOLDER_FILL_BYTES = 768
_JOURNAL_BLOCKS = 2
# For what littlefs must have to rename at all, and for what the above is wrong by.
_SPARE_BLOCKS = 4
# What must be left of these in the end, when nothing more is to be moved but the last few files.
_LEAST_SPARE_BLOCKS = 1
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
    """The parts of one deployment, the second one made when the first is in its place."""

    def __init__(self, survey: Survey, build: Build, plan: Plan) -> None:
        self._survey = survey
        self._build = build
        self._plan = plan
        self._is_room_made = False

    def next(self, free: int) -> Part:
        """What to send and commit now. free: bytes, as the board says at this moment.

        Raises BoardError if the new files do not fit in place of the old ones, either.
        """
        plan = self._plan
        whole = Part(
            plan.staged, journal(self._build, plan.staged, plan.removals, plan.drivers), True
        )
        waiting = [path for path in plan.staged if path not in plan.resumed]
        if self._is_room_made or not waiting:
            return whole
        self._is_room_made = True
        left = free / BLOCK
        files = sum(blocks_of(len(plan.send[path])) for path in waiting)
        files -= sum(blocks_of(size) for size in plan.begun.values())
        files += sum(blocks_of(self._survey.files["/" + path]) for path in plan.keep)
        if files + _JOURNAL_BLOCKS + _SPARE_BLOCKS <= left:
            return whole
        there = [path for path in waiting if self._survey.has(path)]
        old = [path for path in [*there, *plan.removals] if not path.endswith("/")]
        room = left + sum(blocks_of(self._survey.files["/" + path]) for path in old)
        needed = files + _JOURNAL_BLOCKS + _LEAST_SPARE_BLOCKS
        # Once the old firmware has gone, to go on as far as there is room can only help.
        if not self._survey.is_unfinished and (left < _LEAST_BLOCKS or needed > room):
            raise _full(left, room, needed)
        gone = [*plan.removals, *there]
        return Part({}, journal(self._build, {}, gone, plan.drivers, is_last=False), False)


def _full(free: float, room: float, needed: float) -> BoardError:
    def kib(blocks: float) -> int:
        return int(blocks * BLOCK) // 1024

    return BoardError(
        f"the board's flash has {kib(free)} KiB free, and would have {kib(room)} KiB without the "
        f"old firmware; what is to be sent needs {kib(needed)} KiB. Nothing was changed. "
        "Remove what you do not need, or start afresh: fieldpost pull, then fieldpost erase"
    )
