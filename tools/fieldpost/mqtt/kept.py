"""A subscription that goes on after a broken connection, with what the broker kept meanwhile.

A node whose broker comes back delivers at once, and may be before us. With QoS 1 or 2 we therefore
have a session that the broker keeps, under a client id of our own, and which we take away at the
end. Over its own restart a broker keeps sessions only if it stores them.
"""

import contextlib
import secrets
from collections.abc import Callable

from fieldpost.errors import CommandError
from fieldpost.mqtt.client import TIMEOUT_S, Connection, OnMessage
from fieldpost.mqtt.url import BrokerAddress

# The longest pause between two attempts to connect again.
_RETRY_S = 1.0
_GOODBYE_S = 2.0


class KeptSubscription:
    """One topic filter at one broker. tell: given each sentence for the user."""

    def __init__(
        self,
        address: BrokerAddress,
        topic: str,
        qos: int,
        *,
        on_message: OnMessage,
        tell: Callable[[str], None],
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self._address = address
        self._topic = topic
        self._qos = qos
        self._tell = tell
        self._is_first = True
        self._client_id = f"fieldpost-{secrets.token_hex(6)}" if qos else ""
        self._connection = Connection(
            address,
            on_message=on_message,
            on_lost=lambda reason: tell(f"connection lost: {reason}"),
            on_connected=self._connected,
            client_id=self._client_id,
            clean=not qos,
            retry_s=_RETRY_S,
            timeout_s=timeout_s,
        )

    @property
    def unnamed(self) -> int:
        """How many messages were left out, as their topics are no text in UTF-8."""
        return self._connection.unnamed

    def open(self) -> None:
        """Connect and subscribe. Raises CommandError if the broker does not let us."""
        self._connection.open()
        self._connection.subscribe(self._topic, self._qos)
        self._tell(f"connected to {self._address}")

    def close(self) -> None:
        """Say goodbye, and leave nothing at the broker. Never raises."""
        self._connection.close()
        if self._qos:
            with contextlib.suppress(CommandError):
                last = Connection(self._address, client_id=self._client_id, retry_s=None)
                last.open(_GOODBYE_S)
                last.close()

    def _connected(self) -> None:
        if self._is_first:
            self._is_first = False
            return
        self._tell(f"connected to {self._address}")
        if self._connection.has_session:
            return
        self._connection.resubscribe(self._topic, self._qos)
        advice = "" if self._qos else "; with QoS 1 it may keep it"
        self._tell(f"what was published meanwhile was not seen: the broker kept nothing{advice}")
