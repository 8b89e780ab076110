"""With whose login `fieldpost doctor` connects: as the node, or as who looks on."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from fieldpost.mqtt.client import Connection, OnMessage
from fieldpost.mqtt.url import BrokerAddress

# For each answer of the broker.
LIMIT_S = 5.0


@dataclass(frozen=True)
class Account:
    """Whom to be. owner: an account that sees everything, None without. node: None for one that
    is made up, in whose place nobody can be."""

    address: BrokerAddress
    owner: BrokerAddress | None = None
    node: str | None = None
    base: str = "fieldpost"
    prefix: str = "homeassistant"


def who(address: BrokerAddress | None) -> str:
    """Whom to give a right to, in words."""
    return address.user if address and address.user else "the account"


class Sessions:
    """Connects for an account. node: the name to do it under. status: the topic of its will."""

    def __init__(self, account: Account, node: str, status: str) -> None:
        self._account = account
        self._node = node
        self._status = status

    def open(
        self,
        *,
        will: bytes | None = None,
        clean: bool = True,
        on_message: OnMessage | None = None,
    ) -> Connection:
        """A session with the node's login. Raises CommandError if the broker gives none."""
        connection = Connection(
            self._account.address,
            client_id=f"{self._node}-doctor",
            clean=clean,
            retry_s=None,
            on_message=on_message,
            will=None if will is None else (self._status, will),
        )
        connection.open(LIMIT_S)
        return connection

    @contextlib.contextmanager
    def opened(
        self, *, clean: bool = True, on_message: OnMessage | None = None
    ) -> Iterator[Connection]:
        """The same, closed at the end of the block."""
        connection = self.open(clean=clean, on_message=on_message)
        try:
            yield connection
        finally:
            connection.close()

    def as_owner(self, topic: str, data: bytes, qos: int, retain: bool) -> None:
        """Publish it as who looks on. Raises CommandError if the broker does not take it."""
        address = self._account.owner or self._account.address
        connection = Connection(address, client_id=f"{self._node}-doctor-says", retry_s=None)
        connection.open(LIMIT_S)
        try:
            connection.publish(topic, data, qos=qos, retain=retain, timeout_s=LIMIT_S)
        finally:
            connection.close()
