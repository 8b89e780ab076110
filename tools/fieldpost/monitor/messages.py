"""A node's MQTT messages in a few words: what somebody who watches wants to know of each."""

import json
import time
from dataclasses import dataclass
from typing import Any

from fieldpost.messages import payload
from fieldpost.monitor.events import Event

# What says that something is wrong unless it is zero, and is left out where it is.
_HEALTH_COUNTS = ("dropped", "corrupt", "failed_starts", "repeats", "late_samples", "reconnects")
_STATES = {"online": "green", "offline": "red", "asleep": "blue", "safe_mode": "bold red"}
_UPDATES = {"done": "green", "trial": "cyan", "refused": "red", "failed": "red", "back": "red"}
_OFFER, _PIECE = "update/offer", "update/piece"
# A reading that comes so long after it was taken was waiting in the outbox.
_LATE_S = 5
# Unix seconds, in the year 2242: beyond it no clock of a node's is right, nor its age or uptime.
_TIME_MAX = 2**33


@dataclass(frozen=True)
class Short:
    """kind: the topic's last levels. style: rich's, or "". below: lines that belong under it."""

    node: str
    kind: str
    text: str
    style: str = ""
    below: tuple[str, ...] = ()


def shorten(event: Event, base: str) -> Short:
    """What to show of a message. One that is not as the nodes' are is shown as it is."""
    node, _, kind = event.topic.removeprefix(base + "/").partition("/")
    if kind in (_OFFER, _PIECE):
        return Short(node, kind, *_binary(kind, event.text))
    short = _SHORTEN.get(kind)
    if short is None:
        return Short(node, kind, event.text)
    try:
        told = payload.read(event.text)
    except payload.Unreadable:
        return Short(node, kind, event.text)
    text, style, *below = short(told, event.at)
    return Short(node, kind, text, style, tuple(below))


def _telemetry(told: dict[str, Any], at: float) -> tuple[str, ...]:
    key = f"{told.pop('boot', '?')}/{told.pop('seq', '?')}"
    if (taken := payload.number(told.get("ts"), 0, _TIME_MAX)) is not None:
        del told["ts"]
        age_s = at - taken
        told.pop("age_s", None)
    elif (age_s := payload.number(told.get("age_s"), 0, _TIME_MAX)) is not None:
        del told["age_s"]
    words = [key, *_pairs(told)]
    if age_s is not None and age_s > _LATE_S:
        words.append(f"({_duration(age_s)} old)")
    return " ".join(words), ""


def _status(told: dict[str, Any], at: float) -> tuple[str, ...]:
    state = str(told.pop("state", "?"))
    words = [state]
    if (until := payload.number(told.get("until"), 0, _TIME_MAX)) is not None:
        del told["until"]
        words.append(time.strftime("until %H:%M:%S", time.localtime(until)))
    return " ".join(words + _pairs(told)), _STATES.get(state, "yellow")


def _health(told: dict[str, Any], at: float) -> tuple[str, ...]:
    words = [str(told.get("state", "?"))]
    if (uptime_s := payload.number(told.get("uptime_s"), 0, _TIME_MAX)) is not None:
        words.append(f"up {_duration(uptime_s)}")
    if (reset := told.get("reset")) is not None:
        words.append(f"after {reset}")
    for name, unit in (("rssi", " dBm"), ("free", " B")):
        if told.get(name) is not None:
            words.append(f"{name} {told[name]}{unit}")
    if (waiting := told.get("outbox")) is not None:
        # A sleeper's travels in the segment of CONNECT, with the readings that it counts.
        is_before = told.get("state") == "asleep" and waiting
        words.append(f"{waiting} waiting as it was written" if is_before else f"outbox {waiting}")
    words += [f"{name} {told[name]}" for name in _HEALTH_COUNTS if told.get(name)]
    bad = []
    for name in ("sensor_errors", "tls"):
        if told.get(name):
            bad.append(f"{name}: {_plain(told[name])}")
    crash = str(told.get("crash") or "").strip().splitlines()
    style = "yellow" if any(told.get(name) for name in ("dropped", "corrupt")) else ""
    return " ".join(words), style, *bad, *crash


def _result(told: dict[str, Any], at: float) -> tuple[str, ...]:
    name = told.pop("id", "?")
    ok = told.pop("ok", None)
    mark = {True: "done", False: "refused"}.get(ok, "?") if isinstance(ok, bool) else "?"
    return " ".join([f"{name} {mark}", *_pairs(told)]), "" if ok else "red"


def _cmd(told: dict[str, Any], at: float) -> tuple[str, ...]:
    return " ".join([f"{told.pop('id', '?')} {told.pop('do', '?')}", *_pairs(told)]), "cyan"


def _update(told: dict[str, Any], at: float) -> tuple[str, ...]:
    state = str(told.get("state", "?"))
    words = [state]
    offer, installed = told.get("offer"), told.get("installed")
    if isinstance(offer, dict):
        words.append(_release(offer))
    have, of = (payload.number(told.get(name), 0, 2**32) for name in ("have", "of"))
    if have is not None and of:
        words.append(f"{have * 100 // of:.0f} %")
    if isinstance(installed, dict):
        words.append(f"runs {_release(installed)}")
    style = _UPDATES.get(state, "")
    return " ".join(words), style, *str(told.get("error") or "").splitlines()


def _ask(told: dict[str, Any], at: float) -> tuple[str, ...]:
    wanted = told.get("at")
    parts = wanted if isinstance(wanted, list) else []
    offsets = [_plain(one[0]) for one in parts if isinstance(one, list) and one]
    return f"at {', '.join(offsets)}", "dim"


def _binary(kind: str, text: str) -> tuple[str, str]:
    """Of an offer, whose manifest can be read, and of a piece, of which nothing can."""
    if kind == _PIECE:
        return "…", "dim"
    if not text:
        return "none", ""
    try:
        told = payload.read(text[text.find("{") :])
    except payload.Unreadable:
        return "something that is no offer", "yellow"
    return f"{_release(told)} for {_plain(told.get('chip') or told.get('platform'))}", "cyan"


def _release(told: dict[str, Any]) -> str:
    version, counter = _plain(told.get("version")), told.get("counter")
    return version if counter is None else f"{version} ({_plain(counter)})"


_SHORTEN = {
    "telemetry": _telemetry,
    "status": _status,
    "health": _health,
    "cmd": _cmd,
    "cmd/result": _result,
    "update": _update,
    "update/ask": _ask,
}


def _pairs(told: dict[str, Any]) -> list[str]:
    return [f"{name} {_plain(value)}" for name, value in told.items()]


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _duration(seconds: float) -> str:
    """ "42 s", "7 min", "5 h", "12 d"."""
    for limit, unit, name in ((120, 1, "s"), (7200, 60, "min"), (172_800, 3600, "h")):
        if seconds < limit:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds / 86_400:.0f} d"
