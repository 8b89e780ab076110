"""A `Wire` for a program that calls `umqtt.simple` by itself and never calls `flush`.

    wire = PacketWire(socket, select, time)
    umqtt.simple.socket = wire

Each MQTT packet leaves as one segment as soon as its last byte is written. A plain `Wire` keeps it
until an answer is awaited, so a QoS 0 publish, which awaits none, would stay where it is.
"""

from wire import Wire


class PacketWire(Wire):
    """As a `Wire`. It follows the lengths (MQTT 3.1.1 section 2.2.3) in what is written."""

    def __init__(self, socket, select, clock, idle=None):
        super().__init__(socket, select, clock, idle)
        self._begin()

    def socket(self, *_):
        """A new connection. The one before it, if any, is closed."""
        self._begin()
        return super().socket()

    def write(self, data, size=None):
        """Gather `size` (or all) bytes of `data`; a packet leaves with its last byte."""
        if isinstance(data, str):
            data = data.encode()
        if size is None:
            size = len(data)
        super().write(data, size)
        at = 0
        while at < size:
            if self._is_body:
                take = min(size - at, self._left)
                self._left -= take
                at += take
            else:
                self._head(data[at])
                at += 1
            if self._is_body and not self._left:
                self._begin()
                if at == size:
                    self.flush()
        return size

    def _begin(self):
        self._is_body = False
        self._left = 0  # of the packet's body; until that begins, its length so far
        self._shift = -7  # of the length's next byte; the first byte is the packet's kind

    def _head(self, byte):
        if self._shift >= 0:
            self._left |= (byte & 0x7F) << self._shift
            self._is_body = byte < 0x80
        self._shift += 7
