"""Asks for what a target lacks, in pieces, and writes them in their order.

Pieces come by QoS 0: one that is lost is asked for again. Whoever else may publish on the topic
can only make a fetch fail: what it comes to is proven as a whole.
"""

import json

from micropython import const

_PIECE_BYTES = const(1024)
_IN_FLIGHT = const(4)
_HEAD_BYTES = const(12)
_PATIENCE_MS = const(10000)


class Fetch:
    """target: firmware/update/pack_target.py. topic: of the node's updates. name: 16 hex digits,
    what the SHA-256 of what is fetched begins with.

    `silent`: times in a row that nothing came for ten seconds. `is_answered`: a piece has come on
    this connection. `error`: the OSError of a flash that refuses.
    """

    def __init__(self, target, session, topic, name, clock):
        self._target = target
        self._session = session
        self._topic = topic
        self._name = name
        self._key = bytes.fromhex(name)
        self._clock = clock
        self._expected = []
        self._since_ms = 0
        self.silent = 0
        self.is_answered = False
        self.error = None

    def connected(self):
        """A connection begins: what was asked for on the one before does not come."""
        self._expected = []
        self.is_answered = False
        self._session.subscribe(self._topic + b"/piece", 0)

    def again(self):
        """Somebody may answer now."""
        self._expected = []
        self.silent = 0

    def step(self):
        """Copy, or ask; True if there is more to do at once. OSError if flash refuses."""
        target = self._target
        if self.error:
            raise self.error
        expected = self._expected
        if target.copy():
            # Before the head was known, more was asked for than has to come.
            expected.clear()
            return True
        now_ms = self._clock.uptime_ms()
        if expected and now_ms - self._since_ms >= _PATIENCE_MS:
            self.silent += 1
            expected.clear()
        if len(expected) * 2 <= _IN_FLIGHT:
            self._ask(target.have + target.wanted(), now_ms)
        return False

    def _ask(self, end, now_ms):
        expected = self._expected
        at = expected[-1][0] + expected[-1][1] if expected else self._target.have
        asked = []
        while at < end and len(expected) < _IN_FLIGHT:
            asked.append((at, min(end - at, _PIECE_BYTES)))
            expected.append(asked[-1])
            at += _PIECE_BYTES
        if asked:
            self._since_ms = now_ms
            text = json.dumps({"sha": self._name, "at": asked})
            self._session.publish(self._topic + b"/ask", text.encode())

    def take(self, payload):
        """A piece came. Whatever is not the next one is asked for again, in its time."""
        if not self._expected or self.error:
            return
        at, size = self._expected[0]
        if (
            payload[:8] != self._key
            or int.from_bytes(payload[8:_HEAD_BYTES], "little") != at
            or len(payload) != _HEAD_BYTES + size
            or at != self._target.have
        ):
            return
        self._expected.pop(0)
        self._since_ms = self._clock.uptime_ms()
        self.silent = 0
        self.is_answered = True
        try:
            self._target.write(memoryview(payload)[_HEAD_BYTES:])
        except OSError as error:
            self.error = error  # Here it would be taken for a broken link.
