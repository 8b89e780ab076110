"""What a broker refuses: the codes of a CONNACK, and topics. Loaded with the first refusal."""

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


def refuse(session, topic, why="refuses us"):
    """Note, and say once, that the broker does not take a topic from us."""
    if topic not in session.refused:
        session.refused.append(topic)
        session.log("broker %s %s" % (why, topic))


def take(session, topic):
    """It takes it after all."""
    if topic in session.refused:
        session.refused.remove(topic)
        session.log("broker takes %s again" % topic)
