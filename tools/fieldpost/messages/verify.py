"""`fieldpost listen --telemetry`: readings as they arrive, each gap and repeat named."""

import itertools
import queue
import sys
import time
from collections.abc import Iterator

from rich.text import Text

from fieldpost.messages.arrivals import Arrivals
from fieldpost.messages.ranges import Ranges
from fieldpost.messages.telemetry import Kind, Verdict, Verifier
from fieldpost.mqtt import url as mqtt_url
from fieldpost.mqtt.client import TIMEOUT_S
from fieldpost.mqtt.kept import KeptSubscription
from fieldpost.mqtt.tls import ClientFiles
from fieldpost.terminal.console import Console
from fieldpost.terminal.result import result
from fieldpost.terminal.safe_text import neutral, to_json

_STYLES = {
    Kind.NEW: "",
    Kind.BOOT: "cyan",
    Kind.LATE: "yellow",
    Kind.DUPLICATE: "dim",
    Kind.GAP: "bold red",
    Kind.CONFLICT: "bold red",
    Kind.MALFORMED: "red",
}
# Numbers of one boot, and boots, that an account lists; it counts them all.
_LISTED_MAX = 10_000


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
    arrived = Arrivals()
    subscription = KeptSubscription(
        address,
        topic,
        1,
        on_message=arrived.put,
        tell=lambda text: print(neutral(text), file=sys.stderr, flush=True),
        timeout_s=min(timeout_s or TIMEOUT_S, TIMEOUT_S),
    )
    verifier = Verifier()
    end = None if timeout_s is None else time.monotonic() + timeout_s
    try:
        subscription.open()
        seen = 0
        while count is None or seen < count:
            try:
                message = arrived.get_until(end)
            except queue.Empty:
                break
            seen += 1
            payload = bytes(message.payload)
            _print(verifier.feed(message.topic, payload), payload, as_json)
    except KeyboardInterrupt:
        pass
    finally:
        subscription.close()
    if arrived.missed:
        text = f"{arrived.missed} messages came faster than they could be read: not in the account"
        print(text, file=sys.stderr)
    return _account(verifier, as_json, arrived.missed)


def _print(verdict: Verdict, payload: bytes, as_json: bool) -> None:
    text = payload.decode(errors="replace")
    if as_json:
        told = {"verdict": verdict.kind, "node": verdict.node, "payload": text}
        if verdict.missing:
            told["missing"] = verdict.missing
        print(to_json(told), flush=True)
        return
    note = f"{verdict.kind}"
    if verdict.missing:
        note += f" of {verdict.missing}"
    if verdict.text:
        note += f": {verdict.text}"
    style = _STYLES[verdict.kind]
    line = neutral(f"{verdict.node:16} {note:14} {text}")
    Console(soft_wrap=True, highlight=False).print(Text(line, style))


def _account(verifier: Verifier, as_json: bool, unread: int = 0) -> int:
    totals = verifier.totals
    missing = list(verifier.missing())
    readings = sum(totals[kind] for kind in (Kind.NEW, Kind.BOOT, Kind.GAP, Kind.LATE))
    lost = sum(numbers.total for _, _, numbers in missing) + verifier.unlisted
    if as_json:
        report = {
            "readings": readings,
            "lost": lost,
            "missing": [
                {
                    "node": node,
                    "boot": boot,
                    "count": numbers.total,
                    "seq": list(itertools.islice(_each(numbers), _LISTED_MAX)),
                }
                for node, boot, numbers in missing[:_LISTED_MAX]
            ],
            **{
                kind.value: totals[kind]
                for kind in (Kind.DUPLICATE, Kind.LATE, Kind.CONFLICT, Kind.MALFORMED)
            },
        }
        failure = None
        if lost or totals[Kind.CONFLICT] or unread:
            why = f"{lost} missing, {totals[Kind.CONFLICT]} conflicting, {unread} unread"
            failure = ("readings_missing", why)
        print(result(report, failure, None), flush=True)
    else:
        for node, boot, numbers in missing[:_LISTED_MAX]:
            print(neutral(f"{node}, boot {boot}: missing {_ranges(numbers)}"))
        print(
            f"readings {readings}, missing {lost}, repeated {totals[Kind.DUPLICATE]}, "
            f"out of order {totals[Kind.LATE]}, conflicting {totals[Kind.CONFLICT]}"
            + (f", unreadable {totals[Kind.MALFORMED]}" if totals[Kind.MALFORMED] else "")
        )
    return 1 if lost or totals[Kind.CONFLICT] or unread else 0


def _each(numbers: Ranges) -> Iterator[int]:
    for first, last in numbers:
        number = first
        while number <= last:  # a range() of more than 2^63 has no length
            yield number
            number += 1


def _ranges(numbers: Ranges) -> str:
    """1, 2, 3, 7 -> "1-3, 7"."""
    shown = [f"{a}" if a == b else f"{a}-{b}" for a, b in itertools.islice(numbers, _LISTED_MAX)]
    if len(numbers) > _LISTED_MAX:
        shown.append("…")
    return ", ".join(shown)
