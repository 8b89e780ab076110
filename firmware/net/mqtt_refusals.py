"""What the codes of a CONNACK mean. Loaded with the first one that refuses."""

from micropython import const

_EPROTO = const(71)
_ENOTCONN = const(107)
_SERVER_UNAVAILABLE = const(3)
_REASONS = {  # MQTT 3.1.1 section 3.2.2.3
    1: "protocol version not accepted",
    2: "client identifier rejected",
    4: "bad user name or password",
    5: "not authorised",
}


def error_of(code, refused):
    """The exception for a CONNACK of `code`: `refused(reason)`, or an OSError for what may soon
    get better."""
    if code in _REASONS:
        return refused(_REASONS[code])
    return OSError(_ENOTCONN if code == _SERVER_UNAVAILABLE else _EPROTO)
