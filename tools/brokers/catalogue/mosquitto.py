"""Mosquitto: with its dynamic security plugin, with a file of rights, and with small limits."""

import hashlib
import json
import os
from base64 import b64encode
from pathlib import Path
from typing import Any

from brokers.accounts import ALL
from brokers.cache import Cache, Installed
from brokers.kinds import Command, Kind, Place

_ROUNDS = 101


def _install(cache: Cache) -> Installed:
    return cache.debian("mosquitto")


def _lines(place: Place, *more: str) -> str:
    return "\n".join(
        (
            f"listener {place.port} 127.0.0.1",
            "allow_anonymous false",
            "persistence true",
            f"persistence_location {place.folder}/",
            "log_dest stderr",
            # Started by root it would become another user, who cannot read this folder.
            *(("user root",) if os.geteuid() == 0 else ()),
            *more,
            "",
        )
    )


def _digest(password: str) -> tuple[str, str]:
    """(salt, hash) as mosquitto_passwd makes them."""
    salt = os.urandom(12)
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, _ROUNDS)
    return b64encode(salt).decode(), b64encode(digest).decode()


def _passwords(place: Place) -> str:
    lines = []
    for account in ALL:
        salt, digest = _digest(account.password)
        lines.append(f"{account.user}:$7${_ROUNDS}${salt}${digest}\n")
    file = place.folder / "passwords"
    file.touch(mode=0o600)
    file.write_text("".join(lines))
    return f"password_file {file}"


def _run(installed: Installed, place: Place, lines: str) -> Command:
    (place.folder / "mosquitto.conf").write_text(lines)
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
    return _run(installed, place, _lines(place, *options))


def _rights_file(installed: Installed, place: Place) -> Command:
    lines = []
    for account in ALL:
        lines.append(f"user {account.user}")
        lines += [f"topic write {one}" for one in account.publish]
        lines += [f"topic read {one}" for one in account.subscribe]
    (place.folder / "rights").write_text("\n".join(lines) + "\n")
    (place.folder / "rights").chmod(0o600)
    more = (_passwords(place), f"acl_file {place.folder / 'rights'}")
    return _run(installed, place, _lines(place, *more))


def _small(installed: Installed, place: Place) -> Command:
    more = (_passwords(place), "max_packet_size 400", "retain_available false")
    return _run(
        installed,
        place,
        _lines(place, *more),
    )


DYNAMIC_SECURITY = Kind(
    "mosquitto-dynamic-security",
    "Mosquitto, dynamic security",
    _install,
    _dynamic_security,
    ("mosquitto.conf", "dynamic-security.json"),
)
RIGHTS_FILE = Kind(
    "mosquitto-acl-file",
    "Mosquitto, ACL file",
    _install,
    _rights_file,
    ("mosquitto.conf", "rights"),
)
SMALL_LIMITS = Kind(
    "mosquitto-small-limits",
    "Mosquitto, packets of 400 bytes at most, nothing retained",
    _install,
    _small,
    ("mosquitto.conf",),
    {"rights": "set up without rules for topics"},
)
