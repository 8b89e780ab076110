"""A fatal alert that ended the TLS handshake: its name, and what to do. Loaded with the first one.

mbedTLS tells that there was an alert, and not which. So the first one is asked for again: in the
handshakes after it a `Watch` reads the broker's records on their way to mbedTLS, and sees it.
"""

import io
import select

from micropython import const

_ALERT = const(21)  # type of a record
_HANDSHAKE = const(22)
_CERTIFICATE_REQUEST = const(13)  # type of a message in the handshake
_HEADER_BYTES = const(5)
_POLL = const(3)  # MicroPython's request to a stream for its state
_POLLIN = const(1)
_EPIPE = const(32)
# For a broker to look at a certificate, on a slow network, too.
_VERDICT_MS = const(300)
_HANDSHAKE_FAILURE = const(40)
_BAD_CERTIFICATE = const(42)
_PROTOCOL_VERSION = const(70)
_UNRECOGNIZED_NAME = const(112)
_CERTIFICATE_WANTED = (41, 116)
_CERTIFICATE_REFUSED = (42, 43, 44, 45, 46, 48, 49)
_NAMES = {  # RFC 8446 section 6, RFC 5246 section 7.2
    10: "unexpected message",
    20: "bad record mac",
    22: "record overflow",
    40: "handshake failure",
    41: "no certificate",
    42: "bad certificate",
    43: "unsupported certificate",
    44: "certificate revoked",
    45: "certificate expired",
    46: "certificate unknown",
    47: "illegal parameter",
    48: "unknown ca",
    49: "access denied",
    50: "decode error",
    51: "decrypt error",
    70: "protocol version",
    71: "insufficient security",
    80: "internal error",
    86: "inappropriate fallback",
    109: "missing extension",
    110: "unsupported extension",
    112: "unrecognized name",
    116: "certificate required",
    120: "no application protocol",
}


class Watch(io.IOBase):
    """Between mbedTLS and the TCP socket `raw`. `alert`: number of the alert that has come, or
    None; `wants_certificate`: the broker has asked for one."""

    def __init__(self, raw):
        self._raw = raw
        self._poll = select.poll()
        self._record = None  # type of the record whose header was read last
        # 0: nothing has come; 1: the broker has answered; 2: our certificate is out, if there is
        # one; 3: the broker has answered to that, so the handshake is as good as over.
        self._phase = 0
        self.alert = None
        self.wants_certificate = False

    def readinto(self, buffer):
        """As the socket's. mbedTLS reads a record's header by itself, then what is in it."""
        got = self._raw.readinto(buffer)
        if got and self._phase in (0, 2):
            self._phase += 1
        if got == _HEADER_BYTES and self._record is None:
            self._record = buffer[0]
        elif got:
            if self._record == _ALERT and got == 2:
                self.alert = buffer[1]
            elif self._record == _HANDSHAKE and buffer[0] == _CERTIFICATE_REQUEST:
                self.wants_certificate = True
            self._record = None
        return got

    def write(self, data):
        """As the socket's; but what follows a certificate waits for what the broker says of it.

        A broker that has ended the handshake meets more bytes with a reset, and that destroys the
        alert before it is read.
        """
        if self._phase == 2:
            self._poll.register(self._raw, _POLLIN)
            for _ in self._poll.ipoll(_VERDICT_MS):
                head = self._raw.read(7)
                if head and head[0] == _ALERT:
                    self.alert = head[6]
                raise OSError(_EPIPE)
        if self._phase == 1:
            self._phase = 2
        return self._raw.write(data)

    def setblocking(self, flag):
        """As the socket's."""
        self._raw.setblocking(flag)

    def ioctl(self, request, argument):
        """Only the state of the socket is known here; whoever made it closes it."""
        if request == _POLL:
            self._poll.register(self._raw, argument)
            for found in self._poll.ipoll(0):
                return found[1]
        return 0


def explain(wire, text, has_certificate, server_name):
    """(text, final) as `Tls.explain`; final None: try again at once, then more is known.

    text: what the port says of the alert, if it does.
    """
    alert, wanted = None, False
    if "alert " in text:
        # OpenSSL's words: the name stands behind it.
        name = text[text.rfind("alert ") + 6 :].split(" (")[0]
        alert = ([one for one in _NAMES if _NAMES[one] == name] or (None,))[0]
    elif not wire.watch:
        wire.watch = Watch
        return "the broker ended the TLS handshake: asking once more why", None
    else:
        alert, wanted = wire.watched.alert, wire.watched.wants_certificate
        name = _NAMES.get(alert, alert)
    if alert is None:
        return "the broker closed the connection in the TLS handshake, and gave no reason", False
    if not has_certificate and (
        alert in _CERTIFICATE_WANTED
        or (wanted and alert in (_HANDSHAKE_FAILURE, _BAD_CERTIFICATE))
    ):
        return "the broker wants a client certificate (mqtt.tls.cert_file)", True
    if has_certificate and alert in _CERTIFICATE_REFUSED:
        return "the broker refuses our certificate (mqtt.tls.cert_file): " + name, True
    why = "the broker ends the TLS handshake: %s" % name
    if alert == _PROTOCOL_VERSION:
        why += " (TLS 1.3 only? this board speaks 1.2)"
    elif alert == _UNRECOGNIZED_NAME or is_address(server_name):
        why += " (is %s its name? mqtt.tls.server_name)" % server_name
    elif not has_certificate:
        why += " (does it want a client certificate?)"
    return why, True


def is_address(host):
    """Whether a host is an IPv4 address and no name."""
    return all(part.isdigit() for part in host.split("."))
