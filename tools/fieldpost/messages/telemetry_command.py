"""`fieldpost listen --telemetry`: readings as they arrive, each gap and repeat named."""

import json
import queue
import sys
import time

from paho.mqtt.client import MQTTMessage
from rich.console import Console
from rich.markup import escape

from fieldpost.messages.telemetry import Kind, Verdict, Verifier
from fieldpost.mqtt import url as mqtt_url
from fieldpost.mqtt.client import TIMEOUT_S, Connection
from fieldpost.mqtt.tls import ClientFiles

_STYLES = {
    Kind.NEW: "",
    Kind.BOOT: "cyan",
    Kind.LATE: "yellow",
    Kind.DUPLICATE: "dim",
    Kind.GAP: "bold red",
    Kind.CONFLICT: "bold red",
    Kind.MALFORMED: "red",
}


def verify_command(
    topic: str,
    *,
    broker: str,
    count: int | None = None,
    timeout_s: float | None = None,
    as_json: bool = False,
    tls: ClientFiles | None = None,
) -> int:
    """Judge readings until `count` came, `timeout_s` passed, or Ctrl-C; then print the account.

    Status 0 if no reading is missing and no key came with two readings.
    """
    address = mqtt_url.parse(broker, tls)
    arrived: queue.SimpleQueue[MQTTMessage] = queue.SimpleQueue()
    connection = Connection(
        address,
        on_message=arrived.put,
        on_lost=lambda reason: print(f"connection lost: {reason}", file=sys.stderr),
        on_connected=lambda: connection.resubscribe(topic, 1),
    )
    verifier = Verifier()
    connection.open(min(timeout_s or TIMEOUT_S, TIMEOUT_S))
    connection.subscribe(topic, 1)
    print(f"connected to {address}", file=sys.stderr, flush=True)
    end = None if timeout_s is None else time.monotonic() + timeout_s
    try:
        seen = 0
        while count is None or seen < count:
            left_s = None if end is None else max(0.0, end - time.monotonic())
            try:
                message = arrived.get(timeout=left_s)
            except queue.Empty:
                break
            seen += 1
            payload = bytes(message.payload)
            _print(verifier.feed(message.topic, payload), payload, as_json)
    except KeyboardInterrupt:
        pass
    finally:
        connection.close()
    return _account(verifier, as_json)


def _print(verdict: Verdict, payload: bytes, as_json: bool) -> None:
    text = payload.decode(errors="replace")
    if as_json:
        told = {"verdict": verdict.kind, "node": verdict.node, "payload": text}
        if verdict.missing:
            told["missing"] = verdict.missing
        print(json.dumps(told), flush=True)
        return
    note = f"{verdict.kind}"
    if verdict.missing:
        note += f" of {verdict.missing}"
    if verdict.text:
        note += f": {verdict.text}"
    text = "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
    style = _STYLES[verdict.kind]
    line = f"{verdict.node:16} {note:14} {text}"
    Console(soft_wrap=True).print(f"[{style}]{escape(line)}[/]" if style else escape(line))


def _account(verifier: Verifier, as_json: bool) -> int:
    totals = verifier.totals
    missing = list(verifier.missing())
    stored = sum(totals[kind] for kind in (Kind.NEW, Kind.BOOT, Kind.GAP, Kind.LATE))
    lost = sum(len(numbers) for _, _, numbers in missing)
    if as_json:
        report = {
            "stored": stored,
            "missing": [{"node": n, "boot": b, "seq": numbers} for n, b, numbers in missing],
            **{kind.value: totals[kind] for kind in (Kind.DUPLICATE, Kind.LATE, Kind.CONFLICT)},
        }
        print(json.dumps(report), flush=True)
    else:
        for node, boot, numbers in missing:
            print(f"{node}, boot {boot}: missing {_ranges(numbers)}")
        print(
            f"stored {stored}, missing {lost}, repeated {totals[Kind.DUPLICATE]}, "
            f"out of order {totals[Kind.LATE]}, conflicting {totals[Kind.CONFLICT]}"
        )
    return 1 if lost or totals[Kind.CONFLICT] else 0


def _ranges(numbers: list[int]) -> str:
    """[1, 2, 3, 7] -> "1-3, 7"."""
    parts: list[list[int]] = []
    for number in numbers:
        if parts and number == parts[-1][1] + 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    return ", ".join(f"{a}" if a == b else f"{a}-{b}" for a, b in parts)
