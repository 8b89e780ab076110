"""The consumer in NATS from which all collectors read, on the stream in which MQTT keeps messages.

It is the stream whose copy a node's PUBACK stands for. A stream of one's own that listens to the
same subjects gets its copy without anybody waiting for it, and misses what comes while it has no
leader.

The stream keeps a message as long as a consumer wants it (interest): what comes before the
consumer was made is kept for nobody.
"""

from collections.abc import Callable, Sequence
from typing import Any

from fieldpost.collect.sources.nats.dial import Link
from fieldpost.collect.sources.nats.flaws import of_consumer
from fieldpost.collect.sources.nats.subjects import subject
from fieldpost.mqtt.client import Denied

STREAM = "$MQTT_msgs"
PREFIX = "$MQTT.msgs."
NO_CONSUMER, NO_STREAM = 10014, 10059
_ANSWER_S = 5.0
_SECOND_NS = 1_000_000_000
# No longer than one likes to wait for what a dead collector had. One that lives, and waits for its
# store, says so in between.
ACK_WAIT_S = 15
# For all collectors together.
_UNDER_WAY_MAX = 20_000


class Consumer:
    """tell: given each sentence for the user. topics: filters of MQTT; without the first there is
    nothing to do. ack_wait_s: after so long the server hands a message to another; one that is
    there already keeps its own. subjects: those topics, as NATS has them."""

    def __init__(
        self,
        name: str,
        topics: Sequence[str],
        tell: Callable[[str], None],
        ack_wait_s: float = ACK_WAIT_S,
    ) -> None:
        self.name = name
        self.ack_wait_s = ack_wait_s
        self.subjects = [PREFIX + subject(one) for one in topics]
        self._tell = tell
        self._compared: dict[str, Any] = {}

    @property
    def next_subject(self) -> str:
        """Where messages are asked for."""
        return f"$JS.API.CONSUMER.MSG.NEXT.{STREAM}.{self.name}"

    @property
    def needed(self) -> list[str]:
        """What whoever reads has to publish to."""
        return [self.next_subject, f"$JS.ACK.{STREAM}.{self.name}.>"]

    async def prepare(self, link: Link) -> None:
        """Make it if it is not there, and look whether it loses readings.

        Raises Denied if there is none and none can be made, and other CommandErrors."""
        told = await self.asked(link)
        if code_of(told) == NO_CONSUMER:
            told = await self._make(link)
        error = told.get("error")
        if code_of(told) == NO_STREAM:
            raise Denied(
                f"{link.named} has no stream {STREAM}: its MQTT makes it when the first client "
                "connects. Connect one, of the same account, and start this again before the "
                "first node publishes"
            )
        if error:
            raise Denied(f"{link.named}: the consumer {self.name}: {error.get('description')}")
        self._compare(told)

    async def asked(self, link: Link) -> dict[str, Any]:
        """What the server answers about it. Raises CommandErrors."""
        return await link.ask(f"$JS.API.CONSUMER.INFO.{STREAM}.{self.name}", {}, _ANSWER_S)

    async def _make(self, link: Link) -> dict[str, Any]:
        config = {
            "durable_name": self.name,
            "ack_policy": "explicit",
            "ack_wait": int(self.ack_wait_s * _SECOND_NS),
            "deliver_policy": "all",
            "filter_subjects": self.subjects,
            "max_ack_pending": _UNDER_WAY_MAX,
            "max_deliver": -1,
            "replay_policy": "instant",
        }
        try:
            told = await link.ask(
                f"$JS.API.CONSUMER.CREATE.{STREAM}.{self.name}",
                {"stream_name": STREAM, "config": config, "action": ""},
                _ANSWER_S,
            )
        except Denied as denied:
            raise Denied(
                f"there is no consumer {self.name} on {STREAM}, and {denied}. Who may can make "
                f"it: {self.command()}"
            ) from None
        if "error" not in told:
            self._tell(
                f"the consumer {self.name} was made: what nodes published before was not kept "
                "for it"
            )
        return told

    def command(self) -> str:
        """With which an administrator makes it."""
        filters = " ".join(f"--filter '{one}'" for one in self.subjects)
        return (
            f"nats consumer add '{STREAM}' {self.name} --pull --ack explicit --deliver all "
            f"--wait {ACK_WAIT_S}s --max-deliver=-1 --max-pending {_UNDER_WAY_MAX} {filters} "
            "--defaults"
        )

    def _compare(self, told: dict[str, Any]) -> None:
        """Somebody else may have made it so that it loses readings."""
        config = told["config"]
        if config == self._compared:
            return
        self._compared = config
        self.ack_wait_s = config["ack_wait"] / _SECOND_NS
        for flaw in of_consumer(self.name, told, self.subjects):
            if flaw.grade == "unreadable":
                raise Denied(
                    f"the consumer {self.name} was made in another way: {flaw.text}. As it must "
                    f"be: {self.command()}"
                )
            self._tell(f"the consumer {self.name}, {flaw.setting}: {flaw.text}")


async def stream(link: Link) -> dict[str, Any]:
    """What the server answers about the stream. Raises CommandErrors."""
    return await link.ask(f"$JS.API.STREAM.INFO.{STREAM}", {}, _ANSWER_S)


async def account(link: Link) -> dict[str, Any]:
    """What the server answers about JetStream of this account. Raises CommandErrors."""
    return await link.ask("$JS.API.INFO", {}, _ANSWER_S)


def code_of(told: dict[str, Any]) -> int | None:
    """Of the error in an answer; None: it is none."""
    error = told.get("error")
    return error.get("err_code") if error else None
