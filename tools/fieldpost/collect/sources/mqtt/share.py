"""Whether a broker hands on what a group of collectors shares: a message of ours comes back first.

A grant says nothing: NATS 2.15 grants a subscription to `$share/…`, and delivers nothing to it.
"""

import secrets
import threading

from fieldpost.errors import Usage
from fieldpost.mqtt.client import Connection, Denied
from fieldpost.mqtt.url import BrokerAddress

_LIMIT_S = 5.0
_CANARY = b'{"test":"fieldpost collect --share"}'


class NotShared(Denied):
    """What a group subscribes to does not come, or it can't be tried."""


def check_group(name: str) -> None:
    """Raise CommandError unless a group can have this name (MQTT 5.0, section 4.8.2)."""
    if not name or set(name) & set("/+#\0") or len(name) > 100:
        raise Usage("the name of a group has 1 to 100 characters, and none of them is / + or #")


def shared(group: str, topic: str) -> str:
    """The filter by which the members of a group get each message once among them."""
    return f"$share/{group}/{topic}"


def try_share(
    collector: BrokerAddress,
    publisher: BrokerAddress | None,
    base: str,
    limit_s: float = _LIMIT_S,
) -> None:
    """Publish to a topic of no node's, and wait for it in a group of our own.

    publisher: an account that may publish; None for the collector's. Raises CommandError if it
    does not come, or if there is no telling.
    """
    name = f"canary-{secrets.token_hex(4)}"
    topic = f"{base}/{name}/probe"
    plain, member = _Ear(collector), _Ear(collector)
    try:
        plain.listen(topic)
        member.listen(shared(name, topic))
        _publish(publisher or collector, topic)
        if member.heard.wait(limit_s):
            return
        if plain.heard.wait(limit_s):
            raise NotShared(
                f"{collector} grants a group's subscription and hands nothing on to it: collect "
                "without --share. Several collectors can each read everything; in the store each "
                "reading is there once"
            )
    finally:
        plain.close()
        member.close()
    raise NotShared(
        f"whether {collector} hands on to a group can't be tried: what is published to "
        f"{base}/+/probe does not arrive. Permit the collector's account to read it, and to "
        "publish there; or name an account that may publish with --publisher"
    )


class _Ear:
    """A connection that notes whether anything comes."""

    def __init__(self, address: BrokerAddress) -> None:
        self.heard = threading.Event()
        self._connection = Connection(
            address, on_message=lambda _message: self.heard.set(), retry_s=None
        )

    def listen(self, topic: str) -> None:
        self._connection.open(_LIMIT_S)
        self._connection.subscribe(topic, 1, _LIMIT_S)

    def close(self) -> None:
        self._connection.close()


def _publish(address: BrokerAddress, topic: str) -> None:
    connection = Connection(address, retry_s=None)
    try:
        connection.open(_LIMIT_S)
        connection.publish(topic, _CANARY, qos=1, retain=False, timeout_s=_LIMIT_S)
    finally:
        connection.close()
