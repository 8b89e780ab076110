"""TLS to the broker: the context, when it may be used, and what its errors mean.

Loaded only when `mqtt.tls` is configured. The broker's certificate is verified, which is not
MicroPython's default, unless `insecure_skip_verify` says otherwise; then the node says so at each
start and in its health reports.

Files may be DER or PEM. DER is what every port reads; PEM is decoded here, because before
MicroPython 1.30 only ESP32 reads it.
"""

import gc
from binascii import a2b_base64

from micropython import const

from firmware import ConfigError
from firmware import files as _files
from firmware.log import ERROR

_ENOMEM = const(12)
_EPIPE = const(32)
_ECONNRESET = const(104)
# mbedTLS (ssl.h). What its errors have in common with errno, MicroPython hands on as errno.
_FATAL_ALERT = const(-0x7780)
_CONN_EOF = const(-0x7280)
_CLOSE_NOTIFY = const(-0x7880)
_INVALID_RECORD = const(-0x7200)
# "Out of memory" of X.509, PK, ECP, MD, cipher and SSL; below them, of ASN.1 and big numbers.
_ALLOC_FAILED = (0x2880, 0x3F80, 0x4D80, 0x5180, 0x6180, 0x7F00)
_ALLOC_FAILED_LOW = (0x6A, 0x10)
# Object identifier 2.5.4.3, common name, as it stands in a certificate.
_COMMON_NAME = b"\x06\x03\x55\x04\x03"
_SEQUENCE = b"\x30"  # what every certificate and key in DER begins with
_KEYS = ("ca_file", "cert_file", "key_file")

# What a port says of the broker's certificate (mbedTLS, OpenSSL), and what it means.
_VERDICTS = (
    (("has expired",), "has expired"),
    (("in the future", "not yet valid"), "is not valid yet: is the time right?"),
    (("Common Name", "ismatch"), 'is not for "%s" (mqtt.tls.server_name)'),
    (
        ("correctly signed", "local issuer", "self-signed", "self signed"),
        "is not signed by the authority in mqtt.tls.ca_file",
    ),
)


class Tls:
    """What a `Wire` and a `Link` need to speak TLS.

    board: `tls_context`. settings: config.check()'s, with `mqtt.tls`. wire: set by the owner.
    `context`, `server_name`: for the wire. `notices`: what to say at each start and in health.
    Raises ValueError, whose text begins with the key, if a file is missing or not what it must be.
    """

    def __init__(self, board, clock, settings, files=_files):
        mqtt = settings["mqtt"]
        tls = mqtt["tls"]
        self._clock = clock
        self._ntp_host = settings["ntp"]["host"]
        self.server_name = tls["server_name"] or mqtt["host"]
        self.verifies = not tls["insecure_skip_verify"]
        self.notices = []
        authorities = _blocks(tls, "ca_file", files) if self.verifies else (None,)
        own = None
        if tls["cert_file"]:
            # A PEM key may come after its curve's parameters.
            own = (_blocks(tls, "cert_file", files)[0], _blocks(tls, "key_file", files)[-1])
            name = _common_name(own[0])
            if name != settings["node"]:
                self.notices.append(
                    'mqtt.tls.cert_file is the certificate of "%s", not of this node: the broker '
                    "may take the readings and drop them" % name
                )
        if not self.verifies:
            self.notices.append(
                "the broker's certificate is NOT checked (mqtt.tls.insecure_skip_verify)"
            )
        elif self._ntp_host is None and clock.unix_s() is None:
            raise ValueError(
                "ntp.host: found null, but the broker's certificate can't be checked without the "
                "time (mqtt.tls)"
            )
        self._has_certificate = own is not None
        gc.collect()
        try:
            self.context = board.tls_context(authorities[0], own)
            for authority in authorities[1:]:
                self.context.load_verify_locations(cadata=authority)
        except (OSError, ValueError) as error:
            raise ValueError(_rejected(error, tls))

    def log_notices(self, log):
        """Say what is not as secure as it could be."""
        for notice in self.notices:
            log("TLS: " + notice, ERROR)

    def waits(self):
        """Why no session can be opened yet, or None. Called before each handshake."""
        if self.verifies and self._clock.unix_s() is None:
            return "TLS needs the time: waiting for NTP (%s)" % self._ntp_host
        # The largest buffer is 16 kB in one piece.
        gc.collect()
        return None

    def explain(self, error, wire):
        """(text, final) of an error that ended the handshake of `wire`, None of any other.

        final: the broker is there, and trying again soon will not help; None: trying again at
        once will tell more.
        """
        if not wire.handshaking:
            return None
        code = error.args[0] if error.args else 0
        if isinstance(error, MemoryError) or _is_memory(code):
            return _does_not_fit(), False
        text = str(error.args[1]) if len(error.args) > 1 else ""
        verdicts = [meaning for marks, meaning in _VERDICTS if _any_in(marks, text)]
        if verdicts:
            why = "the broker's certificate " + " and ".join(verdicts)
            return (why % self.server_name if "%s" in why else why), True
        if code in (_EPIPE, _FATAL_ALERT) or _any_in(("ALERT", "alert"), text):
            from firmware.net import tls_alert

            return tls_alert.explain(wire, text, self._has_certificate, self.server_name)
        if code in (_ECONNRESET, _CONN_EOF, _CLOSE_NOTIFY) or _any_in(("EOF",), text):
            why = "the broker closed the connection in the TLS handshake"
            if not self._has_certificate:
                why += ": is this its TLS port, and does it want a client certificate?"
            return why, False
        if code == _INVALID_RECORD or _any_in(("WRONG_VERSION", "RECORD"), text):
            return "what listens there does not speak TLS", True
        if code < -255 or "SSL" in text:
            return "TLS handshake failed (%s)" % (text or code), True
        return None


def secured(board, clock, settings, idle):
    """(a `Tls`, the wire that it secures). Raises ConfigError where `Tls` raises ValueError."""
    from wire_tls import TlsWire

    try:
        made = Tls(board, clock, settings)
    except ValueError as error:
        raise ConfigError(str(error))
    wire = TlsWire(
        board.socket,
        board.select,
        clock,
        idle,
        made.context,
        made.server_name,
        board.hold_watchdog,
    )
    return made, wire


def check_files(tls, files=_files):
    """Errors of the files that the settings `mqtt.tls` name, as far as they can be seen soon."""
    errors = []
    keys = ("cert_file", "key_file") if tls["insecure_skip_verify"] else _KEYS
    for key in keys:
        if tls[key]:
            try:
                _blocks(tls, key, files)
            except ValueError as error:
                errors.append(str(error))
    return errors


def _blocks(tls, key, files):
    """The DER blocks in a file, one at least."""
    path = tls[key]
    data = files.read(path)
    if data is None:
        raise ValueError("mqtt.tls.%s: there is no file %s on this board" % (key, path))
    at = data.find(b"-----BEGIN ")
    if at < 0 and data[:1] == _SEQUENCE:
        return [data]
    blocks = []
    while at >= 0:
        start = data.find(b"\n", at)
        end = data.find(b"-----END ", at)
        if at < start < end:
            blocks.append(a2b_base64(data[start:end]))
        at = data.find(b"-----BEGIN ", at + 1)
    if not blocks or blocks[-1][:1] != _SEQUENCE:
        raise ValueError("mqtt.tls.%s: %s is neither DER nor PEM, or has a password" % (key, path))
    return blocks


def _rejected(error, tls):
    """Which of the files a port may mean that says 'invalid cert' or 'invalid key'."""
    if _is_memory(error.args[0]):
        return "mqtt.tls: " + _does_not_fit()
    keys = ["key_file"] if error.args[0] == "invalid key" else [key for key in _KEYS if tls[key]]
    return "mqtt.tls.%s: not what it must be (%s)" % (" or ".join(keys), error)


def _common_name(der):
    """The subject's common name; "" if there is none. The issuer's comes before it."""
    at = der.rfind(_COMMON_NAME) + len(_COMMON_NAME)
    if at < len(_COMMON_NAME) or at + 2 > len(der):
        return ""
    name = der[at + 2 : at + 2 + der[at + 1]]
    try:
        return name.decode()
    except ValueError:  # UnicodeError, on either interpreter
        return ""


def _is_memory(code):
    if not isinstance(code, int):
        return False
    if code == _ENOMEM or code in _ALLOC_FAILED_LOW:
        # MicroPython takes mbedTLS's small numbers for errno's.
        return True
    return code < 0 and (-code & 0xFF80 in _ALLOC_FAILED or -code & 0x7F in _ALLOC_FAILED_LOW)


def _does_not_fit():
    gc.collect()
    if not hasattr(gc, "mem_free"):
        return "TLS does not fit into memory"
    # In steps, so that the causes counted in health stay few.
    return "TLS does not fit: %d0 kB free" % (gc.mem_free() // 10240)


def _any_in(marks, text):
    return any(mark in text for mark in marks)
