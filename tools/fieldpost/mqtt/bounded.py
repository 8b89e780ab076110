"""paho's client, at a broker that may send anything: what it holds in memory has a limit."""

from paho.mqtt import client as paho
from paho.mqtt.enums import MQTTErrorCode

# MQTT lets a message have 256 MB, and paho reads all of it before it says that there is one.
PACKET_BYTES_MAX = 16 * 1024 * 1024
# Of QoS 2, what the broker has not released yet. An honest one has twenty or so under way.
_UNRELEASED_MAX = 1000
_UNRELEASED_BYTES_MAX = 2 * PACKET_BYTES_MAX


class BoundedClient(paho.Client):
    """Ends the connection to a broker that sends more than this holds.

    The two methods are paho's own, for the version that is pinned; it names none for this.
    """

    def _sock_recv(self, bufsize: int) -> bytes:
        if self._in_packet["remaining_length"] > PACKET_BYTES_MAX:
            raise ConnectionAbortedError("a packet is too long")
        return super()._sock_recv(bufsize)

    def _packet_handle(self) -> MQTTErrorCode:
        try:
            answer = super()._packet_handle()
        except OSError:
            # It dials again within, where it tries an older protocol.
            return MQTTErrorCode.MQTT_ERR_CONN_LOST
        waiting = self._in_messages.values()
        if len(waiting) > _UNRELEASED_MAX or (
            waiting and sum(len(one.payload) for one in waiting) > _UNRELEASED_BYTES_MAX
        ):
            self._in_messages.clear()
            return MQTTErrorCode.MQTT_ERR_PROTOCOL
        return answer
