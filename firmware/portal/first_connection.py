"""Settings that the page has left: stored both or none, and tried once.

`setup.json` is their way through a restart. It holds both files until they are in place, so that
a power cut leaves the old ones or the new ones; then that they have yet to connect; then why they
could not, for the page to say. Every step is one atomic write.
"""

import json

from micropython import const

from firmware import files as _files

PATH = _files.SETUP
_LIMIT_MS = const(180000)
# A broker may be away for a moment; a network that refuses, or a login, is not.
_FAILURES_MAX = const(3)


def store(config, secrets, title, files=_files):
    """Put both files in place; OSError, and none of it, if the flash does not take them.

    title: of the access point, for it to open under the same name should they not work.
    """
    both = {"config": config, "secrets": secrets, "title": title}
    try:
        _write(both, files)
    except OSError:
        forget(PATH + ".new", files)
        raise
    _complete(both, files)


def _write(state, files):
    _files.write_atomic(PATH, json.dumps(state).encode(), files)


def _complete(both, files):
    # A change by command that was on trial would bring the settings before it back.
    forget(_files.TRIAL, files)
    for path, name in ((_files.SECRETS, "secrets"), (_files.CONFIG, "config")):
        _files.write_atomic(path, json.dumps(both[name]).encode(), files)
    _write({"title": both["title"]}, files)


def forget(path=PATH, files=_files):
    """Remove a file, if there is one."""
    try:
        files.remove(path)
    except OSError:
        pass  # There is none.


class Pending:
    """What a start finds. `why`: how the connection failed, if it did, for the page of the access
    point `title`. Else it is a trial, as firmware/config/change.py has one.
    """

    verdict = None  # There is no command that waits for one.
    wakes = 0  # A person waits for the page: what fails in the first wake is told.
    awake_s = 60  # A short wake would end before the network has refused.

    def __init__(self, files=_files):
        self._files = files
        self.why = None
        try:
            found = json.loads(_files.read(PATH, files) or b"{}")
        except ValueError:
            found = None
        if not isinstance(found, dict):
            found = {}
        self.title = found.get("title")
        if "secrets" in found:
            try:
                _complete(found, files)
            except OSError as error:
                self.why = "the settings could not be stored (%s): try again" % error
        elif "why" in found:
            self.why = found["why"]
        elif not found:
            self.close()
        self.is_open = bool(found) and not self.why

    def close(self):
        """It is known how it ended."""
        self.is_open = False
        forget(PATH, self._files)

    def step(self, node):
        """Watch the first connection; True once it has failed, and the node must restart."""
        link = node.link
        if link.is_up:
            self.close()
        elif (
            link.refused
            or link.station.failure
            or link.failures >= _FAILURES_MAX
            or node.clock.uptime_ms() >= _LIMIT_MS
        ):
            self.is_open = False
            where = "the network" if link.station.failure else "the broker"
            text = "Could not connect to %s: %s" % (where, link.failure or "no answer")
            try:
                _write({"title": self.title, "why": text}, self._files)
            except OSError:
                return False  # It could not be told: the node goes on trying.
            # It was no failed start: several typing errors must not end in safe mode.
            node.identity.proven()
            return True
        return False
