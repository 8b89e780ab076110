"""What `fieldpost collect --from` takes: the address of an MQTT broker, or those of a cluster.

No message here repeats a password, nor anything that may turn out to be one.
"""

from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from fieldpost.errors import Usage
from fieldpost.mqtt import url as mqtt_url
from fieldpost.mqtt.tls import ClientFiles
from fieldpost.mqtt.url import BrokerAddress

# Of a cluster: what all collectors read from.
DEFAULT_QUEUE = "fieldpost"
# By scheme: the port without a word about it, and whether it is TLS.
_CLUSTERS = {
    "amqp": (5672, False),
    "amqps": (5671, True),
    "nats": (4222, False),
    "tls": (4222, True),
}
_TLS_OF = {"amqp": "amqps", "nats": "tls"}


@dataclass(frozen=True)
class ClusterAddress:
    """The nodes of a cluster of which each will do, and who we are to them.

    path: what follows the hosts, without its slash: a virtual host of RabbitMQ's; None: nothing.
    tls: None without TLS.
    """

    scheme: str
    hosts: tuple[tuple[str, int], ...]
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    path: str | None = None
    tls: ClientFiles | None = None

    def __str__(self) -> str:
        hosts = ",".join(host_and_port(*one) for one in self.hosts)
        path = "" if self.path is None else f"/{self.path}"
        return f"{self.scheme}://{hosts}{path}"


SourceAddress = BrokerAddress | ClusterAddress


def parse(url: str, files: ClientFiles | None = None) -> SourceAddress:
    """The address in `url`: MQTT's, or a cluster's with commas between its hosts.

    files: for TLS, and for that alone; None: those that the environment names.

    Raises CommandError naming what is wrong, without the credentials.
    """
    scheme, there, rest = url.partition("://")
    if not there or scheme not in _CLUSTERS:
        return mqtt_url.parse(url, files)
    form = f"it looks like {scheme}://[user:password@]host[:port][,host[:port]…]"
    login, at, places = rest.rpartition("@")
    if set(login) & set("/?#"):
        raise Usage(f"{form}: in a password write / as %2F, ? as %3F, # as %23 and @ as %40")
    hosts, slash, path = places.partition("/")
    if set(places) & set("?#"):
        raise Usage(f"{form}: no ? or # may follow the hosts")
    port, is_tls = _CLUSTERS[scheme]
    if not is_tls and files is not None and files.given():
        raise Usage(f"--ca, --cert and --key are for TLS: write {_TLS_OF[scheme]}:// in front")
    user, colon, password = login.partition(":")
    return ClusterAddress(
        scheme,
        tuple(_host(one, port, form) for one in hosts.split(",")),
        _decoded(user, form) if at and user else None,
        _decoded(password, form) if colon else None,
        _decoded(path, form) if slash and path else None,
        (files or ClientFiles()).or_environment() if is_tls else None,
    )


def host_and_port(host: str, port: int) -> str:
    """As it stands in an address."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _host(text: str, default_port: int, form: str) -> tuple[str, int]:
    try:
        parts = urlsplit(f"//{text}")
        port = parts.port
        name = parts.hostname
        (name or "").encode("idna")
    except UnicodeError:
        raise Usage(f"{form}: no host can have the name in this one") from None
    except ValueError:
        raise Usage(f"{form}: a port must be a number from 1 to 65535") from None
    if port == 0:
        raise Usage(f"{form}: a port must be a number from 1 to 65535")
    if not name:
        raise Usage(f"{form}: a host is missing in this one")
    return name, port or default_port


def _decoded(text: str, form: str) -> str:
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise Usage(
            f"{form}: percent signs do not make UTF-8. A percent sign itself is %25"
        ) from None
