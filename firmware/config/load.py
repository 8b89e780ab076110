"""The node's settings as they passed the check: kept in `config.checked`, without credentials."""

import json
from binascii import crc32

from firmware import VERSION, files

CHECKED = "config.checked"


def load_checked():
    """The settings of config.json and secrets.json; None if this firmware has yet to check them.

    What passed the check, here or on the host, is kept for as long as neither file changes: a
    start then costs neither the schema's time nor its memory. OSError if flash does not give a
    file that is there.
    """
    # A flash that fails once must not look like a board without settings: this start fails.
    config = files.read(files.CONFIG, None, True)
    secrets = files.read(files.SECRETS, None, True)
    if config and secrets:
        try:
            kept = json.loads(files.read(CHECKED) or b"0")
            if kept and kept["mark"] == mark(config, secrets):
                settings = kept["settings"]
                # Credentials, where `firmware.config.check` puts them.
                given = json.loads(secrets)
                login = given.get("mqtt") or {}
                networks = [(one["ssid"], one["password"]) for one in given["wifi"]]
                settings["wifi"]["networks"] = networks
                settings["mqtt"]["user"] = login.get("user")
                settings["mqtt"]["password"] = login.get("password")
                return settings
        except (ValueError, TypeError, KeyError):
            pass  # Spoilt: checked anew.
    return None


def mark(config, secrets):
    """A text that changes with the firmware's version and with each byte of the two files."""
    return "%s %08x %08x" % (VERSION, crc32(config), crc32(secrets))
