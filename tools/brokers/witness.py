"""The owner's client: hears everything through the broker's restarts, and keeps the account."""

import contextlib
import json
import secrets
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion

from brokers.accounts import OWNER
from brokers.probe_client import ProbeClient, Refused
from fieldpost.errors import CommandError
from fieldpost.messages.account import Account, Key
from fieldpost.mqtt.brokers import HOST

_READY_S = 30.0


class Witness:
    """account: of the readings. others: (topic, payload) of all else, as it came.

    times: how often each reading came. base: readings of others than this topic's do not count.
    """

    def __init__(self, port: int, tls: ssl.SSLContext | None = None, base: str = "") -> None:
        self.account = Account()
        self.times: Counter[Key] = Counter()
        self.others: list[tuple[str, bytes]] = []
        self._ready = threading.Event()
        self._port, self._tls, self._base = port, tls, base
        self._at: tuple[int, Callable[[], None]] | None = None
        # A name of its own: what a broker still keeps for another run must not come here.
        self._name = f"witness{secrets.token_hex(4)}"
        self._client = paho.Client(
            CallbackAPIVersion.VERSION2, client_id=self._name, clean_session=False
        )
        self._client.username_pw_set(OWNER.user, OWNER.password)
        if tls:
            self._client.tls_set_context(tls)
        self._client.on_message = self._message
        self._client.on_connect = self._subscribe
        self._client.on_disconnect = lambda *_: self._ready.clear()
        self._client.on_subscribe = lambda *_: self._ready.set()
        self._client.reconnect_delay_set(1, 1)
        self._client.connect(HOST, port)

    def __enter__(self) -> Self:
        self._client.loop_start()
        self.wait_until_it_hears()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._client.disconnect()
        self._client.loop_stop()
        # A session that stays has its messages kept, and ActiveMQ hands those to later ones, too.
        with contextlib.suppress(OSError, Refused), ProbeClient(self._port, self._tls) as client:
            client.open(self._name, OWNER)
            client.disconnect()

    def wait_until_it_hears(self) -> None:
        """After a start of the broker. Raises CommandError if it takes too long."""
        if not self._ready.wait(_READY_S):
            raise CommandError("the witness was not let in, or its subscription not granted")

    def at(self, count: int, do: Callable[[], None]) -> None:
        """Call it, from a thread, as soon as so many readings have arrived."""
        self._at = count, do

    def arrived(self) -> set[Key]:
        """The readings that have arrived, as of now: more may arrive meanwhile."""
        return set(self.account.delivered.copy())

    def said(self, topic: str) -> list[Any]:
        """Payloads of one topic, decoded."""
        return [json.loads(payload) for name, payload in self.others if name == topic and payload]

    def tell(self, topic: str, message: dict[str, Any]) -> None:
        """Publish with QoS 1."""
        self._client.publish(topic, json.dumps(message), 1)

    @staticmethod
    def wait(reached: Callable[[], object], limit_s: float) -> bool:
        """Whether it was reached in time."""
        end = time.monotonic() + limit_s
        while not reached():
            if time.monotonic() > end:
                return False
            time.sleep(0.1)
        return True

    @staticmethod
    def _subscribe(client: paho.Client, *_: Any) -> None:
        for topic in ("fieldpost/#", "homeassistant/#"):
            client.subscribe(topic, 1)

    def _message(self, _client: object, _data: object, message: paho.MQTTMessage) -> None:
        if message.topic.endswith("/telemetry"):
            if not message.topic.startswith(self._base):
                return
            reading = json.loads(bytes(message.payload))
            # Without a clock a reading has an age, which is another when it is sent again.
            reading.pop("age_s", None)
            self.account.deliver(reading)
            self.times[(reading["boot"], reading["seq"])] += 1
            if self._at and len(self.account.delivered) >= self._at[0]:
                self._at[1]()
                self._at = None
        else:
            self.others.append((message.topic, bytes(message.payload)))
