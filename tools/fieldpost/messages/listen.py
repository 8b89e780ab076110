"""`fieldpost listen`: prints what arrives, as `mosquitto_sub -v` does."""

import base64
import queue
import sys
import time

from paho.mqtt.client import MQTTMessage

from fieldpost.errors import TimedOut
from fieldpost.messages.arrivals import Arrivals
from fieldpost.mqtt import url as mqtt_url
from fieldpost.mqtt.client import TIMEOUT_S, check_filter
from fieldpost.mqtt.kept import KeptSubscription
from fieldpost.mqtt.tls import ClientFiles
from fieldpost.terminal.safe_text import as_it_is, neutral, to_json


def listen_command(
    topic: str,
    *,
    broker: str = mqtt_url.DEFAULT_URL,
    qos: int = 0,
    count: int | None = None,
    timeout_s: float | None = None,
    as_json: bool = False,
    tls: ClientFiles | None = None,
) -> None:
    """Print messages until `count` came, `timeout_s` passed, or Ctrl-C.

    Raises CommandError if `count` was given and fewer came. Without it, an end by time-out is as
    good as any. A lost connection is reported and dialled again; with a `qos` the broker is asked
    to keep what comes meanwhile.
    """
    address = mqtt_url.parse(broker, tls)
    check_filter(topic)
    arrived = Arrivals()
    subscription = KeptSubscription(
        address,
        topic,
        qos,
        on_message=arrived.put,
        tell=_say,
        timeout_s=min(timeout_s or TIMEOUT_S, TIMEOUT_S),
    )
    try:
        subscription.open()
        printed = _print_messages(arrived, count, timeout_s, as_json)
    except KeyboardInterrupt:
        return
    finally:
        subscription.close()
        if arrived.missed:
            _say(f"{arrived.missed} messages came faster than they could be printed")
        if subscription.unnamed:
            _say(
                f"{subscription.unnamed} messages were left out: their topics are no text in UTF-8"
            )
    if count is not None and printed < count:
        raise TimedOut(f"{printed} of {count} messages came within {timeout_s:g} s")


def _print_messages(
    arrived: Arrivals,
    count: int | None,
    timeout_s: float | None,
    as_json: bool,
) -> int:
    end = None if timeout_s is None else time.monotonic() + timeout_s
    printed = 0
    while count is None or printed < count:
        try:
            message = arrived.get_until(end)
        except queue.Empty:
            break
        # What a stranger publishes must not drive this terminal; a program gets it as it is.
        output = sys.stdout if sys.stdout.isatty() else as_it_is(sys.stdout)
        output.write((_as_json(message) if as_json else _as_line(message)) + "\n")
        output.flush()
        printed += 1
    return printed


def _as_line(message: MQTTMessage) -> str:
    line = f"{message.topic} {message.payload.decode(errors='replace')}"
    return neutral(line) if sys.stdout.isatty() else line


def _as_json(message: MQTTMessage) -> str:
    """topic, qos, retain and payload; a payload that is no UTF-8 comes as payload_base64."""
    fields: dict[str, object] = {
        "topic": message.topic,
        "qos": message.qos,
        "retain": message.retain,
    }
    try:
        fields["payload"] = message.payload.decode()
    except UnicodeDecodeError:
        fields["payload_base64"] = base64.b64encode(message.payload).decode()
    return to_json(fields)


def _say(text: str) -> None:
    print(neutral(text), file=sys.stderr, flush=True)
