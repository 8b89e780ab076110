"""What makes a reading unique at the subscriber: (node, boot, seq).

`boot` is counted on flash, one more at each cold start; `seq` counts the readings of a boot from
0, without gaps, so that a lost reading can be told from one never taken. Beside the boot number
stands how many starts in a row came to nothing: after a few of them the node starts in safe mode.
"""

from binascii import crc32

from micropython import const

from firmware import files as _files

_NONE_YET = b"0 0,%d" % crc32(b"0 0")
# After so many the node starts in safe mode: ESPHome waits for 10 failed boots; a battery node
# cannot afford as many.
FAILED_STARTS_MAX = const(5)
# A count that cannot be read goes on from here: far above any that was ever given.
_UNKNOWN = const(0x20000000)


class Identity:
    """`boot`, the next `seq`, and `failed_starts` before this one.

    A cold start takes its boot number, and counts as failed until `proven`, before anything else
    happens. A power cut may skip a boot number, and never gives one twice.
    cause: of this start (`Board.reset_cause()`); `resets` counts the cold starts by cause.
    resume: (boot, seq) of the boot that goes on, after deep sleep: nothing is read or written.
    """

    def __init__(self, files=_files, random_u32=None, resume=None, cause=None):
        self._files = files
        self.resets = {}
        if resume:
            self.boot, self.seq = resume
            self.failed_starts = 0
            self._counted = False
            return
        self._counted = True
        self.seq = 0
        self.failed_starts = 0
        try:
            # A count that is there and cannot be read is not a first start.
            data = _files.read(_files.BOOT_COUNT, files, True)
            counts, checksum = (_NONE_YET if data is None else data).split(b",")
            if int(checksum) != crc32(counts):
                raise ValueError
            parts = counts.split()
            self.boot = int(parts[0]) + 1
            self.failed_starts = int(parts[1])
            for part in parts[2:]:
                name, count = part.decode().split("=")
                self.resets[name] = int(count)
        except (OSError, ValueError, IndexError):
            self.boot = 0
        if cause:
            self.resets[cause] = self.resets.get(cause, 0) + 1
        if self.boot < 1 or not self._write(self.failed_starts + 1):
            self.boot = _UNKNOWN + (random_u32() % _UNKNOWN if random_u32 else 0)
            self._write(self.failed_starts + 1)

    def next_seq(self):
        """The number for one more reading."""
        seq = self.seq
        self.seq += 1
        return seq

    def expect(self, failed_starts):
        """Let the next start find so many failed ones before it."""
        self._counted = False
        self._write(failed_starts)

    def forgive(self):
        """The starts before this one were another firmware's, and say nothing of this one."""
        self.failed_starts = 0
        if self._counted:
            self._write(1)

    def proven(self):
        """This start came to something: a delivery, a minute of running, or a sleep."""
        if self._counted:
            self._counted = False
            self.failed_starts = 0
            self._write(0)

    def _write(self, failed_starts):
        counts = b"%d %d" % (self.boot, failed_starts)
        for name, count in self.resets.items():
            counts += b" %s=%d" % (name.encode(), count)
        try:
            # One spoilt bit must not make it a smaller number, which was given before.
            _files.write_atomic(_files.BOOT_COUNT, b"%s,%d" % (counts, crc32(counts)), self._files)
        except OSError:
            return False
        return True
