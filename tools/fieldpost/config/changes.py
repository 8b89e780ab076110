"""What differs between two configurations, key by key, without a credential."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from fieldpost.config.masked import cleaned, is_secret

_ABSENT = object()
_HIDDEN = "(not shown)"


@dataclass(frozen=True)
class Change:
    """key: as "mqtt.host" or "sensors.0.pin". was, now: JSON, None where it is not set."""

    key: str
    was: str | None
    now: str | None

    def __str__(self) -> str:
        if self.was is None:
            return f"{self.key}: {self.now} (new)"
        if self.now is None:
            return f"{self.key}: {self.was} → not set"
        if self.was == self.now:
            return f"{self.key}: changed {self.now}"
        return f"{self.key}: {self.was} → {self.now}"


def changes(old: Any, new: Any, *, hidden: bool = False) -> list[Change]:
    """From the JSON value `old` to `new`. hidden: no value is shown, whatever its key."""
    return list(_changes("", old, new, hidden))


def _changes(key: str, old: Any, new: Any, hidden: bool) -> Iterator[Change]:
    # As JSON, for which true is not 1.
    if _ABSENT not in (old, new) and json.dumps(old, sort_keys=True) == json.dumps(
        new, sort_keys=True
    ):
        return
    inside: list[tuple[Any, Any, Any]] = []
    if isinstance(old, dict) and isinstance(new, dict) and old.get("type") == new.get("type"):
        names: Iterable[Any] = [*new, *(name for name in old if name not in new)]
        inside = [(name, old.get(name, _ABSENT), new.get(name, _ABSENT)) for name in names]
    elif _of_objects(old) and _of_objects(new):
        inside = [(at, _item(old, at), _item(new, at)) for at in range(max(map(len, (old, new))))]
    if not inside:
        yield Change(key, _text(old, hidden), _text(new, hidden))
        return
    for name, was, now in inside:
        path = f"{key}.{name}" if key else str(name)
        yield from _changes(path, was, now, hidden or is_secret(str(name)))


def _of_objects(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, dict) for one in value)


def _item(values: Any, at: int) -> Any:
    return values[at] if at < len(values) else _ABSENT


def _text(value: Any, hidden: bool) -> str | None:
    if value is _ABSENT:
        return None
    return _HIDDEN if hidden else json.dumps(cleaned(value), ensure_ascii=False)
