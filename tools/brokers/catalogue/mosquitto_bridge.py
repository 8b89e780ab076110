"""Two Mosquittos: nodes come to one at the edge, which hands everything on to an upper one."""

from brokers.accounts import ALL, OWNER, Account
from brokers.cache import Installed
from brokers.catalogue.mosquitto import accounts_with_rights, install, lines, run
from brokers.kinds import Command, Kind, Place

# The bridge itself, at the upper broker, with the least rights.
_BRIDGE = Account(
    "bridge",
    "bridges-word",
    ("fieldpost/#", "homeassistant/#"),
    ("fieldpost/+/cmd", "homeassistant/status"),
)


def _upper(installed: Installed, place: Place) -> Command:
    more = accounts_with_rights(place, (OWNER, _BRIDGE))
    # Killed, it would otherwise forget what it has acknowledged in the last half hour.
    more += ("autosave_on_changes true", "autosave_interval 1")
    return run(installed, place, lines(place, *more))


def _edge(installed: Installed, place: Place) -> Command:
    more = (
        *accounts_with_rights(place, ALL),
        # What waits while the upper one is away, in place of 1000 messages. With 0, for no limit,
        # Mosquitto 2.0.11 closes on a message that it refuses.
        "max_queued_messages 100000",
        "connection upper",
        f"address 127.0.0.1:{place.upper_port}",
        "remote_clientid edge",
        f"remote_username {_BRIDGE.user}",
        f"remote_password {_BRIDGE.password}",
        # Its session stays at the upper one, so that commands wait there, too.
        "cleansession false",
        "restart_timeout 1",
        "notifications false",
        *(f"topic {one} out 1" for one in _BRIDGE.publish),
        *(f"topic {one} in 1" for one in _BRIDGE.subscribe),
    )
    return run(installed, place, lines(place, *more))


_UPPER = Kind("mosquitto-upper", "Mosquitto above a bridge", install, _upper)
KIND = Kind(
    "mosquitto-bridge",
    "Mosquitto, bridge to another",
    install,
    _edge,
    is_asked=False,
    upper=_UPPER,
)
