"""Readings from RabbitMQ: one queue for all collectors, to which its MQTT plugin's topics come.

A message is acknowledged on the channel on which it came, and when it is stored. What was not
RabbitMQ hands to whoever reads from the queue next. So several collectors share the queue, and one
that dies costs nothing but time.

One thread does all that concerns the connection, as it must be with pika.
"""

import collections
import contextlib
import random
import threading
import time
from collections.abc import Callable, Sequence

import pika
from pika import exceptions, spec
from pika.adapters.blocking_connection import BlockingChannel

from fieldpost.collect.intake import Arrival, Intake, Receipt
from fieldpost.collect.message import Message
from fieldpost.collect.sources.address import ClusterAddress, host_and_port
from fieldpost.collect.sources.amqp import dial as amqp_dial
from fieldpost.collect.sources.amqp.asked import NOT_FOUND
from fieldpost.collect.sources.amqp.dial import ANSWER_S, FAILURES, SENSELESS
from fieldpost.collect.sources.amqp.queue import Queue
from fieldpost.collect.sources.amqp.topics import topic
from fieldpost.collect.sources.orders import Orders
from fieldpost.errors import CommandError
from fieldpost.messages.payload import BYTES_MAX as _READ_MAX
from fieldpost.mqtt.client import Away, Denied, Lost, Refused, Silent, Untrusted

# Messages that may be under way to us. A commit takes as long for many as for one.
PREFETCH = 1000
_RETRY_FIRST_S, _RETRY_MOST_S = 0.5, 15.0
_TURN_S = 1
_GOODBYE_S = 2.0


class AmqpSource:
    """What arrives goes into `intake`; `acknowledge` what is stored. tell: given each sentence for
    the user. topics: filters of MQTT; the first is needed, and the rest may be refused."""

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
        self._queue_name = queue
        self._queue = Queue(address, queue, topics, tell)
        self._intake = intake
        self._tell = tell
        self._now = now
        # Several collectors are to come to several nodes.
        self._hosts = collections.deque(random.sample(address.hosts, len(address.hosts)))
        self._orders = Orders(self._wake)
        # From any thread, as in `Source`.
        self.acknowledge, self.hold = self._orders.acknowledge, self._orders.hold
        self.stop = self._orders.stop
        self._connection: pika.BlockingConnection | None = None
        self._channel: BlockingChannel | None = None
        self._consumes = False
        # Of channels: what came on one is acknowledged on it alone.
        self._number = 0
        # The last delivery tag up to which all are acknowledged.
        self._acknowledged = 0
        self.is_connected = False
        self.unnamed = 0

    def open(self) -> None:
        """Connect to the first host that will have us, and prepare the queue. Raises CommandError
        if none does, or there is no queue."""
        failures: list[CommandError] = []
        for _ in range(len(self._hosts)):
            try:
                self._first_connection()
                return
            except (Refused, Untrusted):  # So would the others.
                raise
            except (Away, Lost, Silent) as error:
                failures.append(error)
                self._hosts.rotate(-1)
        raise type(failures[0])("; ".join(str(one) for one in failures))

    def run(self) -> None:
        """Read and acknowledge until `stop`. To be called in a thread of its own."""
        retry_s = _RETRY_FIRST_S
        tries = 0
        while not self._orders.ends.is_set():
            if self._connection is not None:
                self._careful_turn()
                if self.is_connected:
                    retry_s, tries = _RETRY_FIRST_S, 0
                continue
            self._orders.ends.wait(retry_s * random.uniform(0.5, 1.0))
            tries += 1
            if tries % len(self._hosts) == 0:
                retry_s = min(retry_s * 2, _RETRY_MOST_S)
            if not self._orders.ends.is_set():
                self._dial_again()

    def close(self) -> None:
        """Acknowledge what is to be, and say goodbye; what is not goes back into the queue. After
        `run` has ended. Never raises."""
        self.hold()
        self.stop()
        # A broker that does not answer the goodbye is left alone.
        with contextlib.suppress(TimeoutError):
            amqp_dial.in_time(self._say_goodbye, _GOODBYE_S)
        self.is_connected = False

    def _say_goodbye(self) -> None:
        connection = self._connection
        if connection is None:
            return
        with contextlib.suppress(*FAILURES):
            self._send_receipts()
            connection.close()

    def _wake(self) -> None:
        connection = self._connection
        if connection is not None:
            with contextlib.suppress(exceptions.ConnectionWrongStateError):
                connection.add_callback_threadsafe(lambda: None)

    def _first_connection(self) -> None:
        try:
            amqp_dial.in_time(lambda: self._connect(is_first=True), ANSWER_S)
        except TimeoutError:
            raise Silent(
                f"{self._named()} did not answer within {ANSWER_S:g} s what was asked about the "
                f"queue {self._queue_name}: do most nodes of the cluster run?"
            ) from None
        except exceptions.ChannelClosedByBroker as closed:
            raise Denied(f"{self._named()} refused: {closed.reply_text}") from None
        except FAILURES as error:
            raise Lost(f"{self._named()} ended the connection: {amqp_dial.why(error)}") from None

    def _named(self) -> str:
        return f"{self._address.scheme}://{host_and_port(*self._hosts[0])}"

    def _connect(self, *, is_first: bool) -> None:
        """Raises CommandError, or pika's AMQPError."""
        host, port = self._hosts[0]
        connection = amqp_dial.dial(self._address, host, port, self._client_id)
        try:
            if is_first:
                self._queue.prepare(connection)
            self._channel = connection.channel()
            self._channel.basic_qos(prefetch_count=PREFETCH)
            self._channel.add_on_cancel_callback(self._cancelled)
            self._number += 1
            self._acknowledged = 0
            self._consumes = False
            self._connection = connection
            self._consume_if_room()
        except BaseException:
            self._connection = None
            with contextlib.suppress(*FAILURES):
                connection.close()
            raise
        self.is_connected = True
        self._tell(f"connected to {self._named()}")

    def _dial_again(self) -> None:
        try:
            self._connect(is_first=False)
        except exceptions.ChannelClosedByBroker as closed:
            self._tell(f"nothing can be read from the queue: {closed.reply_text}")
            if closed.reply_code == NOT_FOUND:
                self._make_again()
        except (CommandError, *FAILURES):
            self._hosts.rotate(-1)

    def _make_again(self) -> None:
        """Somebody has removed the queue: what comes from now on is to be kept again."""
        try:
            self._connect(is_first=True)
        except (CommandError, *FAILURES) as error:
            self._tell(f"trying again: {error}")

    def _careful_turn(self) -> None:
        try:
            self._turn()
        except (exceptions.AMQPError, OSError) as error:
            self._lost(amqp_dial.why(error))
        except SENSELESS as error:
            self._lost(f"the broker sent what makes no sense ({type(error).__name__})")

    def _turn(self) -> None:
        """What there is to do on the connection, waiting at most so long for it."""
        assert self._connection and self._channel
        self._connection.process_data_events(_TURN_S)
        if self._channel.is_closed:
            # pika has no other name for it.
            reason = getattr(self._channel, "_closing_reason", None)
            raise reason or exceptions.ChannelWrongStateError()
        self._send_receipts()
        self._consume_if_room()

    def _consume_if_room(self) -> None:
        """With each new channel all that is under way comes once more. So it is asked for only
        where there is room, and a store that is away for hours fills no memory."""
        assert self._channel
        if self._consumes or not self._orders.reads or not self._intake.has_room():
            return
        self._channel.basic_consume(self._queue_name, self._delivered)
        self._consumes = True

    def _send_receipts(self) -> None:
        """Those in a row at once."""
        channel = self._channel
        assert channel
        up_to = self._acknowledged
        while self._orders.receipts:
            receipt = self._orders.receipts.popleft()
            if receipt.connection != self._number:
                continue
            if receipt.number == up_to + 1:
                up_to = receipt.number
            else:
                channel.basic_ack(receipt.number)
        if up_to > self._acknowledged:
            channel.basic_ack(up_to, multiple=True)
            self._acknowledged = up_to

    def _lost(self, reason: str) -> None:
        connection, self._connection, self._channel = self._connection, None, None
        self.is_connected = False
        if not self._orders.ends.is_set():
            self._tell(f"connection lost: {reason}")
        self._hosts.rotate(-1)
        if connection is not None and connection.is_open:
            # In a thread, as a broker need not answer.
            threading.Thread(target=_close, args=(connection,), daemon=True).start()

    def _cancelled(self, _frame: object) -> None:
        """The queue is gone, or its node is."""
        self._consumes = False
        self._tell("the broker gives no more from the queue: was it removed?")
        raise exceptions.ConsumerCancelled("the queue was removed")

    def _delivered(
        self,
        _channel: BlockingChannel,
        method: "spec.Basic.Deliver",
        _properties: "spec.BasicProperties",
        body: bytes,
    ) -> None:
        if not self._orders.reads:
            return  # It goes back into the queue with the end of the connection.
        key = method.routing_key
        if not isinstance(key, str):
            self.unnamed += 1
            key = ""
        receipt = Receipt(self._number, method.delivery_tag)
        # The rest of one that is too long to be read is not kept in memory.
        kept = body if len(body) <= _READ_MAX else body[: _READ_MAX + 1]
        message = Message(topic(key, self._topics), kept, self._now(), len(body))
        self._intake.put(Arrival(message, receipt))


def _close(connection: "pika.BlockingConnection") -> None:
    with contextlib.suppress(*FAILURES):
        connection.close()
