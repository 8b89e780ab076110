"""The node's settings, from config.json and secrets.json: checked once, then taken as checked."""

import gc
import json
import sys
from binascii import crc32

from firmware import VERSION, files

MISSING = "there is no such file on this board"
_CHECKED = "config.checked"


def load_settings():
    """(settings, errors) of config.json and secrets.json; errors is a list of texts.

    What passed the check is kept, without credentials, for as long as neither file changes: a
    wake from deep sleep then costs neither the schema's time nor its memory.
    """
    mark = _mark()
    kept = _read_json(_CHECKED)
    if isinstance(kept, dict) and mark is not None and kept.get("mark") == mark:
        settings = kept["settings"]
        _fill_in(settings, _read_json("secrets.json"))
        return settings, []
    config = _read_json("config.json")
    settings, errors = check_settings(config)
    if not errors:
        _keep(settings, mark)
    return settings, errors


def _mark():
    """What tells this firmware with these two files from any other; None if one is missing."""
    config, secrets = files.read("config.json"), files.read("secrets.json")
    if config is None or secrets is None:
        return None
    return "%s %08x %08x" % (VERSION, crc32(config), crc32(secrets))


def _fill_in(settings, secrets):
    """Credentials that passed the check, where `firmware.config.check` puts them."""
    login = secrets.get("mqtt") or {}
    settings["wifi"]["networks"] = [(one["ssid"], one["password"]) for one in secrets["wifi"]]
    settings["mqtt"]["user"] = login.get("user")
    settings["mqtt"]["password"] = login.get("password")


def _keep(settings, mark):
    bare = dict(settings)
    for section, names in (("wifi", ("networks",)), ("mqtt", ("user", "password"))):
        bare[section] = {k: v for k, v in settings[section].items() if k not in names}
    try:
        files.write_atomic(_CHECKED, json.dumps({"mark": mark, "settings": bare}).encode())
    except OSError:
        pass  # Without it the next start checks again.


def check_settings(config, secrets=None):
    """The same for a config.json that is at hand, as a dict, with the secrets of this board."""
    if secrets is None:
        secrets = _read_json("secrets.json")
    errors = [found for found in (config, secrets) if isinstance(found, str)]
    if errors:
        return None, errors
    from firmware.config import check

    checked = check(config, secrets)
    # The schema is needed once in a while: its memory is the node's.
    for path in list(sys.modules):
        package, _, name = path.partition(".")
        if package == "firmware" and name[:6] in ("config", "schema"):
            del sys.modules[path]
            if hasattr(sys.modules[package], name):
                delattr(sys.modules[package], name)
    gc.collect()
    settings, errors = checked
    if settings and settings["mqtt"]["tls"]:
        from firmware import tls

        errors = tls.check_files(settings["mqtt"]["tls"])
    return settings, errors


def _read_json(path):
    data = files.read(path)
    if data is None:
        return "%s: %s" % (path, MISSING)
    try:
        return json.loads(data)
    except ValueError:
        return "%s: is not JSON (fieldpost config check shows where)" % path
