"""`fieldpost publish`: one message, from the connection to the delivery, step by step."""

import sys

from fieldpost.messages.typed import DEFAULT_MESSAGE
from fieldpost.mqtt import url as mqtt_url
from fieldpost.mqtt.client import Connection, check_topic
from fieldpost.mqtt.limits import TIMEOUT_S
from fieldpost.mqtt.tls import ClientFiles
from fieldpost.terminal.result import result
from fieldpost.terminal.safe_text import neutral


def publish_command(
    topic: str,
    message: str = DEFAULT_MESSAGE,
    *,
    broker: str = mqtt_url.DEFAULT_URL,
    qos: int = 0,
    retain: bool = False,
    timeout_s: float = TIMEOUT_S,
    as_json: bool = False,
    tls: ClientFiles | None = None,
) -> None:
    """Publish and print each step. Raises CommandError unless it was delivered.

    message: "-" for what comes in by standard input, byte by byte.
    """
    address = mqtt_url.parse(broker, tls)
    check_topic(topic)
    data = sys.stdin.buffer.read() if message == "-" else message.encode()
    connection = Connection(address, on_lost=_report_lost, timeout_s=timeout_s)
    connection.open()
    try:
        steps = sys.stderr if as_json else sys.stdout
        print(f"connected to {address}", file=steps)
        print(f"publishing to {topic}", file=steps)
        connection.publish(topic, data, qos=qos, retain=retain)
        if as_json:
            print(result({"topic": topic, "bytes": len(data), "qos": qos, "retain": retain}))
        else:
            print("delivery complete")
    finally:
        connection.close()


def _report_lost(reason: str) -> None:
    print(neutral(f"connection lost: {reason}"), file=sys.stderr, flush=True)
