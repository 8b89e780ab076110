"""One node of RabbitMQ, of a cluster or alone: its files, its process, and questions to it."""

import os
import re
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from brokers.cache import Cache, Installed
from brokers.catalogue import rabbitmq
from brokers.catalogue.rabbitmq import ErlangNode
from fieldpost.errors import CommandError
from fieldpost.paths import cache_folder
from scale.program import Program

# Two cores serve three nodes and all that comes to them: no core is kept busy with waiting.
_ERLANG = "+S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none"
_QUESTION_S = 5
STOP_S = 30.0
_LOOK_S = 0.1
# A node that rejoins a cluster which has a majority takes part within seconds.
_PATIENCE_S = 10.0
# An MQTT 3.1.1 CONNECT with a clean session and no client id, in Erlang, and the answer to it.
_CONNECT = '<<16,12,0,4,"MQTT",4,2,0,30,0,0>>'
_CONNACK = "<<32,2,0,0>>"
# For `rabbitmqctl eval`, too: it does nothing to a register that runs.
START_REGISTER = (
    "ra:restart_server(coordination, {mqtt_node, node()}), "
    "ra:trigger_election({mqtt_node, node()})."
)


def find() -> Installed | None:
    """That of this machine; else the one in the cache of the brokers. None if there is neither."""
    if any(Path("/usr/lib/rabbitmq/lib").glob("rabbitmq_server-*")):
        return Installed(Path("/"), "of this machine", {})
    return Cache(cache_folder() / "brokers").unpacked("rabbitmq-server")


def installed() -> Installed:
    """The same; where there is none, Debian's package is unpacked into the cache.

    Raises CommandError if it can't be had.
    """
    return find() or Cache(cache_folder() / "brokers").debian("rabbitmq-server")


@dataclass(frozen=True)
class Listens:
    """Where a node listens. prefix: of commands that are to run on its machine."""

    client_address: str
    amqp_port: int
    mqtt_port: int
    erlang: ErlangNode
    prefix: Sequence[str] = field(default=())


class RabbitNode:
    """Keeps its folder over a stop and a start of `process`. Its port mapper must run.

    cookie: what the nodes of a cluster know each other by. lines: more ones of rabbitmq.conf.
    """

    def __init__(
        self,
        program: Installed,
        folder: Path,
        listens: Listens,
        cookie: str,
        lines: Sequence[str] = (),
        plugins: Sequence[str] = ("rabbitmq_mqtt",),
    ) -> None:
        self._program = program
        self._folder = folder
        self._listens = listens
        self._cookie = cookie
        folder.mkdir()
        cookie_file = folder / ".erlang.cookie"
        cookie_file.write_text(cookie)
        cookie_file.chmod(0o400)
        (folder / "enabled_plugins").write_text(f"[{','.join(plugins)}].\n")
        # RabbitMQ 3.10 has this setting, and no line of rabbitmq.conf for it.
        (folder / "advanced.config").write_text(
            "[{rabbitmq_mqtt, [{durable_queue_type, quorum}]}].\n"
        )
        own = [
            f"listeners.tcp.1 = {listens.client_address}:{listens.amqp_port}",
            f"mqtt.listeners.tcp.1 = {listens.client_address}:{listens.mqtt_port}",
            "mqtt.tcp_listen_options.backlog = 4096",
            "disk_free_limit.absolute = 50MB",
            "log.console = true",
            "log.console.level = info",
        ]
        (folder / "rabbitmq.conf").write_text("\n".join([*own, *lines]) + "\n")
        command = rabbitmq.server(program, folder, listens.erlang, _ERLANG)
        self.process = Program(
            "RabbitMQ",
            [*listens.prefix, *command.argv],
            folder / "log",
            {**command.environment, "RABBITMQ_USE_LONGNAME": "true"},
            folder,
        )

    def takes_part(self, nodes: int) -> bool:
        """Whether it sees so many nodes that run, itself among them, and takes MQTT clients."""
        listens = self._listens
        address = "{" + listens.client_address.replace(".", ",") + "}"
        question = (
            f"case rabbit:is_running() andalso length(rabbit_nodes:all_running()) of {nodes} -> "
            f"{{ok, S}} = gen_tcp:connect({address}, {listens.mqtt_port}, "
            "[binary, {active, false}], 2000), "
            f"ok = gen_tcp:send(S, {_CONNECT}), A = gen_tcp:recv(S, 4, 3000), "
            f"gen_tcp:close(S), A =:= {{ok, {_CONNACK}}}; _ -> false end."
        )
        return self.ask(question) == "true"

    def wait_until_it_takes_part(self, nodes: Callable[[], int], timeout_s: float) -> None:
        """nodes(): how many run, which others may change meanwhile. Raises CommandError if it does
        not in time, or has ended."""
        now = time.monotonic()
        end, help_at = now + timeout_s, now + _PATIENCE_S
        while not self.takes_part(nodes()):
            now = time.monotonic()
            if not self.process.running() or now > end:
                raise CommandError(
                    f"{self._listens.erlang.name} does not take part: {self.process.last_words()}"
                )
            if now > help_at:
                self.start_register()
                help_at = now + _PATIENCE_S
            time.sleep(_LOOK_S)

    def start_register(self) -> None:
        """Start its copy of the register of MQTT clients, if it has one that does not run.

        RabbitMQ before 3.12 asks the other copies for their leader before it starts its own, for
        hours: of three nodes that were all down, each then waits for the others. docs/scale.md
        gives an operator the same words. Source: mqtt_node.erl, join_peers/3.
        """
        self.ask(START_REGISTER)

    def ask(self, expression: str) -> str | None:
        """What an expression of Erlang's gives on the node, as it prints it; None if it can't be
        asked, or if that fails."""
        node = self._listens.erlang
        (program,) = (self._program.folder / "usr/lib/erlang/lib").glob(
            "erl_interface-*/bin/erl_call"
        )
        words = ["-c", self._cookie, "-timeout", str(_QUESTION_S), "-name", node.name, "-e"]
        try:
            done = subprocess.run(
                [*self._listens.prefix, str(program), *words],
                input=expression + "\n",
                env={**os.environ, "ERL_EPMD_PORT": str(node.mapper_port)},
                capture_output=True,
                text=True,
                timeout=_QUESTION_S + 5,
            )
        except subprocess.TimeoutExpired:
            return None
        found = re.match(r"\{ok, (.*)\}\s*$", done.stdout, re.S)
        return found[1] if found and not done.returncode else None
