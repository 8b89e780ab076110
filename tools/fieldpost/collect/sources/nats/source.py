"""Readings from NATS: one durable consumer for all collectors, on the stream of its MQTT.

A message is acknowledged when it is stored, and the server has to confirm that; the last
acknowledgement of a batch stands for all before it. What is not acknowledged comes again after the
consumer's ack_wait, to whoever asks next. So several collectors share the consumer, and one that
dies costs nothing but time. Whoever waits for a store that is away says so in between.

An acknowledgement belongs to the message, not to a connection: one from before a break is good
after it.
"""

import asyncio
import collections
import contextlib
import random
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import NoRespondersError
from nats.errors import TimeoutError as NatsTimeout

from fieldpost.collect.intake import Arrival, Intake, Receipt
from fieldpost.collect.message import Message
from fieldpost.collect.sources.address import ClusterAddress
from fieldpost.collect.sources.nats.consumer import PREFIX, Consumer
from fieldpost.collect.sources.nats.dial import FAILURES, Link
from fieldpost.collect.sources.nats.held import Held
from fieldpost.collect.sources.nats.question import ASKED_MAX, HEARTBEAT_S, question
from fieldpost.collect.sources.nats.subjects import subject, topic
from fieldpost.collect.sources.orders import Orders
from fieldpost.errors import CommandError
from fieldpost.messages.payload import BYTES_MAX as _READ_MAX
from fieldpost.mqtt.client import Away, Silent

# Messages that are here and not acknowledged. A commit takes as long for many as for one.
HELD_MAX = 2000
_RETRY_FIRST_S, _RETRY_MOST_S = 0.5, 15.0
# A connection that lasted longer was a good one.
_SHORT_S = 5.0
_ROOM_S = 0.1
_PAUSE_S = 0.5
_CONFIRMED_S = 5.0
_CONFIRM_TIMES = 3
_GOODBYE_S = 5.0
# As the server marks what came by MQTT, with its QoS.
_MQTT_HEADER = "Nmqtt-Pub"
_SECOND_SERVER = "no word from JetStream: trying another server"


class _Quiet(Exception):
    """The server lives, and JetStream does not answer through it."""


class NatsSource:
    """What arrives goes into `intake`; `acknowledge` what is stored. tell: given each sentence for
    the user. topics: filters of MQTT; the first is needed. queue: the name of the consumer."""

    def __init__(
        self,
        address: ClusterAddress,
        client_id: str,
        topics: Sequence[str],
        queue: str,
        intake: Intake,
        tell: Callable[[str], None],
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._address = address
        self._client_id = client_id
        self._topics = list(topics)
        self._consumer = Consumer(queue, topics, tell)
        self._intake = intake
        self._tell = tell
        self._now = now
        # Several collectors are to come to several servers.
        self._hosts = collections.deque(address.hosts)
        self._hosts.rotate(-random.randrange(len(self._hosts)))
        self._loop = asyncio.new_event_loop()
        self._link: Link | None = None
        self._orders = Orders(self._wake)
        # From any thread, as in `Source`.
        self.acknowledge, self.hold = self._orders.acknowledge, self._orders.hold
        self.stop = self._orders.stop
        # Each is waited for, and cleared, in one place alone.
        self._woken = asyncio.Event()
        self._stored = asyncio.Event()
        self._held = Held()
        # What came after `hold`.
        self._unwanted: list[str] = []
        # Of the question that is open: how many messages are still to come, and its number.
        self._left = 0
        self._question = 0
        self._inbox = ""
        self._asking: Subscription | None = None
        self._answered = asyncio.Event()
        self._heard = 0.0
        self._is_refused = self._is_gone = False
        self.is_connected = False
        self.unnamed = 0

    def open(self) -> None:
        """Connect, and make the consumer if it is not there. Raises CommandError if that is not to
        be had: what the last of the servers said."""
        self._loop.run_until_complete(self._open())

    def run(self) -> None:
        """Read and acknowledge until `stop`. To be called in a thread of its own."""
        self._loop.run_until_complete(self._run())

    def close(self) -> None:
        """Send what is to be acknowledged, give back the rest, and say goodbye. Never raises."""
        if self._loop.is_closed():
            return
        with contextlib.suppress(CommandError, *FAILURES):
            self._loop.run_until_complete(self._goodbye())
        self.is_connected = False
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()

    def _wake(self) -> None:
        with contextlib.suppress(RuntimeError):  # It is closed.
            self._loop.call_soon_threadsafe(self._woken.set)
            self._loop.call_soon_threadsafe(self._stored.set)

    async def _open(self) -> None:
        failed: list[Away] = []
        for _ in range(len(self._hosts)):
            try:
                await self._connect()
                return
            except Away as error:
                failed.append(error)
                self._hosts.rotate(-1)
        raise type(failed[-1])("; ".join(dict.fromkeys(map(str, failed))))

    async def _connect(self) -> None:
        link = Link(self._address, *self._hosts[0], self._tell, self._consumer.needed)
        await link.open(self._client_id)
        try:
            await self._consumer.prepare(link)
            await self._listen(link)
        except FAILURES as error:
            await link.close()
            raise Away(f"{link.named} ended the connection: {error or link.why()}") from None
        except BaseException:
            await link.close()
            raise
        self._link = link
        self.is_connected = True
        self._tell(f"connected to {link.named}")

    async def _listen(self, link: Link) -> None:
        """To what is asked for, and to what no stream keeps: QoS 0, which is not for readings.
        Of the latter each message comes to one of the collectors."""
        inbox = link.client.new_inbox()
        self._inbox = inbox
        self._asking = await link.client.subscribe(f"{inbox}.*", cb=self._given)
        for one in self._topics[1:]:
            await link.client.subscribe(subject(one), queue=self._consumer.name, cb=self._passing)
        await link.client.flush(int(_CONFIRMED_S))
        for one in self._topics[1:]:
            if subject(one).lower() in link.refused:
                self._tell(f"{one} with QoS 0 is left out: the server does not let us subscribe")

    async def _run(self) -> None:
        retry_s = _RETRY_FIRST_S
        while not self._orders.ends.is_set():
            if self._link:
                since = time.monotonic()
                await self._serve(self._link)
                if time.monotonic() - since > _SHORT_S:
                    retry_s = _RETRY_FIRST_S
                continue
            await self._pause(retry_s * random.uniform(0.7, 1.0))
            retry_s = min(retry_s * 2, _RETRY_MOST_S)
            if not self._orders.ends.is_set():
                await self._dial_again()

    async def _pause(self, wait_s: float) -> None:
        """Until `stop`, at most."""
        end = time.monotonic() + wait_s
        while not self._orders.ends.is_set() and (left := end - time.monotonic()) > 0:
            self._woken.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._woken.wait()

    async def _dial_again(self) -> None:
        try:
            await self._connect()
        except (Away, Silent):
            self._hosts.rotate(-1)
        except CommandError as error:
            # Most of a cluster may be away, and then it can't say what it has.
            self._tell(f"trying again: {error}")
            self._hosts.rotate(-1)

    async def _serve(self, link: Link) -> None:
        """All that is done with one connection, until it ends or `stop`."""
        parts: list[Coroutine[Any, Any, None]] = [
            self._ask(link),
            self._confirm(link),
            self._keep_up(link),
            self._until_stop(),
        ]
        tasks = [asyncio.ensure_future(one) for one in parts]
        tasks.append(asyncio.ensure_future(_until_ended(link)))
        done, others = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        while others:
            # More than once: what waits in nats-py can take an answer that comes at the same
            # moment, and never hear of the first.
            for one in others:
                one.cancel()
            _, others = await asyncio.wait(others, timeout=_ROOM_S)
        if self._orders.ends.is_set():
            return
        failures = [one.exception() for one in done if one.exception()]
        await self._lost(link, failures[0] if failures else None)

    async def _lost(self, link: Link, error: BaseException | None) -> None:
        self._link = None
        self.is_connected = False
        await link.close()
        self._hosts.rotate(-1)
        if error is not None and not isinstance(error, (_Quiet, CommandError, *FAILURES)):
            raise error
        why = str(error) if isinstance(error, _Quiet | CommandError) else link.why()
        self._tell(f"connection lost: {why}")

    async def _until_stop(self) -> None:
        while not self._orders.ends.is_set():
            await self._pause(_RETRY_MOST_S)

    async def _ask(self, link: Link) -> None:
        """Ask for messages as long as there is room. Raises _Quiet if nobody answers."""
        silent = 0
        while True:
            count = self._room()
            if not count:
                await asyncio.sleep(_ROOM_S)
                continue
            if await self._ask_once(link, count):
                silent = 0
            else:
                silent += 1
            if silent > 1:
                raise _Quiet(_SECOND_SERVER)
            if self._is_refused:
                await asyncio.sleep(_PAUSE_S)
            if self._is_gone:
                await self._consumer.prepare(link)

    def _room(self) -> int:
        if not self._orders.reads or not self._intake.has_room():
            return 0
        return min(ASKED_MAX, HELD_MAX - len(self._held))

    async def _ask_once(self, link: Link, count: int) -> bool:
        """Whether there was any answer."""
        self._question += 1
        self._left = count
        self._answered.clear()
        self._is_gone = self._is_refused = False
        self._heard = time.monotonic()
        reply = f"{self._inbox}.{self._question}"
        await link.client.publish(self._consumer.next_subject, question(count), reply)
        while not self._answered.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(HEARTBEAT_S):
                    await self._answered.wait()
            if time.monotonic() - self._heard > 2 * HEARTBEAT_S + _PAUSE_S:
                return False
            if not self._orders.reads:
                return True
        return True

    async def _given(self, message: Msg) -> None:
        """A message that was asked for, or how a question ended."""
        self._heard = time.monotonic()
        status = (message.headers or {}).get("Status") if not message.reply else None
        if status:
            if not message.subject.endswith(f".{self._question}") or status == "100":
                return
            said = (message.headers or {}).get("Description", "")
            # No server that leads it, or none that knows it.
            self._is_gone = status == "503" or "Consumer" in said
            self._is_refused = status in ("409", "503") and self._left > 0
            self._answered.set()
            return
        self._take(message)
        self._left -= 1
        if self._left <= 0:
            self._answered.set()

    def _take(self, message: Msg) -> None:
        if not self._orders.reads:
            self._unwanted.append(message.reply)
            return
        number = self._held.add(message.reply)
        if number is not None:
            of = message.subject.removeprefix(PREFIX)
            self._put(of, message.data, Receipt(0, number))

    async def _passing(self, message: Msg) -> None:
        """What came with QoS 1 comes from the stream as well, and is left to that."""
        if not self._orders.reads or (message.headers or {}).get(_MQTT_HEADER, "0") != "0":
            return
        if self._intake.has_room():
            self._put(message.subject, message.data, None)

    def _put(self, of_subject: str, payload: bytes, receipt: Receipt | None) -> None:
        # The rest of one that is too long to be read is not kept in memory.
        kept = payload if len(payload) <= _READ_MAX else payload[: _READ_MAX + 1]
        message = Message(topic(of_subject), kept, self._now(), len(payload))
        self._intake.put(Arrival(message, receipt))

    async def _confirm(self, link: Link) -> None:
        while True:
            self._stored.clear()
            if self._orders.receipts:
                await self._acknowledge_all(link)
            else:
                await self._stored.wait()

    async def _acknowledge_all(self, link: Link) -> None:
        """Those that wait now. If the server never confirms, their messages come once more, and
        their keys tell that they are stored."""
        numbers = [one.number for one in list(self._orders.receipts)]
        replies = self._held.replies(numbers)
        for _ in range(_CONFIRM_TIMES):
            for reply in replies[:-1]:
                await link.client.publish(reply, b"+ACK")
            try:
                if replies:
                    await link.client.request(replies[-1], b"+ACK", timeout=_CONFIRMED_S)
                break
            except (NatsTimeout, NoRespondersError):
                await asyncio.sleep(_PAUSE_S)
        for number in numbers:
            self._orders.receipts.popleft()
            self._held.remove(number)

    async def _keep_up(self, link: Link) -> None:
        """Say of what waits for the store that it is here."""
        while True:
            every_s = self._consumer.ack_wait_s / 3
            await asyncio.sleep(every_s)
            for reply in self._held.older(every_s):
                await link.client.publish(reply, b"+WPI")

    async def _goodbye(self) -> None:
        link = self._link
        if link is None:
            return
        try:
            async with asyncio.timeout(_GOODBYE_S):
                if self._orders.receipts:
                    await self._acknowledge_all(link)
                # With nobody there to hear it, the question that is open does not get them again.
                if self._asking:
                    await self._asking.unsubscribe()
                for reply in (*self._held.older(), *self._unwanted):
                    await link.client.publish(reply, b"-NAK")
                await link.client.flush(int(_GOODBYE_S))
        finally:
            self._link = None
            await link.close()


async def _until_ended(link: Link) -> None:
    await link.ended.wait()
