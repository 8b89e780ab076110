"""How a collector asks NATS for messages."""

import json

ASKED_MAX = 500
# Of all that one question brings: a server takes no message that is longer.
ASKED_BYTES_MAX = 64 * 1024 * 1024
ASK_S = 30
# While a question is open the server says so often that it lives.
HEARTBEAT_S = 2
_NS = 1_000_000_000


def question(count: int) -> bytes:
    """For so many messages, ASKED_MAX at most."""
    asked = {
        "batch": count,
        "max_bytes": ASKED_BYTES_MAX,
        "expires": ASK_S * _NS,
        "idle_heartbeat": HEARTBEAT_S * _NS,
    }
    return json.dumps(asked).encode()
