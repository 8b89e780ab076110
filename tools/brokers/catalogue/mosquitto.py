"""Mosquitto: with its dynamic security plugin, a file of rights, small limits, and TLS."""

import hashlib
import json
import os
from base64 import b64encode
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from brokers.accounts import ALL, Account
from brokers.cache import Cache, Installed
from brokers.kinds import Command, Kind, Place
from fieldpost.certs.mosquitto import write_configuration

_ROUNDS = 101


def install(cache: Cache) -> Installed:
    """From Debian's package."""
    return cache.debian("mosquitto")


def lines(place: Place, *more: str) -> str:
    """A configuration with a listener, and `more` lines."""
    return "\n".join(
        (
            f"listener {place.port} 127.0.0.1",
            "allow_anonymous false",
            *_common(place),
            *more,
            "",
        )
    )


def _common(place: Place) -> tuple[str, ...]:
    return (
        "persistence true",
        f"persistence_location {place.folder}/",
        "log_dest stderr",
        # Started by root it would become another user, who cannot read this folder.
        *(("user root",) if os.geteuid() == 0 else ()),
    )


def _digest(password: str) -> tuple[str, str]:
    """(salt, hash) as mosquitto_passwd makes them."""
    salt = os.urandom(12)
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, _ROUNDS)
    return b64encode(salt).decode(), b64encode(digest).decode()


def _passwords(place: Place, accounts: Sequence[Account] = ALL) -> str:
    lines = []
    for account in accounts:
        salt, digest = _digest(account.password)
        lines.append(f"{account.user}:$7${_ROUNDS}${salt}${digest}\n")
    file = place.folder / "passwords"
    file.touch(mode=0o600)
    file.write_text("".join(lines))
    return f"password_file {file}"


def accounts_with_rights(place: Place, accounts: Sequence[Account] = ALL) -> tuple[str, str]:
    """Lines for a file of passwords and one of rights, which it writes."""
    lines = []
    for account in accounts:
        lines.append(f"user {account.user}")
        lines += [f"topic write {one}" for one in account.publish]
        lines += [f"topic read {one}" for one in account.subscribe]
    file = place.folder / "rights"
    file.write_text("\n".join(lines) + "\n")
    file.chmod(0o600)
    return _passwords(place, accounts), f"acl_file {file}"


def run(installed: Installed, place: Place, text: str) -> Command:
    """Mosquitto with this configuration."""
    (place.folder / "mosquitto.conf").write_text(text)
    program = installed.folder / "usr" / "sbin" / "mosquitto"
    return Command([str(program), "-c", str(place.folder / "mosquitto.conf")])


def _role(name: str, publish: tuple[str, ...], subscribe: tuple[str, ...]) -> dict[str, Any]:
    rules = [("publishClientSend", one) for one in publish]
    rules += [("subscribePattern", one) for one in subscribe]
    acls = [{"acltype": kind, "topic": topic, "allow": True} for kind, topic in rules]
    return {"rolename": name, "acls": acls}


def _plugin(root: Path) -> Path:
    found = sorted(root.glob("usr/lib/*/mosquitto_dynamic_security.so"))
    return found[0]


def _dynamic_security(installed: Installed, place: Place) -> Command:
    clients = []
    for account in ALL:
        salt, digest = _digest(account.password)
        clients.append(
            {
                "username": account.user,
                "password": digest,
                "salt": salt,
                "iterations": _ROUNDS,
                "roles": [{"rolename": account.user}],
            }
        )
    rules = {
        "defaultACLAccess": {
            "publishClientSend": False,
            "publishClientReceive": True,
            "subscribe": False,
            "unsubscribe": True,
        },
        "clients": clients,
        "roles": [_role(one.user, one.publish, one.subscribe) for one in ALL],
        "groups": [],
    }
    file = place.folder / "dynamic-security.json"
    if not file.exists():
        file.write_text(json.dumps(rules, indent=2))
    options = (f"plugin {_plugin(installed.folder)}", f"plugin_opt_config_file {file}")
    return run(installed, place, lines(place, *options))


def _rights_file(installed: Installed, place: Place) -> Command:
    return run(installed, place, lines(place, *accounts_with_rights(place)))


def _small(installed: Installed, place: Place) -> Command:
    more = (_passwords(place), "max_packet_size 400", "retain_available false")
    return run(installed, place, lines(place, *more))


def _certificates(installed: Installed, place: Place) -> Command:
    """As `fieldpost certs mosquitto` writes it."""
    assert place.authority
    made = write_configuration(
        place.authority, port=place.port, bind="127.0.0.1", home_assistant=True
    )
    return run(installed, place, "\n".join((made.read_text(), *_common(place), "")))


DYNAMIC_SECURITY = Kind(
    "mosquitto-dynamic-security",
    "Mosquitto, dynamic security",
    install,
    _dynamic_security,
)
RIGHTS_FILE = Kind(
    "mosquitto-acl-file",
    "Mosquitto, ACL file",
    install,
    _rights_file,
)
SMALL_LIMITS = Kind(
    "mosquitto-small-limits",
    "Mosquitto, packets of 400 bytes at most, nothing retained",
    install,
    _small,
    {"rights": "set up without rules for topics"},
)
CERTIFICATES = Kind(
    "mosquitto-certificates",
    "Mosquitto, TLS with client certificates",
    install,
    _certificates,
    {"rights": "each node has the rights of its name, which is its certificate's"},
    is_asked=False,
    has_tls=True,
    by_certificate=True,
)
