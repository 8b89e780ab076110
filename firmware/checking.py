"""The check of the settings on the board, for when nobody has checked these files before.

The host tools use `kept` as well: what they have checked, the board takes as checked.
"""

import gc
import json
import sys

from firmware import files
from firmware.loading import CHECKED, mark

MISSING = "there is no such file on this board"


def check_and_keep(config, secrets):
    """(settings, errors) of the bytes of config.json and secrets.json; None: there is no file."""
    checked = _check(_parsed(config, "config.json"), _parsed(secrets, "secrets.json"))
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
    """The same for a config.json that is at hand, as a dict, with the secrets of this board."""
    if secrets is None:
        secrets = _parsed(files.read("secrets.json"), "secrets.json")
    return _check(config, secrets)


def _check(config, secrets):
    errors = [found for found in (config, secrets) if isinstance(found, str)]
    if errors:
        return None, errors
    from firmware.config import check

    settings, errors = check(config, secrets)
    # The schema is needed once in a while: its memory is the node's.
    for path in list(sys.modules):
        package, _, name = path.partition(".")
        if package == "firmware" and name[:6] in ("config", "schema"):
            del sys.modules[path]
            if hasattr(sys.modules[package], name):
                delattr(sys.modules[package], name)
    gc.collect()
    if settings and settings["mqtt"]["tls"]:
        from firmware import tls

        errors = tls.check_files(settings["mqtt"]["tls"])
    return settings, errors


def _parsed(data, path):
    """What the bytes of a file say, or a text that tells what is wrong with it."""
    if data is None:
        return "%s: %s" % (path, MISSING)
    try:
        return json.loads(data)
    except ValueError:
        return "%s: is not JSON (fieldpost config check shows where)" % path


def refuse(board, clock, log, errors):
    """Start nothing on a bad configuration, but say so, over and over, and blink."""
    from firmware.signals import Signals

    signals = Signals(board.led, clock)
    while True:
        for error in errors:
            log("configuration: %s" % error)
        log("configuration: %d errors, nothing started; Ctrl-C for the REPL" % len(errors))
        try:
            for _ in range(90):
                clock.sleep_ms(signals.step("configuration"))
        except KeyboardInterrupt:
            signals.step(None)
            return
