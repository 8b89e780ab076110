"""What only Mosquitto can show: such a test skips, and says why amqtt would not do."""

from pathlib import Path
from typing import Any

import pytest

from fieldpost.mqtt.brokers import find_mosquitto

_PLUGINS = (
    "/usr/lib/x86_64-linux-gnu/mosquitto_dynamic_security.so",
    "/usr/lib/aarch64-linux-gnu/mosquitto_dynamic_security.so",
    "/usr/lib/mosquitto_dynamic_security.so",
)
# Its dynamic-security plugin, None where there is none.
PLUGIN = next((one for one in _PLUGINS if Path(one).exists()), None)


def need_mosquitto(why: str, *, module: bool = False) -> str:
    """Its path; skips where it is not installed. why: what amqtt lacks for this test. module:
    called outside of any, for all of a module, which is one skip."""
    found = find_mosquitto()
    if found is None:
        pytest.skip(f"Mosquitto is not installed: {why}", allow_module_level=module)
    return found


def dynamic_security(*allowed: tuple[str, str]) -> dict[str, Any]:
    """The plugin's file: everybody may do what is `allowed`, (acltype, topic), and receive."""
    acls = [{"acltype": kind, "topic": topic, "allow": True} for kind, topic in allowed]
    return {
        "defaultACLAccess": {
            "publishClientSend": False,
            "publishClientReceive": True,
            "subscribe": False,
            "unsubscribe": True,
        },
        "clients": [],
        "groups": [{"groupname": "all", "roles": [{"rolename": "node"}]}],
        "roles": [{"rolename": "node", "acls": acls}],
        "anonymousGroup": "all",
    }
