"""RabbitMQ with its MQTT plugin."""

import hashlib
import json
import os
from base64 import b64encode
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from brokers.accounts import ALL, Account
from brokers.cache import Cache, Installed
from brokers.catalogue import erlang
from brokers.kinds import Command, Kind, Place


def _install(cache: Cache) -> Installed:
    return cache.debian("rabbitmq-server")


def _pattern(filters: tuple[str, ...]) -> str:
    """A regular expression on routing keys for topic filters. RabbitMQ has a dot for a slash."""
    keys = []
    for one in filters:
        key = one.replace("/", r"\.")
        keys.append(".*" if key == "#" else key.replace(r"\.#", r"\..*"))
    return f"^({'|'.join(keys)})$" if keys else "^$"


def _user(account: Account) -> dict[str, Any]:
    salt = os.urandom(4)
    digest = hashlib.sha256(salt + account.password.encode()).digest()
    return {
        "name": account.user,
        "password_hash": b64encode(salt + digest).decode(),
        "hashing_algorithm": "rabbit_password_hashing_sha256",
        "tags": [],
    }


def _definitions() -> dict[str, Any]:
    # An MQTT client's own queues are named mqtt-subscription-<client>…; its will needs none.
    own = "^(amq\\.topic|mqtt-subscription-.*|mqtt-will-.*)$"
    return {
        "vhosts": [{"name": "/"}],
        "users": [_user(one) for one in ALL],
        "permissions": [
            {"user": one.user, "vhost": "/", "configure": own, "write": own, "read": own}
            for one in ALL
        ],
        "topic_permissions": [
            {
                "user": one.user,
                "vhost": "/",
                "exchange": "amq.topic",
                "write": _pattern(one.publish),
                "read": _pattern(one.subscribe),
            }
            for one in ALL
        ],
    }


def _listener(place: Place) -> tuple[str, ...]:
    if not place.authority:
        return (f"mqtt.listeners.tcp.1 = 127.0.0.1:{place.port}",)
    own = place.authority.broker
    return (
        "mqtt.listeners.tcp = none",
        f"mqtt.listeners.ssl.1 = 127.0.0.1:{place.port}",
        f"ssl_options.cacertfile = {own}/ca.crt",
        f"ssl_options.certfile = {own}/server.crt",
        f"ssl_options.keyfile = {own}/server.key",
    )


@dataclass(frozen=True)
class ErlangNode:
    """A node of Erlang's: its name, and where it and its port mapper are found by others."""

    name: str
    address: str
    port: int
    mapper_port: int


def server(installed: Installed, folder: Path, node: ErlangNode, options: str = "") -> Command:
    """A server whose files are all in `folder`: rabbitmq.conf and enabled_plugins are there.

    options: more ones of Erlang's.
    """
    # Two readers of one folder of plugins: the program finds it beside itself.
    (home,) = (installed.folder / "usr/lib/rabbitmq/lib").glob("rabbitmq_server-*")
    interface = "{" + node.address.replace(".", ",") + "}"
    environment = erlang.environment(installed.folder, folder) | {
        "RABBITMQ_HOME": str(home),
        "RABBITMQ_CONF_ENV_FILE": str(folder / "none"),
        "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
        "RABBITMQ_ADVANCED_CONFIG_FILE": str(folder / "advanced.config"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
        "RABBITMQ_PLUGINS_DIR": str(home / "plugins"),
        "RABBITMQ_MNESIA_BASE": str(folder / "data"),
        "RABBITMQ_LOG_BASE": str(folder / "log-files"),
        "RABBITMQ_LOGS": "-",
        "RABBITMQ_NODENAME": node.name,
        "RABBITMQ_DIST_PORT": str(node.port),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": f"-kernel inet_dist_use_interface {interface} "
        f"-start_epmd false {options}".strip(),
        "ERL_EPMD_PORT": str(node.mapper_port),
        "ERL_EPMD_ADDRESS": node.address,
        # It then takes the place of its shell, so that a signal reaches it.
        "RABBITMQ_ALLOW_INPUT": "",
        "NOTIFY_SOCKET": str(folder / "no-socket"),
    }
    return Command([str(home / "sbin" / "rabbitmq-server")], environment)


def _command(installed: Installed, place: Place) -> Command:
    folder, (mapper, distribution, amqp) = place.folder, place.spare_ports[:3]
    (folder / "definitions.json").write_text(json.dumps(_definitions(), indent=2))
    (folder / "enabled_plugins").write_text("[rabbitmq_mqtt].\n")
    lines = [
        f"listeners.tcp.1 = 127.0.0.1:{amqp}",
        *_listener(place),
        "mqtt.allow_anonymous = false",
        f"load_definitions = {folder / 'definitions.json'}",
        "log.console = true",
        "log.console.level = info",
    ]
    (folder / "rabbitmq.conf").write_text("\n".join(lines) + "\n")
    node = ErlangNode(f"fieldpost{place.port}@localhost", "127.0.0.1", distribution, mapper)
    return replace(
        server(installed, folder, node), helper=erlang.port_mapper(installed.folder, mapper)
    )


KIND = Kind(
    "rabbitmq",
    "RabbitMQ, MQTT plugin",
    _install,
    _command,
    start_s=60.0,
)
TLS = Kind(
    "rabbitmq-tls",
    "RabbitMQ, TLS",
    _install,
    _command,
    start_s=60.0,
    is_asked=False,
    has_tls=True,
)
