"""What makes a reading unique at the subscriber: (node, boot, seq).

`boot` is counted on flash, one more at each cold start; `seq` counts the readings of a boot from 0,
without gaps, so that a lost reading can be told from one never taken.
"""

from firmware import files as _files

_PATH = "boot.count"


class Identity:
    """`boot` and the next `seq`. A cold start takes the next boot number before the first use.

    The number is written before any reading carries it: a power cut may skip a boot number, and
    never gives one twice. Where flash cannot be written `boot` is drawn from `random_u32`.
    """

    def __init__(self, files=_files, random_u32=None):
        self.seq = 0
        text = _files.read(_PATH, files)
        try:
            self.boot = int(text or b"0") + 1
        except ValueError:
            # Spoilt: far above any count, so that no earlier key comes again.
            self.boot = 0x40000000 | (random_u32() & 0x3FFFFFFF if random_u32 else 0)
        try:
            _files.write_atomic(_PATH, b"%d" % self.boot, files)
        except OSError:
            self.boot = 0x40000000 | (random_u32() & 0x3FFFFFFF if random_u32 else 0)

    def next_seq(self):
        """The number for one more reading."""
        seq = self.seq
        self.seq += 1
        return seq
