"""Readings on their way: first in, first out, bounded, in RAM and on flash.

Every record has a number, counted up from the first. Numbers below `_flash_end` are on flash, the
rest in RAM; so flash is always older, and a spill appends RAM's records to it in order.

On flash: files `<number of their first record>.seg` of at most 4 KiB (one littlefs block), each
record as `length, CRC-32, bytes`. The name tells how many records the segment before it holds,
so a start reads only the last one. A segment that was there at start-up is never appended to:
what a power cut tore at its end stays out of the way, and goes when the segment goes.

Power can fail between any two writes. A record counts as accepted on flash once `flush` returned.
"""

import struct
from binascii import crc32

from micropython import const

_SEGMENT_BYTES = const(4096)
_HEAD = "<HI"
_HEAD_BYTES = const(6)
_ENOSPC = const(28)
RECORD_BYTES_MAX = const(1024)


class Outbox:
    """Bounded queue of encoded readings (bytes, `RECORD_BYTES_MAX` at most).

    files: `open, listdir, mkdir, remove, rename` (firmware/files.py). directory: where segments
    lie; None: RAM only. ram_readings: held in RAM before they spill. segments: held on flash;
    when one more is needed the oldest goes, and what it held undelivered is `dropped`.

    `write_through`: every `put` goes to flash at once (durability "reading", or link down).
    Counters: `dropped` by policy, `corrupt` unreadable, `refused` too large.
    """

    def __init__(self, files, directory, ram_readings=64, segments=64):
        self._files = files
        self._directory = directory
        self._ram = []
        self._ram_max = ram_readings
        self._segments_max = segments
        self._name_offset = 0  # from a record's number to the one in its segment's name
        self._starts = []  # number of the first record of each segment, oldest first
        self._tail = None  # the open file that is appended to: always the last segment
        self._tail_bytes = 0
        self._first = 0  # oldest record not acknowledged
        self._flash_end = 0
        self._holes = []  # [start, end) of records that flash did not give back
        self._reader = None
        self._reader_start = -1  # which segment the reader is in
        self._reader_next = 0  # number of the record that it would read next
        self.write_through = False
        self.dropped = self.corrupt = self.refused = 0
        self._flash_errors = self._flash_writes = 0
        # Whether all that flash holds has been seen: before that nothing is written there, and
        # nothing removed, for the next name that looks free may be one with readings in it.
        self._is_seen = directory is None
        if directory is not None:
            self._recover()

    # The queue ---------------------------------------------------------------------------------

    @property
    def first(self):
        """Number of the oldest reading that waits."""
        return self._first

    @property
    def end(self):
        """Number that the next reading will get."""
        return self._flash_end + len(self._ram)

    @property
    def depth(self):
        """Readings that wait."""
        return self.end - self._first

    @property
    def on_flash(self):
        """Of those, readings on flash."""
        return max(self._flash_end - self._first, 0)

    def put(self, record):
        """Accept a record; False if it is too large to be kept at all."""
        if len(record) > RECORD_BYTES_MAX:
            self.refused += 1
            return False
        if not self._is_seen and not self._ram:
            self._recover()  # No number is in use, so what is found now still comes first.
        self._ram.append(record)
        if self.write_through or len(self._ram) > self._ram_max:
            self.spill()
        return True

    def peek(self, number):
        """Record `number` (`first` to `end - 1`), or None if flash no longer gives it back."""
        if number >= self._flash_end:
            return self._ram[number - self._flash_end]
        for start, end in self._holes:
            if start <= number < end:
                return None
        try:
            record = self._read(number)
            if record is None:
                # The reader may have been opened before the last records were appended.
                self._close_reader()
                record = self._read(number)
        except OSError:
            self._flash_errors += 1
            record = None
        if record is None:
            # What follows a spoilt record cannot be found: its length is not to be trusted.
            self._close_reader()
            end = self._segment_of(number)[1]
            self.corrupt += end - number
            self._add_hole(number, end)
        return record

    def acknowledge(self, number):
        """All readings up to and with `number` have arrived."""
        number += 1
        if number <= self._first:
            return
        if number > self._flash_end:
            del self._ram[: number - self._flash_end]
            # RAM's first record is number _flash_end by definition: move it along. No segment
            # is left that counts on it, for all of flash was acknowledged too.
            self._flash_end = number
        self._first = number
        self._free()

    def in_ram(self):
        """The records that only RAM holds, oldest first."""
        return self._ram

    def shed(self):
        """Drop the oldest record in RAM, counted: it fits nowhere."""
        self._drop_from_ram(1)

    def spill(self):
        """Append what is in RAM to flash. A flash that refuses leaves it in RAM, bounded."""
        while self._directory is not None and self._is_seen and self._ram:
            try:
                self._append_ram()
            except OSError as error:
                self._flash_errors += 1
                self._close_tail()
                if error.args[0] != _ENOSPC or len(self._starts) <= 2:
                    break
                # The disk holds less than was configured: one segment fewer from now on, because
                # littlefs writes a changed block anew before it frees the old one.
                self._segments_max = len(self._starts) - 1
                self._drop_segment()
        excess = len(self._ram) - self._ram_max
        if excess > 0:
            # Neither flash nor RAM has room for these. What flash holds is older, but dropping
            # it would make no room here.
            self._drop_from_ram(excess)

    def _drop_from_ram(self, count):
        end = self._flash_end + count
        del self._ram[:count]
        if self._starts:
            self._add_hole(self._flash_end, end)
        else:
            self._first = end
        self._flash_end = end
        self.dropped += count

    # Segments ----------------------------------------------------------------------------------

    def _path(self, start):
        return "%s/%08x.seg" % (self._directory, start + self._name_offset)

    def _append_ram(self):
        """One write and one flush for all records that go into the same segment."""
        while self._ram:
            if self._tail is None or self._tail_bytes + self._size(0) > _SEGMENT_BYTES:
                self._new_tail()
            count, size = 1, self._tail_bytes + self._size(0)
            while count < len(self._ram) and size + self._size(count) <= _SEGMENT_BYTES:
                size += self._size(count)
                count += 1
            for record in self._ram[:count]:
                self._tail.write(struct.pack(_HEAD, len(record), crc32(record)))
                self._tail.write(record)
            self._tail.flush()
            self._flash_writes += 1
            self._tail_bytes = size
            del self._ram[:count]
            self._flash_end += count

    def _size(self, index):
        return _HEAD_BYTES + len(self._ram[index])

    def _new_tail(self):
        self._close_tail()
        while len(self._starts) >= self._segments_max:
            self._drop_segment()
        start = self._flash_end
        if self._starts and self._starts[-1] == start:
            # The segment before holds nothing readable (flash refused its first write).
            self._starts.pop()
        self._tail = self._files.open(self._path(start), "wb")
        self._starts.append(start)
        self._tail_bytes = 0

    def _close_tail(self):
        tail, self._tail = self._tail, None
        if tail is not None:
            try:
                tail.close()
            except OSError:
                self._flash_errors += 1

    def _drop_segment(self):
        end = self._starts[1] if len(self._starts) > 1 else self._flash_end
        self.dropped += end - self._first
        self._first = end
        self._free()

    def _free(self):
        """Delete the segments of which every reading has been acknowledged or dropped."""
        while self._starts:
            end = self._starts[1] if len(self._starts) > 1 else self._flash_end
            if self._first < end:
                return
            if len(self._starts) == 1:
                self._close_tail()
            start = self._starts[0]
            if self._reader_start == start:
                self._close_reader()
            try:
                self._files.remove(self._path(start))
            except OSError:
                self._flash_errors += 1
            self._starts.pop(0)
            while self._holes and self._holes[0][1] <= self._first:
                self._holes.pop(0)

    # Reading -----------------------------------------------------------------------------------

    def _close_reader(self):
        reader, self._reader = self._reader, None
        self._reader_start = -1
        if reader is not None:
            reader.close()

    def _segment_of(self, number):
        """(start, end) of the segment that holds `number`."""
        index = len(self._starts) - 1
        end = self._flash_end
        while index and self._starts[index] > number:
            end = self._starts[index]
            index -= 1
        return self._starts[index], end

    def _read(self, number):
        start, _ = self._segment_of(number)
        if start != self._reader_start or number < self._reader_next:
            self._close_reader()
            self._reader = self._files.open(self._path(start), "rb")
            self._reader_start = self._reader_next = start
        record = None
        while self._reader_next <= number:
            record = self._next_record(self._reader)
            if record is None:
                return None
            self._reader_next += 1
        return record

    def _add_hole(self, start, end):
        if self._holes and self._holes[-1][1] == start:
            start = self._holes.pop()[0]
        self._holes.append((start, end))

    @staticmethod
    def _next_record(file):
        """The record at the file's position, or None if it is torn, spoilt or absent."""
        head = file.read(_HEAD_BYTES)
        if len(head) < _HEAD_BYTES:
            return None
        size, checksum = struct.unpack(_HEAD, head)
        if not 0 < size <= RECORD_BYTES_MAX:
            return None
        record = file.read(size)
        if len(record) < size or crc32(record) != checksum:
            return None
        return record

    def _recover(self):
        files = self._files
        try:
            files.mkdir(self._directory)
        except OSError:
            pass  # It is there already, or flash refuses: then put says so.
        starts = []
        try:
            for name in files.listdir(self._directory):
                if name.endswith(".seg"):
                    try:
                        starts.append(int(name[:-4], 16))
                    except ValueError:
                        pass  # Not ours.
            starts.sort()
            end = starts[-1] if starts else 0
            if starts:
                with files.open(self._path(end), "rb") as file:
                    while self._next_record(file) is not None:
                        end += 1
        except OSError:
            # What could not be read is neither lost nor over: it is looked at again.
            self._flash_errors += 1
            return
        self._is_seen = True
        if not starts:
            return
        # Numbers that were given to readings in RAM meanwhile do not come back.
        offset = self._name_offset = starts[0] - self._first if self._first else 0
        self._starts = [start - offset for start in starts]
        self._first = self._starts[0]
        self._flash_end = end - offset
        if end == starts[-1]:
            # Nothing whole in the last one: made just before the power failed.
            try:
                files.remove(self._path(self._starts.pop()))
            except OSError:
                self._flash_errors += 1
        self._free()
