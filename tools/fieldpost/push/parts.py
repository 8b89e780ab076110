"""A new configuration as the commands that bring a node to it, none larger than it takes."""

import json
from collections.abc import Iterator
from typing import Any

from fieldpost.errors import BadConfig, CommandError
from fieldpost.messages.dialogue import BYTES_MAX, Question

# [key, value] sets a key of config.json, [key] takes it out: see docs/commands.md.
Pair = list[Any]
# As long as any that a node gives.
_ANY_MARK = "01234567"


def pairs(old: dict[str, Any], new: dict[str, Any]) -> list[Pair]:
    """What `old` needs to become `new`, in the order in which it has to be done."""
    return list(_in_object("", old, new))


def questions(old: dict[str, Any], new: dict[str, Any], mark: str) -> list[Question]:
    """The parts of one change, to be sent in order; it is in force with the last. mark: that the
    node gave of `old`. Raises CommandError for a text that fits no command."""
    groups: list[list[Pair]] = []
    for pair in pairs(old, new):
        for one in _split(pair):
            if groups and _fits([*groups[-1], one]):
                groups[-1].append(one)
            else:
                groups.append([one])
    found: list[Question] = []
    for group in groups:
        after = {"after": found[-1].name} if found else {}
        found.append(Question("set", {"values": group, **after, "more": True}))
    if found:
        del found[-1].arguments["more"]
        found[-1].arguments["mark"] = mark
    return found


def _in_object(path: str, old: dict[str, Any], new: dict[str, Any]) -> Iterator[Pair]:
    yield from ([path + name] for name in old if name not in new)
    for name, value in new.items():
        if name in old:
            yield from _changed(path + name, old[name], value)
        else:
            yield [path + name, value]


def _changed(path: str, old: Any, new: Any) -> Iterator[Pair]:
    # As JSON, for which true is not 1.
    if json.dumps(old, sort_keys=True) == json.dumps(new, sort_keys=True):
        return
    if isinstance(old, dict) and isinstance(new, dict) and old.get("type") == new.get("type"):
        yield from _in_object(path + ".", old, new)
    elif isinstance(old, list) and isinstance(new, list) and _are_objects([*old, *new]):
        if len(new) < len(old):
            yield [f"{path}.{len(new)}"]
        for at, value in enumerate(new):
            if at < len(old):
                yield from _changed(f"{path}.{at}", old[at], value)
            else:
                yield [f"{path}.{at}", value]
    else:
        yield [path, new]


def _are_objects(values: list[Any]) -> bool:
    return all(isinstance(one, dict) for one in values)


def _split(pair: Pair) -> Iterator[Pair]:
    """The same in smaller steps, if it fits no command: an object or a list bit by bit."""
    key, *values = pair
    if _fits([pair]):
        yield pair
    elif values and isinstance(values[0], dict):
        yield [key, {}]
        for name, value in values[0].items():
            yield from _split([f"{key}.{name}", value])
    elif values and isinstance(values[0], list):
        yield [key, []]
        for at, value in enumerate(values[0]):
            yield from _split([f"{key}.{at}", value])
    else:
        raise BadConfig(
            f"{key} is longer than a command may be ({BYTES_MAX} bytes): it gets to the board on "
            "a cable, with --port"
        )


def _fits(group: list[Pair]) -> bool:
    around = {"after": _ANY_MARK, "more": True, "mark": _ANY_MARK}
    try:
        Question("set", {"values": group, **around}).payload()
    except CommandError:
        return False
    return True
