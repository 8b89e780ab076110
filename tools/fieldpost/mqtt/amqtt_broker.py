"""amqtt as a process of its own: `python -m fieldpost.mqtt.amqtt_broker FILE`, until SIGTERM.

FILE holds JSON: `host`, `port`, `users` (name to password, or empty: anybody may come in),
`subscriber` ([client id, topic filter] or null) and `tls` (`certfile` and `keyfile`, or null). A
file with hashed passwords is written beside it.
"""

import asyncio
import json
import logging
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amqtt.broker import Broker, BrokerContext
from amqtt.plugins.base import BaseAuthPlugin, BasePlugin
from amqtt.session import Session
from pwdlib.hashers.argon2 import Argon2Hasher

_SHUTDOWN_S = 3


class KnownSubscriber(BasePlugin[BrokerContext]):
    """A session that is there before the listener is, so that it misses nothing."""

    async def on_broker_pre_start(self) -> None:
        """Called by amqtt between clearing its sessions and opening its port."""
        await self.context.add_subscription(self.config.client_id, self.config.topic, 1)

    @dataclass
    class Config:  # pyright: ignore[reportIncompatibleVariableOverride]
        """What the broker's configuration says of it."""

        client_id: str
        topic: str


class Anybody(BaseAuthPlugin):
    """Lets everybody in, as who they say they are.

    By amqtt's own, who shows no password is nobody, and nothing is kept for a collector that is
    away.
    """

    async def authenticate(self, *, session: Session) -> bool | None:
        """True: come in."""
        return True


class BenchBroker(Broker):
    """Sends a client what is retained for its own subscriptions, and what was kept for it as what
    it was.

    At each connection amqtt sends what is retained for anybody's, so that a client hears of topics
    for which it has never asked. What came while a client was away it sends as if it were
    retained, and a node refuses retained commands.
    """

    async def _publish_session_retained_messages(self, session: Session) -> None:
        handler = self._get_handler(session)
        sent: list[asyncio.Task[Any]] = []
        while handler and not session.retained_messages.empty():
            kept = await session.retained_messages.get()
            message = handler.mqtt_publish(kept.topic, kept.data, kept.qos, retain=False)
            sent.append(asyncio.ensure_future(message))
        if sent:
            await asyncio.wait(sent)

    async def _publish_retained_messages_for_subscription(
        self, subscription: tuple[str, int], session: Session
    ) -> None:
        its_own = self._subscriptions.get(subscription[0], ())
        if any(one.client_id == session.client_id for one, _ in its_own):
            await super()._publish_retained_messages_for_subscription(subscription, session)


class Subscriptions(dict[str, Any]):
    """Of all clients, by topic filter. Who walks through them sees those of the moment it began.

    amqtt walks through them and awaits something at each. With its own dict, a client that
    subscribes meanwhile has the walk fail: another one, just accepted, is then never served.
    """

    def __iter__(self) -> Iterator[str]:
        return iter(list(super().__iter__()))

    def items(self):  # noqa: ANN201  dict_items has no public name
        return self.copy().items()


def _configuration(options: dict[str, Any], password_file: Path) -> dict[str, Any]:
    plugins: dict[str, dict[str, Any]] = {}
    if options["users"]:
        hasher = Argon2Hasher()
        lines = [f"{user}:{hasher.hash(word)}\n" for user, word in options["users"].items()]
        password_file.write_text("".join(lines))
        plugins["amqtt.plugins.authentication.FileAuthPlugin"] = {
            "password_file": str(password_file)
        }
    else:
        plugins["fieldpost.mqtt.amqtt_broker.Anybody"] = {}
    if options["subscriber"]:
        client_id, topic = options["subscriber"]
        plugins["fieldpost.mqtt.amqtt_broker.KnownSubscriber"] = {
            "client_id": client_id,
            "topic": topic,
        }
    listener = {"type": "tcp", "bind": f"{options['host']}:{options['port']}"}
    if options["tls"]:
        listener |= {"ssl": True, **options["tls"]}
    return {"listeners": {"default": listener}, "plugins": plugins}


async def _serve(file: Path) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    options = json.loads(file.read_text())
    broker = BenchBroker(_configuration(options, file.with_name("passwords")))
    broker._subscriptions = Subscriptions()
    await broker.start()
    await stop.wait()
    await asyncio.wait_for(broker.shutdown(), _SHUTDOWN_S)


def main() -> None:
    """Serve until SIGTERM. The log goes to the standard error."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s")
    asyncio.run(_serve(Path(sys.argv[1])))


if __name__ == "__main__":
    main()
