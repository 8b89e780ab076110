"""The socket that `umqtt.simple` should have had.

A `Wire` takes the place of the name `socket` in umqtt.simple's module and is one TCP connection at
a time (lib/wire_tls.py has the one for TLS). What upstream writes in four to six pieces leaves as
one segment; what it reads comes whole or raises; nothing outlasts the deadline that the owner
armed; and whatever fails, the descriptor is closed.

    wire = Wire(socket, select, time)
    umqtt.simple.socket = wire
    wire.arm(10_000)                    # all of the next operation ends within 10 s
    client.connect()
    client.publish(b"button", b"1")     # QoS 0 awaits no answer:
    wire.flush()                        # this sends it; lib/wire_packets.py does so by itself

Errors are `OSError` with `ETIMEDOUT` at the deadline, `ECONNRESET` when the peer closes or
promises more than `READ_LIMIT` bytes, `ENOTCONN` on a closed wire, or whatever the port raised.

The buffers are made once and used by every later connection: a heap that has room at start-up
has room for every reconnect.
"""

from micropython import const

_EINPROGRESS = const(115)
_EINPROGRESS_LWIP = const(119)
_EALREADY = const(114)
_EAGAIN = const(11)
_ECONNRESET = const(104)
_ENOTCONN = const(107)
_ETIMEDOUT = const(110)
_POLLOUT = const(4)
_POLLERR_POLLHUP = const(24)
# Long enough not to matter for power, short enough to feed the shortest watchdog (RP2: 8.3 s).
_SLICE_MS = const(500)
# Without a hook there is nothing to wake for; less than half of the ticks' period.
_WHOLE_MS = const(86400000)
_LOOK_UP_MS = const(30000)
# A TCP segment on Wi-Fi carries 1,460 bytes at most, 1,440 on ESP32's lwIP; TLS adds about 30.
_TX_BYTES = const(1400)
# 64 PUBACKs of four bytes: one system call takes in what a burst of readings was answered with.
_RX_BYTES = const(256)

READ_LIMIT = const(4096)
POLLIN = const(1)


class Wire:
    """One connection at a time, behind the names that umqtt.simple uses of `socket`.

    socket, select: the port's modules. clock: `ticks_ms`, `ticks_add`, `ticks_diff`.
    idle: called at least every 500 ms while waiting, and before each name look-up.

    Counters since the wire was made: `segments` (sends that left), `round_trips` (times an
    answer had to be waited for), `sent_bytes`. `longest_wait_ms` is the longest
    time any one operation took from `arm` to its last wait.
    """

    def __init__(self, socket, select, clock, idle=None, hold_watchdog=None):
        self._socket = socket
        self._clock = clock
        self._idle = idle
        self._slice_ms = _SLICE_MS if idle else _WHOLE_MS
        self._poll = select.poll()
        self._sock = None
        self._host = None
        # (host, port) -> what the look-up gave. Public: an owner may keep one over a sleep.
        self.addresses = {}
        self._deadline = self._armed = clock.ticks_ms()
        self._may_wait = True
        self._heard = False  # anything at all from this peer
        self._asked = False  # sent something and has not had to wait since
        # Public as `rx` is: a session writes the head of a packet where it leaves from.
        self.tx = bytearray(_TX_BYTES)
        self._tx_view = memoryview(self.tx)
        self._tx_end = 0
        # Received bytes not yet read are rx[rx_start:rx_end]: public, so that a session can
        # take in acknowledgements where they lie, without allocating.
        self.rx = bytearray(_RX_BYTES)
        self._rx_view = memoryview(self.rx)
        self.rx_start = self.rx_end = 0
        # Called before the first wait for an answer on a new connection: its owner may append
        # packets to the segment that is about to leave.
        self.publish_early = None
        # Called with `_LOOK_UP_MS` before a name look-up, which nothing can feed a watchdog in,
        # and with 0 after it.
        self._hold_watchdog = hold_watchdog
        self.segments = self.round_trips = 0
        self.sent_bytes = 0
        self.longest_wait_ms = 0

    # What umqtt.simple calls on the module -------------------------------------------------

    def socket(self, *_):
        """A new connection. The one before it, if any, is closed."""
        self.close()
        self._heard = False
        self._sock = self._socket.socket()
        self._sock.setblocking(False)
        self._poll.register(self._sock, POLLIN)
        return self

    def getaddrinfo(self, host, port, *_):
        """Addresses of `host`, remembered until a connection to them fails.

        No port's look-up has a time-out, and some hang: so as few of them as can be.
        """
        self._host = host
        key = (host, port)
        if key not in self.addresses:
            if self._idle:
                self._idle()
            net = self._socket
            if self._hold_watchdog:
                self._hold_watchdog(_LOOK_UP_MS)
            try:
                found = net.getaddrinfo(host, port, net.AF_INET, net.SOCK_STREAM)
                if not found:
                    raise OSError(-2)
            except OSError:
                self._fail()
                raise
            finally:
                if self._hold_watchdog:
                    self._hold_watchdog(0)
            self.addresses.clear()
            self.addresses[key] = found
            if self._clock.ticks_diff(self._deadline, self._clock.ticks_ms()) <= 0:
                # The peer is not at fault: the next try has the address, and all of its time.
                self._drop()
                raise OSError(_ETIMEDOUT)
        return self.addresses[key]

    # What it calls on the socket ------------------------------------------------------------

    def settimeout(self, _):
        """Nothing: the deadline is the owner's, given with `arm`."""

    def setblocking(self, flag):
        """False: the next read returns None if nothing is there. It never lifts the deadline."""
        self._may_wait = flag

    def connect(self, address):
        """TCP, and what a wire puts on it, within the deadline."""
        try:
            self._sock.connect(address)
        except OSError as error:
            if error.args[0] not in (_EINPROGRESS, _EINPROGRESS_LWIP, _EALREADY, _EAGAIN):
                self._fail()
                raise
        try:
            self.round_trips += 1
            if self._wait(_POLLOUT) & _POLLERR_POLLHUP:
                self._fill()  # It raises what went wrong; ports have no other way to ask.
                raise OSError(_ECONNRESET)
            self._no_delay()
            self._secure()
        except (OSError, MemoryError, ValueError):
            self._fail()
            raise
        self._asked = False

    def write(self, data, size=None):
        """Gather `size` (or all) bytes of `data`; they leave on `flush`, or before a wait."""
        if isinstance(data, str):
            data = data.encode()
        if size is None:
            size = len(data)
        if self._sock is None:
            raise OSError(_ENOTCONN)
        end = self._tx_end
        if end + size <= _TX_BYTES:
            if size == len(data):
                self.tx[end : end + size] = data
            else:
                self.tx[end : end + size] = memoryview(data)[:size]
            self._tx_end = end + size
            return size
        view = memoryview(data)
        start = 0
        while start < size:
            take = min(size - start, _TX_BYTES - self._tx_end)
            self.tx[self._tx_end : self._tx_end + take] = view[start : start + take]
            self._tx_end += take
            start += take
            if self._tx_end == _TX_BYTES:
                self.flush()
        return size

    def read(self, size):
        """Exactly `size` bytes, or None if none are here and waiting was switched off."""
        if not 0 <= size <= READ_LIMIT:
            # A length that no peer of ours has reason to send: out of step, or hostile.
            self._fail()
            raise OSError(_ECONNRESET)
        if not self._may_wait:
            if self._tx_end:
                self.flush()
            if self.available() == 0:
                return None
        start = self.rx_start
        if self.rx_end - start >= size:
            self.rx_start = start + size
            return bytes(self._rx_view[start : start + size])
        data = bytearray(size)
        at = 0
        while at < size:
            if self.rx_start == self.rx_end:
                self._await_bytes()
            take = min(size - at, self.rx_end - self.rx_start)
            data[at : at + take] = self._rx_view[self.rx_start : self.rx_start + take]
            self.rx_start += take
            at += take
        return bytes(data)

    def skip(self, size):
        """Read past `size` bytes, within the deadline however fast they come."""
        clock = self._clock
        while size > 0:
            if self.rx_start == self.rx_end:
                self._await_bytes()
                if clock.ticks_diff(self._deadline, clock.ticks_ms()) <= 0:
                    self._fail()
                    raise OSError(_ETIMEDOUT)
            take = min(size, self.rx_end - self.rx_start)
            self.rx_start += take
            size -= take

    def close(self):
        """Offer the port what was gathered, without waiting, and close. Never raises."""
        if self._tx_end and self._sock is not None:
            try:
                sent = self._sock.write(self._tx_view[: self._tx_end])
                if sent:
                    self.segments += 1
                    self.sent_bytes += sent
            except OSError:
                pass  # Whoever closes has given up on answers.
        self._drop()

    def _drop(self):
        sock, self._sock = self._sock, None
        if sock is not None:
            self._close(sock)
        self._tx_end = self.rx_start = self.rx_end = 0
        self._may_wait = True

    def _close(self, sock):
        try:
            self._poll.unregister(sock)
        except (OSError, KeyError, ValueError):
            pass  # Ports differ in what they raise for a socket they do not know.
        try:
            sock.close()
        except OSError:
            pass  # Nobody is left to tell, and the descriptor is gone all the same.

    # What the owner calls ---------------------------------------------------------------------

    def arm(self, timeout_ms):
        """All that happens until the next `arm` must end within `timeout_ms`."""
        self._armed = self._clock.ticks_ms()
        self._deadline = self._clock.ticks_add(self._armed, timeout_ms)

    def now_ms(self):
        """Ticks of the clock that the deadlines run on."""
        return self._clock.ticks_ms()

    def since_ms(self, then_ms):
        """Milliseconds since ticks `then_ms`, for spans of up to six days."""
        return self._clock.ticks_diff(self._clock.ticks_ms(), then_ms)

    def is_open(self):
        """Whether there is a descriptor; not whether the peer still lives."""
        return self._sock is not None

    def claim(self, size):
        """The place in `tx` of `size` more bytes: the caller writes them before anything else
        happens, and allocates nothing for it. ValueError for more than a segment holds."""
        if self._sock is None:
            raise OSError(_ENOTCONN)
        if size > _TX_BYTES:
            # Written all the same they would make `tx` grow, away from under its view.
            raise ValueError("no room for %d bytes" % size)
        if self._tx_end + size > _TX_BYTES:
            self.flush()
        at = self._tx_end
        self._tx_end = at + size
        return at

    def available(self):
        """Bytes received and not yet read; takes in what is there without waiting."""
        if self.rx_start == self.rx_end:
            self._fill()
        return self.rx_end - self.rx_start

    def flush(self):
        """Send all that was gathered. Raises at the deadline if the peer does not take it."""
        if self._sock is None:
            raise OSError(_ENOTCONN)
        start, end = 0, self._tx_end
        try:
            while start < end:
                sent = self._sock.write(self._tx_view[start:end])
                if sent:
                    start += sent
                    self.segments += 1
                    self.sent_bytes += sent
                else:
                    self._wait(_POLLOUT)
        except OSError:
            self._fail()
            raise
        self._tx_end = 0
        if end:
            self._asked = True

    def wait(self, timeout_ms):
        """Sleep until bytes arrive or `timeout_ms` passed; True if there are any (or an error).

        Not bound by the deadline: this is where a node rests between two steps.
        """
        if self.rx_start != self.rx_end:
            return True
        clock = self._clock
        end = clock.ticks_add(clock.ticks_ms(), timeout_ms)
        while self._sock is not None:
            if self._idle:
                self._idle()
            left = clock.ticks_diff(end, clock.ticks_ms())
            if left <= 0:
                return False
            if self._asked:
                self._asked = False
                self.round_trips += 1
            for _ in self._poll.ipoll(min(left, self._slice_ms)):
                return True
        return False

    # Inside -----------------------------------------------------------------------------------

    def _fail(self):
        if not self._heard:
            # The peer may have moved: ask for its address again.
            self.addresses.clear()
        self._drop()

    def _no_delay(self):
        # Segments are gathered here already; Nagle would only hold the next one back.
        try:
            self._sock.setsockopt(6, 1, 1)  # IPPROTO_TCP, TCP_NODELAY
        except (OSError, AttributeError, NotImplementedError):
            pass  # A port without the option only loses time.

    def _secure(self):
        """What comes between TCP and the first byte: nothing here."""

    def _await_bytes(self):
        """Send what was gathered, then wait until at least one byte is in `rx`."""
        if self.publish_early:
            # On a fresh connection, what the owner adds now travels with the first question.
            publish_early, self.publish_early = self.publish_early, None
            publish_early()
        if self._tx_end:
            self.flush()
        try:
            while not self._fill():
                if self._asked:
                    self._asked = False
                    self.round_trips += 1
                self._wait(POLLIN)
        except OSError:
            self._fail()
            raise
        self._asked = False

    def _fill(self):
        """Take in what has arrived; the number of bytes, 0 if there is nothing yet."""
        if self._sock is None:
            raise OSError(_ENOTCONN)
        try:
            got = self._sock.readinto(self.rx)
        except OSError as error:
            if error.args[0] == _EAGAIN:
                return 0
            self._fail()
            raise
        if got is None:
            return 0
        if got == 0:
            self._fail()
            raise OSError(_ECONNRESET)
        self.rx_start = 0
        self.rx_end = got
        self._heard = True
        return got

    def _wait(self, event):
        """Until `event` or an error on the socket, which it returns; raises at the deadline."""
        clock = self._clock
        poll = self._poll
        if event == _POLLOUT:
            # A TLS socket turns this into what its handshake is waiting for.
            poll.modify(self._sock, _POLLOUT)
        try:
            while True:
                if self._idle:
                    self._idle()
                left = clock.ticks_diff(self._deadline, clock.ticks_ms())
                if left <= 0:
                    raise OSError(_ETIMEDOUT)
                for ready in poll.ipoll(min(left, self._slice_ms)):
                    return ready[1]
        finally:
            waited_ms = clock.ticks_diff(clock.ticks_ms(), self._armed)
            if waited_ms > self.longest_wait_ms:
                self.longest_wait_ms = waited_ms
            if event == _POLLOUT and self._sock is not None:
                poll.modify(self._sock, POLLIN)
