"""The nodes that a broker knows of: for the shell, which completes their names."""

import os
import time
from typing import Any

_LIMIT_S = 1.5
# What is retained comes at once, behind the answer to the subscription.
_QUIET_S = 0.2
_NODES_MAX = 1000


def complete(incomplete: str) -> list[str]:
    """Names of nodes that begin so, by the status that the broker at FIELDPOST_BROKER keeps of
    each. Empty if it can't be asked: nobody wants an error while typing."""
    # Loaded by whoever completes, and not by every command that takes the name of a node.
    from fieldpost.errors import CommandError
    from fieldpost.mqtt.client import Connection
    from fieldpost.mqtt.url import DEFAULT_URL, parse

    broker = os.environ.get("FIELDPOST_BROKER", DEFAULT_URL)
    found: set[str] = set()

    def note(message: Any) -> None:
        name = message.topic.split("/")[-2]
        if len(found) < _NODES_MAX and name.isprintable():
            found.add(name)

    try:
        connection = Connection(parse(broker), on_message=note, retry_s=None)
        connection.open(_LIMIT_S)
    except CommandError:
        return []
    try:
        connection.subscribe("fieldpost/+/status", 0, _LIMIT_S)
        time.sleep(_QUIET_S)
    except CommandError:
        pass
    finally:
        connection.close()
    return sorted(name for name in found if name.startswith(incomplete))
