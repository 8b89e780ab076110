"""paho's client for a collector, and its CONNECT: a session that lasts, in MQTT 5 or 3.1.1."""

from typing import Any

from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from fieldpost.mqtt.bounded import PACKET_BYTES_MAX, BoundedClient
from fieldpost.mqtt.client import KEEPALIVE_S, TIMEOUT_S
from fieldpost.mqtt.url import BrokerAddress

# Messages that may be under way to us. A commit takes as long for many as for one.
RECEIVE_MAX = 1000
_SESSION_S = 0xFFFFFFFF  # it does not expire


def new_client(
    address: BrokerAddress, client_id: str, version: MQTTProtocolVersion
) -> BoundedClient:
    """One that acknowledges only what it is told to, and does not connect again by itself."""
    client = BoundedClient(
        CallbackAPIVersion.VERSION2,
        client_id=client_id,
        clean_session=None if version == MQTTProtocolVersion.MQTTv5 else False,
        protocol=version,
        reconnect_on_failure=False,
        manual_ack=True,
    )
    client.connect_timeout = TIMEOUT_S
    if address.user is not None:
        client.username_pw_set(address.user, address.password)
    if address.tls:
        client.tls_set_context(address.tls.context())
    return client


def dial(client: BoundedClient, address: BrokerAddress, version: MQTTProtocolVersion) -> None:
    """Connect, and send CONNECT. Raises OSError."""
    if version != MQTTProtocolVersion.MQTTv5:
        client.connect(address.host, address.port, keepalive=KEEPALIVE_S)
        return
    properties: Any = Properties(PacketTypes.CONNECT)
    properties.SessionExpiryInterval = _SESSION_S
    properties.ReceiveMaximum = RECEIVE_MAX
    # One that is longer the broker keeps for itself, and it holds up no others.
    properties.MaximumPacketSize = PACKET_BYTES_MAX
    client.connect(
        address.host,
        address.port,
        keepalive=KEEPALIVE_S,
        clean_start=False,
        properties=properties,
    )
