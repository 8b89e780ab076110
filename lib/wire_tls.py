"""A `Wire` that speaks TLS: the peer's certificate is verified as its context says."""

from micropython import const

from wire import POLLIN, Wire

_EPROTO = const(71)


class TlsWire(Wire):
    """As a `Wire`; a certificate that can't be believed is an `OSError`, `EPROTO` and the reason.

    tls: an `ssl.SSLContext` with `verify_mode` and the CA already set. server_name: what the
    peer's certificate must name; the host that was asked for if None.
    `handshaking`: TCP stands, and TLS has not come to its first byte yet, or failed before.
    `watch`: None, or what is put between TLS and the TCP socket that it is called with; the last
    one made is `watched`.

    An address as the name goes to the peer too (server name indication) if the peer is verified:
    MicroPython has one name for both. RFC 6066 allows names only, and some peers end the
    handshake over it. Where nothing is verified it is left out.
    """

    def __init__(self, socket, select, clock, idle, tls, server_name=None, hold_watchdog=None):
        super().__init__(socket, select, clock, idle, hold_watchdog)
        self._tls = tls
        self._server_name = server_name
        self._raw = None  # the TCP socket: some ports leave it open when TLS closes
        self.watch = self.watched = None
        self.handshaking = False

    def socket(self, *_):
        """A new connection. The one before it, if any, is closed."""
        self.handshaking = False
        return super().socket()

    def flush(self):
        """As a `Wire`'s."""
        try:
            super().flush()
        except ValueError as error:
            self._untrusted(error)

    def _fill(self):
        try:
            got = super()._fill()
        except ValueError as error:
            self._untrusted(error)
        if got:
            self.handshaking = False
        return got

    def _secure(self):
        self.handshaking = True
        raw = self._sock
        self._poll.unregister(raw)
        # The handshake runs in the first reads and writes, where the deadline can end it.
        name = self._server_name or self._host
        if not self._tls.verify_mode and name.replace(".", "").isdigit():
            name = None
        self.watched = self.watch(raw) if self.watch else raw
        sock = self._tls.wrap_socket(
            self.watched, server_hostname=name, do_handshake_on_connect=False
        )
        self._raw, self._sock = raw, sock
        sock.setblocking(False)
        self._poll.register(self._sock, POLLIN)

    def _drop(self):
        super()._drop()
        raw, self._raw = self._raw, None
        if raw is not None:
            self._close(raw)

    def _untrusted(self, error):
        """MicroPython's TLS has a ValueError for a certificate that it does not believe."""
        self._fail()
        raise OSError(_EPROTO, str(error))
