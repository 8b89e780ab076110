"""Changes of config.json while the node runs: stored whole, and taken back if they strand it.

A change that needs a restart is on trial: beside the new config.json lies `trial.json` with the
old one, until the node has connected with the new. If it has not within five minutes (one that
sleeps: nor in three wakes), the old one comes back, and the node restarts and tells. Every step is
one atomic write, so a power cut leaves the old settings, a trial, or the new ones.
"""

import json

from firmware import files as _files

# Not of `const`, which the host has not: the tools use this module, too.
_AGAIN_MS = 60000
# What decides where the node's login goes, and how well it is guarded on the way.
_LOGIN_GOES = ("mqtt.host", "mqtt.port", "mqtt.tls", "ntp.host", "wifi.static")


def copied(config):
    """A copy of the dict `config` that shares nothing with it."""
    return json.loads(json.dumps(config))


def put(config, key, *value):
    """Set `key` ("mqtt.keepalive_s", "sensors.0.pin") of the dict `config` to the value given.

    Without one the key is taken out; an item of a list goes with all that are behind it, so that
    nothing else is hit when it is said twice. An item may be new behind the last one.
    ValueError if the path leads nowhere. Checking the value is the schema's part.
    """
    *path, last = key.split(".")
    at = config
    try:
        for part in path:
            at = at[int(part)] if isinstance(at, list) else at.setdefault(part, {})
        if isinstance(at, list):
            last = int(last)
            if value and last == len(at):
                at.append(value[0])
                return
            if not value:
                if 0 <= last < len(at):
                    del at[last:]
                return
        if value:
            at[last] = value[0]
        elif last in at:
            del at[last]
    except (ValueError, IndexError, TypeError, AttributeError):
        raise ValueError("no such key: %s" % key)


def value_of(settings, key):
    """The value at `key` in the settings in force; ValueError if there is none."""
    at = settings
    for part in key.split("."):
        try:
            at = at[int(part)] if isinstance(at, list) else at[part]
        except (KeyError, ValueError, IndexError, TypeError):
            raise ValueError("no such key: %s" % key)
    return at


def guard(before, config):
    """ValueError for a change that only somebody with the board at hand may make.

    Whoever may write to `…/cmd` is no more than that: a command that names another broker would
    have the password sent there, and one that names another time server an expired certificate
    believed. before, config: config.json as dicts, both without errors.
    """
    if config.get("commands") != before.get("commands"):
        raise ValueError("commands is set with the board at hand")
    if before.get("commands") == "all":
        return
    for key in _LOGIN_GOES:
        section, name = key.split(".")
        if (before.get(section) or {}).get(name) != (config.get(section) or {}).get(name):
            raise ValueError(
                "%s decides where the login goes: it is set with the board at hand, or by command "
                'where its config.json has "commands": "all"' % key
            )


def store(config, key, command_id, on_trial, files=_files):
    """Write `config` as config.json, on trial or for good.

    OSError if flash refuses: then nothing is changed.
    """
    if on_trial:
        old = _files.read(_files.CONFIG, files, True)
        note = {"id": command_id, "key": key, "old": old.decode()}
        _files.write_atomic(_files.TRIAL, json.dumps(note).encode(), files)
    try:
        _files.write_atomic(_files.CONFIG, json.dumps(config).encode(), files)
    except OSError:
        if on_trial:
            # Left here, it would be taken for the trial of the next change.
            _remove_trial(files)
        raise


def _remove_trial(files):
    try:
        files.remove(_files.TRIAL)
    except OSError:
        pass  # There was none.


class Trial:
    """What a start finds of a change: `is_open` (running on it), or `verdict` to be told, or none.

    verdict: {"id", "key", "ok", "error"?} for the command that asked for the change.
    """

    LIMIT_MS = 300000
    # Of a node that sleeps: wakes that must have come to nothing, too, and what each may last.
    wakes = 3
    awake_s = 0

    def __init__(self, files=_files):
        self._files = files
        self.is_open = False
        self.verdict = None
        self._again_ms = 0
        try:
            self._note = json.loads(_files.read(_files.TRIAL, files) or b"null")
        except ValueError:
            self._note = None
        if not self._note:
            return
        if "old" not in self._note:
            self.verdict = self._note
        elif self._note["old"].encode() == (_files.read(_files.CONFIG, files) or b""):
            self.close()  # The power failed before the new one was in place.
        else:
            self.is_open = True

    def step(self, node):
        """While open: True once the old settings are back and the node must restart."""
        link, uptime_ms = node.link, node.clock.uptime_ms()
        if uptime_ms < self._again_ms:
            return False
        try:
            if link.is_up:
                self.passed()
            elif uptime_ms >= self.LIMIT_MS:
                self.failed(link.failure or "no answer")
                return True
        except OSError:
            # Flash refuses. On trial it stays, as it is on flash.
            self._again_ms = uptime_ms + _AGAIN_MS
        return False

    def passed(self):
        """The node is connected on the new settings."""
        self._judged({"id": self._note["id"], "key": self._note["key"], "ok": True})

    def failed(self, why):
        """Bring the old settings back. The caller restarts."""
        _files.write_atomic(_files.CONFIG, self._note["old"].encode(), self._files)
        error = "not connected with it (%s): the setting before is back" % why
        self._judged(
            {"id": self._note["id"], "key": self._note["key"], "ok": False, "error": error}
        )

    def _judged(self, verdict):
        # After a power cut the verdict is told twice, rather than not at all.
        _files.write_atomic(_files.TRIAL, json.dumps(verdict).encode(), self._files)
        self.is_open = False
        self.verdict = verdict

    def close(self):
        """The verdict has been delivered."""
        self.verdict = None
        _remove_trial(self._files)
