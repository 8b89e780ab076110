"""The check of the settings on the board, where nobody has checked these files before.

The host tools use `kept` as well: what they have checked, the board takes as checked.
"""

import gc
import json
import sys

from firmware import files
from firmware.config.load import CHECKED, mark

_SCHEMA = ("firmware.config.check", "firmware.config.keys", "firmware.sensor_types")
MISSING = "there is no such file on this board"


def check_and_keep():
    """(settings, errors) of config.json and secrets.json; errors is a list of texts."""
    config = files.read(files.CONFIG, None, True)
    secrets = files.read(files.SECRETS, None, True)
    checked = check_settings(_parsed(config, files.CONFIG), _parsed(secrets, files.SECRETS))
    if not checked[1]:
        try:
            files.write_atomic(CHECKED, kept(checked[0], config, secrets))
        except OSError:
            pass  # Without it the next start checks again.
    return checked


def kept(settings, config, secrets):
    """Bytes of `config.checked` for settings that passed the check; no credential is in them."""
    bare = dict(settings)
    for section, names in (("wifi", ("networks",)), ("mqtt", ("user", "password"))):
        bare[section] = {k: v for k, v in settings[section].items() if k not in names}
    return json.dumps({"mark": mark(config, secrets), "settings": bare}).encode()


def check_settings(config, secrets=None):
    """The same for a config.json that is at hand, as a dict, with the secrets of this board.

    In place of either, a text that tells what is wrong with the file.
    """
    if secrets is None:
        secrets = _parsed(files.read(files.SECRETS), files.SECRETS)
    errors = [found for found in (config, secrets) if isinstance(found, str)]
    if errors:
        return None, errors
    from firmware.config.check import check

    settings, errors = check(config, secrets)
    # The schema is seldom needed, and the node needs its memory.
    for path in list(sys.modules):
        if any(path.startswith(one) for one in _SCHEMA):
            del sys.modules[path]
            package, _, name = path.rpartition(".")
            package = sys.modules.get(package)
            if hasattr(package, name):
                delattr(package, name)
    gc.collect()
    if settings and settings["mqtt"]["tls"]:
        from firmware.net import tls

        errors = tls.check_files(settings["mqtt"]["tls"])
    return settings, errors


def _parsed(data, path):
    """What the bytes of a file say, or a text that tells what is wrong with it."""
    if data is None:
        return "%s: %s" % (path, MISSING)
    try:
        return json.loads(data)
    except (ValueError, RuntimeError):  # the second: nested deeper than the interpreter goes
        return "%s: is not JSON (fieldpost config check shows where)" % path
