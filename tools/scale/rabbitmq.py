"""A cluster of RabbitMQ: nodes with the MQTT plugin, and a quorum queue of readings over all."""

import re
import secrets
import tempfile
from pathlib import Path

from brokers.catalogue import erlang
from brokers.catalogue.rabbitmq import ErlangNode
from fieldpost.collect.sources.address import DEFAULT_QUEUE
from fieldpost.errors import CommandError
from fieldpost.mqtt.brokers import free_port
from scale.network import Places
from scale.program import Program
from scale.rabbitmq_node import STOP_S, Listens, RabbitNode, installed

# RabbitMQ by itself takes a minute to see that a link is silent; here nobody waits so long.
_SILENT_S = 8
# With all of a fleet at the door, too.
_START_S = 300.0


class RabbitCluster:
    """Nodes at `places` that are one cluster, with files in a temporary folder.

    Anybody may come, as `guest`. lines: more ones of each node's rabbitmq.conf.
    """

    def __init__(self, places: Places, nodes: int = 3, *lines: str) -> None:
        self.title = "RabbitMQ"
        self._places = places
        self._folder = tempfile.TemporaryDirectory(prefix="fieldpost-rabbitmq-")
        self._program = installed()
        cookie = secrets.token_hex(16)
        self._mapper_port, amqp, mqtt = (free_port() for _ in range(3))
        self._listens = [
            Listens(
                places.client_address(index),
                amqp,
                mqtt,
                ErlangNode(
                    f"fieldpost{index}@{places.peer_address(index)}",
                    places.peer_address(index),
                    free_port(),
                    self._mapper_port,
                ),
                places.within(index, []),
            )
            for index in range(nodes)
        ]
        every = [
            # The account of a new RabbitMQ, and from everywhere.
            "loopback_users = none",
            "mqtt.allow_anonymous = true",
            "cluster_formation.peer_discovery_backend = classic_config",
            *(
                f"cluster_formation.classic_config.nodes.{index} = {one.erlang.name}"
                for index, one in enumerate(self._listens, 1)
            ),
            "cluster_formation.discovery_retry_interval = 200",
            "cluster_partition_handling = pause_minority",
            f"net_ticktime = {_SILENT_S}",
            *lines,
        ]
        self._nodes = [
            RabbitNode(self._program, Path(self._folder.name) / f"node{index}", one, cookie, every)
            for index, one in enumerate(self._listens)
        ]
        self._mappers: list[Program] = []

    @property
    def nodes(self) -> int:
        """How many there are."""
        return len(self._nodes)

    def start(self) -> None:
        """Start all; return when they form one cluster and take MQTT clients. Raises CommandError
        if they do not."""
        self._start_mappers()
        # One after the other: of three that began at once, one kept a register of MQTT clients of
        # its own, which had no leader, and took none.
        for index in range(self.nodes):
            self.start_node(index)

    def close(self) -> None:
        """End all for good, and remove their files."""
        for one in self._nodes:
            one.process.kill()
        for mapper in self._mappers:
            mapper.close()
        self._mappers.clear()
        self._folder.cleanup()

    def node(self, index: int) -> RabbitNode:
        """One of them, to ask it."""
        return self._nodes[index]

    def kill(self, index: int) -> None:
        """SIGKILL to a node, with all that it has started."""
        self._nodes[index].process.kill()

    def stop(self, index: int) -> None:
        """SIGTERM; return when it has ended."""
        self._nodes[index].process.stop(STOP_S)

    def start_node(self, index: int) -> None:
        """Start one that has ended; return when it takes part again. Raises CommandError if it
        does not."""
        self._nodes[index].process.start()
        self._nodes[index].wait_until_it_takes_part(self._running, _START_S)

    def _running(self) -> int:
        return sum(one.process.running() for one in self._nodes)

    def leader(self) -> int:
        """The node that leads the queue. Raises CommandError if none does."""
        answer = self._ask(
            f"{_QUEUE}, {{N, _}} = amqqueue:get_pid(Q), "
            "{ok, _, {_, L}} = ra:members({N, node()}, 3000), L."
        )
        found = re.search(r"fieldpost(\d+)@", answer or "")
        if not found:
            raise CommandError(f"no node leads the queue {DEFAULT_QUEUE}: {answer}")
        return int(found[1])

    def mqtt(self, index: int) -> tuple[str, int]:
        """Host and port at which a node takes MQTT clients."""
        return self._listens[index].client_address, self._listens[index].mqtt_port

    def source(self) -> str:
        """For `fieldpost collect --from`."""
        hosts = ",".join(f"{one.client_address}:{one.amqp_port}" for one in self._listens)
        return f"amqp://{hosts}"

    def waiting(self) -> int:
        """Messages in the queue, those that are under way to a collector among them."""
        answer = self._ask(
            f"{_QUEUE}, {{ok, {{_, O}}, _}} = "
            "ra:leader_query(amqqueue:get_pid(Q), fun rabbit_fifo:overview/1, 3000), "
            "maps:get(num_messages, O)."
        )
        if not answer or not answer.isdecimal():
            said = "; ".join(one.process.last_words() for one in self._nodes)
            raise CommandError(f"the queue {DEFAULT_QUEUE} can't be asked: {answer}; {said}")
        return int(answer)

    def told(self) -> list[str]:
        """What RabbitMQ itself does not promise."""
        return list(TOLD)

    def _ask(self, expression: str) -> str | None:
        """Of the first node that answers."""
        for one in self._nodes:
            if one.process.running():
                answer = one.ask(expression)
                if answer is not None:
                    return answer
        return None

    def _start_mappers(self) -> None:
        """One on each machine: a node that is killed leaves it behind, as in life."""
        machines: dict[tuple[str, ...], list[str]] = {}
        for one in self._listens:
            machines.setdefault(tuple(one.prefix), []).append(one.erlang.address)
        for number, (prefix, addresses) in enumerate(machines.items()):
            argv = erlang.port_mapper(self._program.folder, self._mapper_port, *addresses)
            mapper = Program(
                "Erlang's port mapper",
                [*prefix, *argv],
                Path(self._folder.name) / f"mapper{number}.log",
            )
            mapper.start()
            self._mappers.append(mapper)


_QUEUE = (
    f'{{ok, Q}} = rabbit_amqqueue:lookup(rabbit_misc:r(<<"/">>, queue, <<"{DEFAULT_QUEUE}">>))'
)
TOLD = (
    "A retained message is kept by the node to which it was published, and given out by it alone.",
    "What comes for a client that is away waits in a queue of its own, which is on one node alone "
    "unless the plugin's durable_queue_type is quorum, as here.",
    "The queue of a clean session is on one node in any case: while that is away, RabbitMQ 3.10 "
    "ends the connection of its client where it subscribes at another node.",
    "A message to which no queue is bound is acknowledged and kept nowhere.",
    "A node that does not see most of the cluster ends its clients' connections, and takes none "
    "until it does.",
)
