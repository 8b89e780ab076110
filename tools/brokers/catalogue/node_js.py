"""Brokers that are libraries of Node.js: aedes, and mosca before it. The rights are our own."""

import json
import shutil
from pathlib import Path

from brokers.accounts import ALL
from brokers.cache import Cache, Installed
from brokers.kinds import Command, Kind, Place
from fieldpost.errors import CommandError

_SCRIPTS = Path(__file__).parent
_AEDES = (
    "1.2.0",
    "sha512-fCgK7TzmP2zGYS2iI/RE1tjHAIIqq5MjeOx3bicd89aTWTac+wiaywwIWhQQK6CXS+ml7ssGz8NntKYL5jPaZA==",
)
_MOSCA = (
    "2.8.3",
    "sha512-jjhbk7DZjSRq8JaGhcdQQVReMXlgcIzKvlfxTZfZksnvhiZH0EEy4hNYefQokaa9f6zqdkc09u2dbUJ/ZTFlag==",
)
_MEMORY = {"restart": "set up with its store in memory, as its library comes"}


def _install_aedes(cache: Cache) -> Installed:
    return cache.npm("aedes", *_AEDES)


def _install_mosca(cache: Cache) -> Installed:
    # Of a later jsonschema it can no longer be started.
    return cache.npm("mosca", *_MOSCA, overrides={"jsonschema": "1.2.4"})


def _run(script: str, installed: Installed, place: Place) -> Command:
    program = shutil.which("node")
    if not program:
        raise CommandError("Node.js is not installed")
    accounts = [
        {
            "user": one.user,
            "password": one.password,
            "publish": one.publish,
            "subscribe": one.subscribe,
        }
        for one in ALL
    ]
    (place.folder / "accounts.json").write_text(json.dumps(accounts, indent=2))
    # A script finds its packages beside itself.
    (place.folder / script).write_text((_SCRIPTS / script).read_text())
    modules = place.folder / "node_modules"
    if not modules.exists():
        modules.symlink_to(installed.folder / "node_modules")
    tls = [str(place.authority.broker)] if place.authority else []
    return Command([program, str(place.folder / script), str(place.port), *tls])


def _aedes(installed: Installed, place: Place) -> Command:
    return _run("aedes.mjs", installed, place)


def _mosca(installed: Installed, place: Place) -> Command:
    return _run("mosca.cjs", installed, place)


AEDES = Kind("aedes", "aedes", _install_aedes, _aedes, _MEMORY)
AEDES_TLS = Kind(
    "aedes-tls",
    "aedes, TLS",
    _install_aedes,
    _aedes,
    _MEMORY,
    is_asked=False,
    has_tls=True,
)
MOSCA = Kind("mosca", "mosca", _install_mosca, _mosca, _MEMORY)
