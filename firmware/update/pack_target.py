"""Where an update of the pack goes: a file beside the one that runs, written from its beginning.

What the running pack has of the new one is copied, module by module, so that little is asked for.
Nothing here is believed: the SHA-256 of the whole, read back from flash, decides.
"""

from hashlib import sha256

from micropython import const

from firmware import files as _files
from firmware.update.place import forget
from firmware.update.record import FOLDER, TRIAL, write

_BLOCK = const(256)
# Copied or read back in one step; a sector of flash.
_STEP_BLOCKS = const(16)
# Written between two syncs: what a power cut costs at most.
_SYNC_BYTES = const(8192)
_NEW = const(-0x40000000)  # in place of a distance: these bytes are not in the running pack
_START_BYTES = const(8)


class PackTarget:
    """name: of the file, 16 hex digits of its SHA-256. sha: all of it, as hex. size: bytes.
    running: path of the pack that runs, or None. files: as firmware/files.py.

    `have`: bytes that are there. `copies`: whether to take from the running pack; if what came of
    that was wrong, the next try does without.
    """

    def __init__(self, files, running, name, sha, size):
        self._files = files
        self._running = running
        self._path = FOLDER + name
        self.name = name
        self._sha = sha
        self.size = size
        self.have = 0
        self.copies = True
        self._file = self._source = None
        self._unsynced = 0
        self._plan = None  # pairs: where a stretch ends, and how far from it the running pack's is
        self._block = None
        self._digest = None

    def obstacle(self, outbox_kib):
        """Why it cannot be brought here, in words, or None. The outbox keeps all that it may grow
        to, of `outbox_kib`."""
        if not self._running:
            return "the firmware does not run from a pack: deploy it by cable first"
        from firmware.update.room import lack

        size = self.size - min(self._size(), self.size)
        found = lack(self._files, size, outbox_kib)
        forget("room")
        return found

    def begin(self):
        """Go on with what is there. OSError if flash refuses."""
        self.have = self._size()
        if self.have > self.size:
            self.drop()

    def wanted(self):
        """How many bytes from `have` on have to be asked for; 0: the next are in the running pack,
        or all is there."""
        end, distance = self._stretch()
        return end - self.have if distance == _NEW else 0

    def copy(self):
        """Copy a step's worth from the running pack, if the next bytes are there; True if so."""
        end, distance = self._stretch()
        if distance == _NEW or self.have == self.size:
            if self._source:
                self._source.close()
            self._source = self._block = None  # Their memory is for pieces.
            return False
        block = self._buffer()
        if not self._source:
            self._source = self._files.open(self._running, "rb")
        self._source.seek(self.have + distance)
        for _ in range(_STEP_BLOCKS):
            count = min(len(block), end - self.have)
            if not count:
                break
            piece = memoryview(block)[:count]
            if self._source.readinto(piece) != count:
                raise OSError(5)  # EIO: the running pack is not what its head says.
            self.write(piece)
        return True

    def write(self, data):
        """Append. OSError if flash refuses."""
        if not self._file:
            self._file = self._files.open(self._path, "ab")
        self._file.write(data)
        self.have += len(data)
        self._unsynced += len(data)
        if self._unsynced >= _SYNC_BYTES:
            self._unsynced = 0
            self._file.flush()

    def close(self):
        """Bring all that was written to flash."""
        for file in (self._file, self._source):
            if file:
                file.close()
        self._file = self._source = self._block = None
        self._unsynced = 0

    def read_back(self):
        """One step: None while there is more, then whether it is what was signed."""
        if not self._digest:
            self.close()
            self._digest = sha256()
            self._source = self._files.open(self._path, "rb")
        block = self._buffer()
        for _ in range(_STEP_BLOCKS):
            count = self._source.readinto(block)
            if not count:
                found, self._digest = self._digest.digest(), None
                return found == bytes.fromhex(self._sha)
            self._digest.update(memoryview(block)[:count])
        return None

    def switch(self, note):
        """From here on the next start tries it. note: a dict, for those who judge it."""
        note.update({"kind": "pack", "sha": self.name, "size": self.size})
        write(TRIAL, note, self._files)

    def drop(self):
        """It is not wanted any more, or has to begin again."""
        self.close()
        self._plan = self._digest = None
        self.have = 0
        _files.discard(self._path, self._files)

    def _size(self):
        try:
            return self._files.stat(self._path)[6]
        except OSError:
            return 0

    def _buffer(self):
        if not self._block:
            self._block = bytearray(_BLOCK)
        return self._block

    def _stretch(self):
        """(where the stretch ends that `have` is in, its distance from the running pack's)."""
        if self._plan is None and not self._make_plan():
            # The head comes first, whose length its beginning tells.
            return min(self.have + 2048, self.size), _NEW
        plan = self._plan or ()
        for n in range(0, len(plan), 2):
            if self.have < plan[n]:
                return plan[n], plan[n + 1]
        return self.size, _NEW

    def _make_plan(self):
        """True once there is one: what it is made from is the head, and must be on flash."""
        if self.have < self.size and self.have < _START_BYTES:
            return False
        if self._file:
            self._file.flush()
        from firmware.update.copies import plan

        running = self._running if self.copies else None
        self._plan = plan(self._files, self._path, running, self.size, _NEW)
        plan = None
        forget("copies")
        return self._plan is not None
