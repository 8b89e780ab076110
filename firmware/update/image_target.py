"""Where an update of MicroPython itself goes, on an ESP32 that has a second slot for it.

It is tried for one start, and the chip's bootloader goes back by itself: what crashes before a
line of Python runs goes back as well. So a release of this kind has no three starts, and a node
that sleeps has to prove it before it sleeps.
"""

from hashlib import sha256

from micropython import const

from firmware import files as _files
from firmware.update.record import FOLDER, TRIAL, write

_BLOCK = const(4096)
# How much is written between two notes of how far it has come; what a power cut costs at most.
_NOTE_BLOCKS = const(16)
# Asked for at once.
_ASK_BYTES = const(4096)


class ImageTarget:
    """As firmware/update/pack_target.py, with a slot for a file. slots: firmware/board/
    esp32_slots.py, or None where there is one place only."""

    copies = True  # Nothing of it is on the board: a second try asks for all of it again.

    def __init__(self, files, slots, name, sha, size):
        self._files = files
        self._slots = slots
        self._note = FOLDER + name
        self.name = name
        self._sha = sha
        self.size = size
        self.have = 0
        self._block = None
        self._filled = 0
        self._digest = None
        self._read = 0

    def obstacle(self, outbox_kib):
        """Why it cannot be brought here, in words, or None."""
        if not self._slots:
            return "this board has no second place for MicroPython: fieldpost flash --ota"
        if self._slots.size < self.size:
            return "it has %d bytes, and the slot %d" % (self.size, self._slots.size)
        return None

    def begin(self):
        """Go on where the last note says. OSError if flash refuses."""
        self._filled = 0
        try:
            self.have = int(_files.read(self._note, self._files) or b"0")
        except ValueError:
            self.have = 0
        if self.have > self.size or (self.have % _BLOCK and self.have != self.size):
            self.have = 0

    def wanted(self):
        """How many bytes from `have` on have to be asked for."""
        return min(self.size - self.have, _ASK_BYTES)

    def copy(self):
        """Nothing of it is there."""
        return False

    def write(self, data):
        """Append. OSError if flash refuses."""
        if self._block is None:
            self._block = bytearray(_BLOCK)
        at = 0
        while at < len(data):
            take = min(len(data) - at, _BLOCK - self._filled)
            self._block[self._filled : self._filled + take] = data[at : at + take]
            self._filled += take
            at += take
            self.have += take
            if self._filled == _BLOCK or self.have == self.size:
                self._write_block()

    def close(self):
        """Note how far it has come: to the last whole block."""
        if self._block and self.have != self.size:
            self.have -= self._filled
        if self.have:
            self._write_note()
        self._block = None
        self._filled = 0

    def read_back(self):
        """One step: None while there is more, then whether it is what was signed."""
        if not self._digest:
            self._digest = sha256()
            self._read = 0
            self._block = bytearray(_BLOCK)
        block = self._block
        if block and self._read < self.size:
            self._slots.read(self._read // _BLOCK, block)
            self._digest.update(memoryview(block)[: self.size - self._read])
            self._read += _BLOCK
            return None
        found, self._digest = self._digest.digest(), None
        self._block = None
        return found == bytes.fromhex(self._sha)

    def switch(self, note):
        """From here on the next start tries it. OSError if the slot holds no program, or nothing
        would go back from it: then there is no trial."""
        note.update(
            {"kind": "image", "sha": self.name, "size": self.size, "slot": self._slots.other}
        )
        write(TRIAL, note, self._files)
        try:
            self._slots.choose()
        except OSError:
            _files.discard(TRIAL, self._files)
            raise

    def drop(self):
        """It is not wanted any more, or has to begin again."""
        self._block = self._digest = None
        self._filled = self.have = 0
        _files.discard(self._note, self._files)

    def _write_block(self):
        n = (self.have - 1) // _BLOCK
        for rest in range(self._filled, _BLOCK):
            self._block[rest] = 0xFF
        self._slots.write(n, self._block)
        self._filled = 0
        if (n + 1) % _NOTE_BLOCKS == 0:
            self._write_note()

    def _write_note(self):
        _files.write_atomic(self._note, b"%d" % self.have, self._files)
