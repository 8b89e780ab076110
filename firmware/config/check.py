"""Checks config.json and secrets.json by `firmware/config/keys.py`, with precise errors.

The node calls `check` once and then drops every module of this package. The host tools load the
same files.
"""

from firmware.config import check_cross, keys, keys_sensors

# Keys that people put into config.json although they belong in secrets.json.
_CREDENTIALS = (
    "credentials",
    "login",
    "networks",
    "pass",
    "passphrase",
    "passwd",
    "password",
    "psk",
    "pwd",
    "secret",
    "ssid",
    "token",
    "user",
    "username",
)

_DIGITS = "0123456789"
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_NAME = _LETTERS + _DIGITS + "_"
_HIDDEN = "secrets.json "
_HEXADECIMAL = _DIGITS + "abcdef"
_MAX_PIN = 56  # an ESP32-P4 has the most; which exist is for the board to say

_CHARACTERS = {
    "name": _NAME + "-",
    "field": _NAME,
    "prefix": _NAME,
    "hostname": _LETTERS + _DIGITS + "-",
    "host": _NAME + ".:-",
}
_GPIO = f"a GPIO number from 0 to {_MAX_PIN}"
_WHOLE = "a whole number from {3} to {4}"
_ALLOWED = {
    "bool": "true or false",
    "section": "an object with keys ",
    "list": "a list of {4} to {5} objects with keys ",
    "sensors": "a list of {3} to {4} objects",
    "type": "one of ",
    "one of": "one of ",
    "address": "",
    "any address": _WHOLE + ', or the same as "0x42"',
    "int": _WHOLE,
    "bus hz": _WHOLE,
    "pin": _GPIO,
    "adc": _GPIO,
    "scl": _GPIO,
    "sda": _GPIO,
    "float": "a number from {3} to {4}",
    "prefix": "true, false, or 1 to 24 characters of a-z, 0-9 and _, a letter first",
    "names": "a list of 0 to 16 names of fields",
    "ids": 'a list of 1 to 16 device ids such as "28-00000a1b2c3d"',
    "passphrase": '8 to 63 bytes of text, 64 hexadecimal digits, or "" for an open network',
    "country": "two capital letters",
    "ip": 'an IPv4 address such as "192.168.1.20"',
    "name": "{3} to {4} characters of a-z, 0-9, _ and -",
    "field": "{3} to {4} characters of a-z, 0-9 and _, a letter first",
    "hostname": "{3} to {4} letters, digits and -, with no - at either end",
    "host": "{3} to {4} characters of a host name or address",
    "topic": "{3} to {4} bytes, without + or #, no $ first, no / at either end",
    "text": "{3} to {4} bytes of text",
}


def check(config, secrets):
    """Return `(settings, errors)` for the parsed config.json and secrets.json.

    `settings` is a nested dict with every default filled in, or None if there is any error. Beyond
    the keys of the files it has `wifi.networks` as [(ssid, password), …] and `mqtt.user`,
    `mqtt.password` (None: no credentials); `wifi.hostname` is never None, and each sensor's
    `prefix` is the very text to put before its field names ("" for none), and `recipe` how its
    driver is built (`firmware/readings/sensors.py`). `errors` has one text for everything that is
    wrong, each naming the key, what was found and what is allowed. What secrets.json says is never
    shown. Raises nothing, whatever it is given.
    """
    errors = []
    settings = _section(keys.CONFIG, config, "", errors)
    if settings and settings["sensors"]:
        # Only now, for the calls that this saves: where a command is checked, little of a board's
        # stack is left. Therefore, too, loops stand in place of comprehensions.
        checked = []
        for one in settings["sensors"]:
            checked.append(_sensor(one, "sensors[%d]" % len(checked), errors))
        settings["sensors"] = checked
    hidden = _section(keys.SECRETS, secrets, _HIDDEN, errors)
    if settings:
        errors.extend(check_cross.check(settings, _ip))
    if hidden and hidden["mqtt"] and hidden["mqtt"]["password"] and not hidden["mqtt"]["user"]:
        _wrong(errors, _HIDDEN + "mqtt.user", "missing: MQTT allows no password without a user")
    if errors or not settings or not hidden:
        return None, errors
    wifi = settings["wifi"]
    if wifi["hostname"] is None:
        wifi["hostname"] = settings["node"].replace("_", "-").strip("-") or "fieldpost"
    wifi["networks"] = [(one["ssid"], one["password"]) for one in hidden["wifi"]]
    is_on_mains = settings["mode"] == "always_on"
    if settings["led"] is None:
        settings["led"] = is_on_mains
    if settings["mqtt"]["clean"] is None:
        settings["mqtt"]["clean"] = is_on_mains
    if settings["mqtt"]["port"] is None:
        settings["mqtt"]["port"] = 8883 if settings["mqtt"]["tls"] else 1883
    settings["mqtt"]["user"] = hidden["mqtt"]["user"]
    settings["mqtt"]["password"] = hidden["mqtt"]["password"]
    keys_sensors.complete(settings["sensors"])
    return settings, errors


def allowed(row):
    """Return in words what the key of `row` may be, as in 'must be …'."""
    kind = row[1].rstrip("?")
    if kind == "section" or kind == "list":
        text = ", ".join([one[0] for one in row[3]])
    elif kind == "type":
        text = ", ".join(keys_sensors.NAMES)
    elif kind == "one of":
        text = ", ".join(['"' + one + '"' for one in row[3]])
    elif kind == "address":
        text = " or ".join([f'{one} ("0x{one:x}")' for one in row[3]])
    else:
        text = ""
    text = _ALLOWED[kind].format(*row) + text
    return text + ", or null" if _is_nullable(row) else text


def _is_nullable(row):
    return row[2] is None or row[1][-1] == "?"


def _wrong(errors, path, text):
    errors.append(path + ": " + text)


def _join(path, key):
    return path + key if path == "" or path == _HIDDEN else path + "." + key


def _section(rows, found, path, errors) -> "dict | None":
    """Return a dict with all keys of `rows`, None where a value is wrong; None for no dict."""
    if not isinstance(found, dict):
        text = f"found {_shown(found, path)}, must be {allowed((0, 'section', 0, rows))}"
        _wrong(errors, path.strip() or "config.json", text)
        _find_credentials(found, path, errors, 0)
        return None
    names = [row[0] for row in rows]
    for key in found:
        if key not in names:
            _unknown(key, found[key], names, path, errors)
    checked = {}
    for row in rows:
        checked[row[0]] = _value(row, found.get(row[0], ...), _join(path, row[0]), errors)
    return checked


def _value(row, found, path, errors):
    """Return what `row` makes of the value found (`...`: there is none); None if it is wrong."""
    kind, default = row[1].rstrip("?"), row[2]
    if found is ...:
        if default is ...:
            _wrong(errors, path, "missing, must be " + allowed(row))
            return None
        if kind == "section" and default is not None:
            found = {}
        elif kind == "sensors":
            found = [{"type": default}]
        else:
            return default
    if found is None and _is_nullable(row):
        return None
    if kind == "section":
        return _section(row[3], found, path, errors)
    if kind == "list" or kind == "sensors":
        low, high = row[-2:]
        if isinstance(found, list) and low <= len(found) <= high:
            if kind == "sensors":
                return found
            checked = []
            for one in found:
                checked.append(_section(row[3], one, f"{path}[{len(checked)}]", errors))
            return checked
        value = None
    else:
        value = _scalar(kind, row, found)
    if value is None:
        text = f"found {_shown(found, path)}, must be {allowed(row)}"
        if len(row) > 5 and isinstance(row[5], str):
            text += " (" + row[5] + ")"
        near = _nearest(found, keys_sensors.NAMES) if kind == "type" else None
        _wrong(errors, path, f'{text}; did you mean "{near}"?' if near else text)
        _find_credentials(found, path, errors, 0)
    return value


def _sensor(found, path, errors):
    rows = keys_sensors.EVERY
    if isinstance(found, dict):
        kind = found.get("type", ...)
        if not isinstance(kind, str) or kind not in keys_sensors.NAMES:
            # Which keys it may have depends on the type, so nothing more can be said about them.
            _value(rows[0], kind, path + ".type", errors)
            _find_credentials(found, path, errors, 0)
            return None
        rows = rows + keys_sensors.declaration(kind).KEYS
    sensor = _section(rows, found, path, errors)
    if sensor:
        if found.get("name") is None:
            sensor["name"] = sensor["type"]
        prefix = sensor["name"] if sensor["prefix"] is True else sensor["prefix"]
        sensor["prefix"] = prefix + "_" if prefix else "" if prefix is False else None
    return sensor


def _scalar(kind, row, found):
    """Return the value as the firmware wants it, or None if it is not allowed."""
    if kind == "bool" or (kind == "prefix" and isinstance(found, bool)):
        return found if isinstance(found, bool) else None
    if kind == "address" or kind == "any address":
        if isinstance(found, str):
            found = _hexadecimal(found)
        if kind != "address":
            return _number(found, row[3], row[4], True)
        return found if isinstance(found, int) and found in row[3] else None
    if kind == "ids" or kind == "names":
        fit = _are_ids if kind == "ids" else _are_names
        return found if isinstance(found, list) and fit(found) else None
    if _ALLOWED[kind] is _GPIO:
        return _number(found, 0, _MAX_PIN, True)
    if kind == "float" or _ALLOWED[kind] is _WHOLE:
        return _number(found, row[3], row[4], kind != "float")
    if not isinstance(found, str):
        return None
    if kind == "one of":
        return found if found in row[3] else None
    if kind == "type":
        return found if found in keys_sensors.NAMES else None
    return found if _text_fits(kind, row, found) else None


def _number(found, low, high, whole):
    if isinstance(found, bool) or not isinstance(found, (int, float)):
        return None
    if not low <= found <= high:  # nan is neither
        return None
    if not whole:
        return float(found)
    return int(found) if found == int(found) else None


def _hexadecimal(text):
    digits = text[2:].lower()
    if text[:2] != "0x" or not 1 <= len(digits) <= 2 or not _made_of(digits, _HEXADECIMAL):
        return None
    return int(digits, 16)


def _are_ids(found):
    for one in found:
        if not isinstance(one, str) or len(one) != 15 or one[2] != "-":
            return False
        if not _made_of(one[:2] + one[3:], _HEXADECIMAL):
            return False
    return 1 <= len(found) <= 16


def _are_names(found):
    for one in found:
        if not isinstance(one, str) or not _text_fits("field", (0, 0, 0, 1, 48), one):
            return False
    return len(found) <= 16


def _text_fits(kind, row, text):
    for one in text:
        if _is_control(one):
            return False
    size = len(text.encode())
    if kind == "passphrase":
        is_key = size == 64 and _made_of(text.lower(), _HEXADECIMAL)
        return size == 0 or 8 <= size <= 63 or is_key
    if kind == "country":
        return len(text) == 2 and _made_of(text.lower(), _LETTERS) and text == text.upper()
    if kind == "ip":
        return _ip(text) is not None
    low, high = (1, 24) if kind == "prefix" else row[3:5]
    if not low <= size <= high:
        return False
    if kind == "hostname" or kind == "host":
        text = text.lower()
    if kind == "hostname" and text.strip("-") != text:
        return False
    if (kind == "field" or kind == "prefix") and text[0] not in _LETTERS:
        return False
    if kind == "topic":
        return not ("+" in text or "#" in text or text[0] == "$" or text.strip("/") != text)
    return kind not in _CHARACTERS or _made_of(text, _CHARACTERS[kind])


def _made_of(text, characters):
    for one in text:  # noqa: SIM110  `all` of a generator needs three times as much stack
        if one not in characters:
            return False
    return True


def _is_control(one):
    """True for a character that no topic and no terminal should see, half a surrogate pair too."""
    return one < " " or "\x7f" <= one < "\xa0" or 0xD800 <= ord(one) < 0xE000


def _ip(text):
    """Return the IPv4 address as a number, or None if it is none."""
    parts = text.split(".")
    if len(parts) != 4:
        return None
    number = 0
    for part in parts:
        if not 1 <= len(part) <= 3 or not _made_of(part, _DIGITS) or int(part) > 255:
            return None
        number = number << 8 | int(part)
    return number


def _shown(found, path):
    """Return in words what was found; never its value where that may be a secret."""
    if found is None:
        return "null"
    if isinstance(found, dict):
        return "an object"
    if isinstance(found, list):
        return "a list"
    hidden = path.startswith(_HIDDEN)
    if isinstance(found, str):
        if hidden:
            return f"a text of {len(found)} characters"
        if "@" in found:
            return 'a text with "@" (not shown: it may hold a password)'
        return '"' + _clean(found) + '"'
    if hidden:
        return "no text"
    if isinstance(found, bool):
        return "true" if found else "false"
    if isinstance(found, int):
        return str(found) if -1000000000 < found < 1000000000 else "a number beyond all limits"
    if isinstance(found, float):
        return f"{found:g}"
    return "no JSON value"


def _clean(text):
    """Return a short text that a terminal can show."""
    shown = "".join(["?" if _is_control(one) else one for one in text[:40]])
    return shown + "…" if len(text) > 40 else shown


def _unknown(key, found, names, path, errors):
    near = _nearest(key, names)
    if path.startswith(_HIDDEN):
        if not near:
            # Someone may have written {"network": "password"} the wrong way round.
            key = "(a key not shown)"
    elif not near and _nearest(key, _CREDENTIALS):
        _wrong_place(errors, _join(path, _clean(key)))
        return
    below = _join(path, _clean(key) if isinstance(key, str) else "(a key that is no text)")
    text = f'did you mean "{near}"?' if near else "allowed: " + ", ".join(names)
    _wrong(errors, below, "unknown key; " + text)
    _find_credentials(found, below, errors, 0)


def _wrong_place(errors, path):
    text = "belongs in secrets.json (wifi: ssid, password; mqtt: user, password)"
    _wrong(errors, path, text + ", never in config.json")


def _find_credentials(found, path, errors, depth):
    """Add an error for each key below `found` that is a credential's, in config.json alone."""
    if path.startswith(_HIDDEN) or depth > 4:
        return
    if isinstance(found, dict):
        for key in found:
            if isinstance(key, str):
                below = _join(path, _clean(key))
                if key.lower() in _CREDENTIALS:
                    _wrong_place(errors, below)
                else:
                    _find_credentials(found[key], below, errors, depth + 1)
    elif isinstance(found, list):
        for i, one in enumerate(found[:16]):
            _find_credentials(one, f"{path}[{i}]", errors, depth + 1)


def _nearest(found, names):
    """Return the name that was probably meant by `found`, or None."""
    best, least = None, 3
    if isinstance(found, str):
        for name in sorted(names):
            distance = _distance(found.lower(), name)
            if distance < least and 2 * distance <= len(found):
                best, least = name, distance
    return best


def _distance(a, b):
    """Return how many letters to put in, leave out or change to make `b` of `a`; 3 means many."""
    if abs(len(a) - len(b)) > 2:
        return 3
    row = list(range(len(b) + 1))
    for i, one in enumerate(a):
        last, row[0] = row[0], i + 1
        for j, other in enumerate(b):
            cost = last if one == other else 1 + min(last, row[j], row[j + 1])
            last, row[j + 1] = row[j + 1], cost
    return row[-1]
