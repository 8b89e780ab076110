"""Between the outbox and the session: which readings go out, and which have arrived.

The oldest reading in flight is the oldest in the outbox or one that the outbox has dropped since;
those in flight have consecutive numbers. So an acknowledgement of n readings, in order, is an
acknowledgement of numbers, and nothing has to be remembered per reading but its packet id.
"""

from micropython import const

# Readings rendered in one step: sampling and commands must not wait for a large backlog.
_BATCH = const(64)


class Delivery:
    """Sends readings of `outbox` over `session` to `topic`, oldest first.

    render(record) -> payload bytes. `delivered`: readings acknowledged since the start.
    """

    def __init__(self, outbox, session, topic, render):
        self._outbox = outbox
        self._session = session
        self._topic = topic
        self.render = render
        self._oldest = outbox.first  # number of the oldest reading in flight
        self._next = outbox.first  # number of the next to send on this connection
        self.delivered = 0
        session.on_acknowledged = self._acknowledged

    def restart(self):
        """A new connection begins: what was in flight goes out again, then the rest."""
        self._next = self._oldest

    def pump(self):
        """Gather as many waiting readings as the window and one step allow; True if more could
        go at once."""
        outbox, session = self._outbox, self._session
        for _ in range(min(_BATCH, session.in_flight.room(), outbox.end - self._next)):
            record = outbox.peek(self._next) if self._next >= outbox.first else None
            if record is None:
                session.in_flight.skip()
                self.delivered -= 1  # It is about to be counted, and never was.
            else:
                session.publish_reading(self._topic, self.render(record))
            self._next += 1
        return self._next < outbox.end and bool(session.in_flight.room())

    def pump_all(self):
        """The same without the bound of a step: what leaves with CONNECT."""
        while self.pump():
            pass

    def _acknowledged(self, count):
        self._oldest += count
        self.delivered += count
        self._outbox.acknowledge(self._oldest - 1)
