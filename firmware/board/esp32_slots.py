"""Where an ESP32 has room for MicroPython twice: the slot that does not run can be written.

The chip's bootloader starts a slot that was chosen once. Unless its firmware then says that it is
good, the next start is of the slot before, whatever happened, a crash at its first instruction
included. Source: ESP-IDF Programming Guide, "Over The Air Updates", "App rollback".
"""

from esp32 import Partition
from micropython import const

# Of the partition that says which slot starts: a record in each of its two sectors, and in that
# the number of the choice, and what became of it (esp_ota_select_entry_t, esp_ota_img_states_t).
_RECORD_BYTES = const(32)
_STATE_AT = const(24)
_NEW = const(0)
_NONE = const(0xFFFFFFFF)


class Slots:
    """The slot that runs and the other one. OSError where there is no other: by most images there
    is not.

    `running`: name of the slot that runs. `other`: of the other, which has `size` bytes.
    """

    def __init__(self):
        self._here = Partition(Partition.RUNNING)  # type: ignore  # the stub knows names alone
        self.running = self._here.info()[4]
        self._there = self._here.get_next_update()
        self.size = self._there.info()[3]
        self.other = self._there.info()[4]

    def write(self, block, data):
        """Erase a block of 4,096 bytes of the other, and write it."""
        self._there.writeblocks(block, data)

    def read(self, block, data):
        """Fill `data` from the other, from the block's first byte on."""
        self._there.readblocks(block, data, 0)

    def choose(self):
        """Let the next start be of the other, for once. OSError if what is in it is no program, or
        if nothing would bring the one that runs back."""
        self._there.set_boot()
        if _state() != _NEW:
            self._here.set_boot()
            raise OSError("this bootloader would not go back from it")

    def proven(self):
        """What runs is good: it starts from now on."""
        Partition.mark_app_valid_cancel_rollback()


def _state():
    """Of the choice that was made last; None where there are no slots."""
    last, state = 0, None
    for partition in Partition.find(Partition.TYPE_DATA, 0):
        record = bytearray(_RECORD_BYTES)
        for block in range(2):
            partition.readblocks(block, record, 0)
            number = int.from_bytes(record[:4], "little")
            if last < number < _NONE:
                last = number
                state = int.from_bytes(record[_STATE_AT : _STATE_AT + 4], "little")
    return state
