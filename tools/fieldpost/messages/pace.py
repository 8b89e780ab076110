"""`fieldpost pace`: asks a fleet to slow down for a while, and shows or ends that."""

import json
import threading
import time
from typing import Any

from paho.mqtt.client import MQTTMessage

from fieldpost.errors import Usage
from fieldpost.messages import payload as any_payload
from fieldpost.mqtt import url as mqtt_url
from fieldpost.mqtt.client import Connection, check_topic
from fieldpost.mqtt.tls import ClientFiles
from fieldpost.terminal.result import result
from fieldpost.terminal.safe_text import neutral

# firmware/remote/pace.py has the same bounds, and obeys nothing beyond them.
FACTOR_MAX = 16
MINUTES_MAX = 1440
# A retained message comes with, or right behind, the broker's answer to the subscription.
_LISTEN_S = 1.0


def pace_command(
    factor: int | None,
    *,
    minutes: int,
    clear: bool,
    base: str,
    broker: str,
    timeout_s: float,
    as_json: bool,
    tls: ClientFiles,
) -> None:
    """Set the pace of the nodes at `base`, or clear it, or show it. Raises CommandError."""
    if clear and factor is not None:
        raise Usage("a factor and --clear: which of the two?")
    topic = f"{base}/pace"
    check_topic(topic)
    address = mqtt_url.parse(broker, tls)
    came, arrived = [b""], threading.Event()

    def take(message: MQTTMessage) -> None:
        came[0] = bytes(message.payload)
        arrived.set()

    connection = Connection(address, on_message=take, timeout_s=timeout_s)
    connection.open()
    try:
        if clear or factor is not None:
            until_s = 0 if clear else int(time.time()) + minutes * 60
            hint = {} if clear else {"factor": factor, "until": until_s}
            data = json.dumps(hint).encode() if hint else b""
            connection.publish(topic, data, qos=1, retain=True)
        else:
            connection.subscribe(topic, 1)
            arrived.wait(_LISTEN_S)
            hint = _read(came[0])
    finally:
        connection.close()
    _tell(topic, hint, as_json)


def _read(payload: bytes) -> dict[str, Any]:
    """What nodes make of it: nothing, if it is over or none of ours."""
    try:
        found = any_payload.read(payload)
        hint = {"factor": int(found["factor"]), "until": int(found["until"])}
    except (ValueError, KeyError, TypeError):
        return {}
    left_s = hint["until"] - time.time()
    return hint if 0 < left_s <= MINUTES_MAX * 60 and hint["factor"] > 1 else {}


def _tell(topic: str, hint: dict[str, Any], as_json: bool) -> None:
    factor, until_s = hint.get("factor", 1), hint.get("until")
    if as_json:
        print(result({"topic": topic, "factor": factor, "until": until_s}))
    elif until_s:
        end = time.strftime("%Y-%m-%d %H:%M", time.localtime(until_s))
        print(neutral(f"{topic}: {min(factor, FACTOR_MAX)} times as slow until {end}"))
    else:
        print(neutral(f"{topic}: nodes keep their own pace"))
