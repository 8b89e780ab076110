"""What `get` and `set` do: config.json is told in pieces, and changed by several commands at once.

A command has 512 bytes at most, a configuration has more. A `set` with "more" is therefore kept on
flash, and nothing of it is in force, until the last part has come.
"""

import json
from binascii import crc32

from micropython import const

from firmware import files as _files
from firmware.config import change as _settings
from firmware.log import LEVELS

# What the parts of a change have come to so far.
PARTS = "config.parts"
# Of a config.json that is put together of parts: no board can do more with it.
_BYTES_MAX = const(8192)
# Of a piece: with its quotes escaped, and what is around it, about as long as a command.
_CHARACTERS = const(320)
# Settings that take effect at once; any other restarts the node.
_LIVE = ("sample_s", "health_s", "deliver_every", "log_level")


def get(command, node, actions):
    """Results: the value of `key` that is in force, or without a key all pieces of config.json."""
    if "key" not in command:
        return _pieces(actions.config_text(), node.identity.boot)
    key = _text(command["key"])
    value = _settings.value_of(node.settings, key)
    if _is_secret(key):
        raise ValueError("credentials are not told")
    if isinstance(value, dict):
        value = {name: one for name, one in value.items() if not _is_secret(name)}
    return ({"key": key, "value": value},)


def set_values(command, node, actions, files, log):
    """The result; with "restart" in it, the node must. ValueError says why nothing was changed."""
    result = {}
    values = command.get("values")
    if values is None:
        key = _text(command.get("key"))
        if "value" not in command:
            raise ValueError("value is missing")
        values = ((key, command["value"]),)
        result["key"] = key
    text = actions.config_text()
    before = json.loads(text)
    config = _changed(values, command.get("after"), before, files)
    try:
        if command.get("more"):
            _keep(command["id"], config, files)
            return result
        _files.discard(PARTS, files)
        if command.get("mark", _mark(text)) != _mark(text):
            raise ValueError("config.json was changed by somebody else meanwhile")
        settings, errors = actions.checker()(config)
        if errors:
            raise ValueError("; ".join(errors))
        if config == before:
            return result
        _settings.guard(before, config)
        names = set(before) | set(config)
        names = [one for one in names if before.get(one, ...) != config.get(one, ...)]
        # Whatever needs a restart can keep the node from its next delivery: a sensor's driver that
        # never returns, limits of a battery that none has.
        is_live = all(one in _LIVE for one in names)
        _settings.store(config, result.get("key"), command["id"], not is_live, files)
    except OSError as error:
        raise ValueError("not stored, flash refuses (%s)" % error)
    if not is_live:
        result["restart"] = result["on_trial"] = True
        return result
    for key in names:
        # As the schema has it: what came as 60.0 is in force as 60.
        node.apply(key, settings[key])
        if key == "log_level":
            log.level = LEVELS.index(settings[key])
    node.publish_health()  # which tells of it
    if node.uplink.discovery:
        node.uplink.discovery.again()
    return result


def _pieces(text, boot):
    # No text in JSON has a line end in it: what is left out is between the values.
    bare = "".join([line.strip() for line in text.split("\n")])
    return [
        {
            "boot": boot,
            "mark": _mark(text),
            "size": len(bare),
            "at": at,
            "text": bare[at : at + _CHARACTERS],
        }
        for at in range(0, len(bare), _CHARACTERS)
    ]


def _mark(text):
    return "%08x" % crc32(text.encode())


def _changed(values, after, before, files):
    """config.json, or what the part `after` has made of it, with the values of this part."""
    if after is None:
        config = _settings.copied(before)
    else:
        try:
            part, config = json.loads(_files.read(PARTS, files) or b"[0,0]")
        except (ValueError, TypeError):
            part = None
        if part != after:
            raise ValueError("the part before it is missing: send all of them again")
    if not isinstance(values, (list, tuple)):
        raise ValueError('values must be a list such as [["sample_s", 60], ["led"]]')
    for one in values:
        if not isinstance(one, (list, tuple)) or not 1 <= len(one) <= 2:
            raise ValueError("each of values must be [key, value], or [key] for its default")
        if _is_secret(_text(one[0])):
            raise ValueError("credentials are set with the board at hand: fieldpost provision")
        _settings.put(config, *one)
    return config


def _keep(name, config, files):
    kept = json.dumps((name, config)).encode()
    if len(kept) > _BYTES_MAX:
        raise ValueError("config.json would have more than %d bytes" % _BYTES_MAX)
    _files.write_atomic(PARTS, kept, files)


def _text(value):
    if not isinstance(value, str) or not value:
        raise ValueError("key must be a text")
    return value


def _is_secret(key):
    return any(part in ("networks", "user", "password", "ssid") for part in key.split("."))
