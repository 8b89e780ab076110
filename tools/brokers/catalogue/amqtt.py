"""amqtt, which comes with Fieldpost: the broker of its demonstration."""

import json
import sys
from importlib import metadata

from pwdlib.hashers.argon2 import Argon2Hasher

from brokers.accounts import ALL
from brokers.cache import Cache, Installed
from brokers.kinds import Command, Kind, Place


def _install(cache: Cache) -> Installed:
    return Installed(cache.folder, metadata.version("amqtt"), {})


def _command(installed: Installed, place: Place) -> Command:
    hasher = Argon2Hasher()
    passwords = place.folder / "passwords"
    lines = [f"{one.user}:{hasher.hash(one.password)}\n" for one in ALL]
    passwords.write_text("".join(lines))
    rights = "amqtt.plugins.topic_checking.TopicAccessControlListPlugin"
    options = {
        "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{place.port}"}},
        "plugins": {
            "amqtt.plugins.authentication.FileAuthPlugin": {"password_file": str(passwords)},
            rights: {
                "publish_acl": {one.user: list(one.publish) for one in ALL},
                "acl": {one.user: list(one.subscribe) for one in ALL},
            },
        },
    }
    file = place.folder / "amqtt.yaml"
    file.write_text(json.dumps(options, indent=2))  # JSON is YAML
    return Command([sys.executable, "-m", "amqtt.scripts.broker_script", "-c", str(file)])


KIND = Kind(
    "amqtt",
    "amqtt",
    _install,
    _command,
    {"restart": "it keeps nothing over an end of its process"},
)
