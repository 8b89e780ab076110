"""The QoS 1 readings in flight: their packet ids, over any break of the connection."""

from array import array

from micropython import const

# Packet ids that fit at first: what one step of the delivery sends.
_FIRST_IDS = const(64)


class InFlight:
    """Packet ids in a ring, oldest first; 0 stands for one that is done while an older one is not.

    They outlive the connection: what goes out again keeps its id. limit: readings at most.
    `count`: readings in flight. `sent`: how many of them went out on this connection.
    `done`: those at its start that have been acknowledged, and not been told of yet.
    `ids[first]`: the oldest one's packet id. `window`: how many may have gone out by now, below
    `limit`: before CONNACK a broker may take few.
    """

    def __init__(self, limit):
        self._limit = self.window = limit
        self._size = min(limit, _FIRST_IDS)
        self.ids = array("H", bytearray(2 * self._size))
        self.first = 0
        self.count = self.sent = self.done = 0

    def room(self):
        """How many more may be sent on this connection before one is acknowledged."""
        if self.sent == self._size < self._limit:
            try:
                self._grow()
            except MemoryError:
                pass  # Then no more at once than there is room for.
        return min(self._size, self.window) - self.sent

    def add(self, pid):
        """One more, which goes out now."""
        ids = self.ids
        ids[(self.first + self.count) % self._size] = pid
        self.count += 1
        self.sent += 1

    def again(self):
        """The packet id of the next one to go out again."""
        ids = self.ids
        pid = ids[(self.first + self.sent) % self._size]
        self.sent += 1
        return pid

    def skip(self):
        """The next one, new or not, is done without going out."""
        if self.sent == self.count:
            self.add(0)
        else:
            ids = self.ids
            ids[(self.first + self.sent) % self._size] = 0
            self.sent += 1
        self.release()

    def acknowledge(self, pid):
        """False if it is none of those that were sent."""
        ids, first = self.ids, self.first
        if self.sent and ids[first] == pid:
            ids[first] = 0
            self.release()
            return True
        # Out of order, against section 4.6: remember it, but let none overtake.
        for k in range(1, self.sent):
            at = (first + k) % self._size
            if ids[at] == pid:
                ids[at] = 0
                return True
        return False

    def release(self):
        """Let go of those at the start that are done."""
        ids = self.ids
        while self.sent and not ids[self.first]:
            self.first = (self.first + 1) % self._size
            self.count -= 1
            self.sent -= 1
            self.done += 1

    def _grow(self):
        ids, first = self.ids, self.first
        size = min(2 * self._size, self._limit)
        grown = array("H", bytearray(2 * size))
        for k in range(self.count):
            grown[k] = ids[(first + k) % self._size]
        self.ids, self.first, self._size = grown, 0, size
