"""Where commands come in. What does them is loaded when the first one has come."""

from micropython import const

from firmware import files as _files

_QUEUE_MAX = const(8)
_BYTES_MAX = const(512)


class Inbox:
    """Takes messages on `topic` in while the session is polled; one is done per `step`.

    trial: of a changed setting (firmware/config/change.py), whose verdict is to be told, or None.
    restart(): of the board, in order. `queue`: (payload, retained) of what waits; the payload is
    None if it was oversized. `overflow`: how many more have come than may wait.
    """

    def __init__(self, topic, trial, files, restart, log):
        self.topic = topic
        self.queue = []
        self.overflow = 0
        self._trial = trial
        self._make = files, restart, log
        self._commands = None
        self._owes = _files.read(_files.OWED, files) is not None

    def receive(self, topic, payload, retained):
        """Called by the session, for every message."""
        if topic == self.topic:
            if len(self.queue) < _QUEUE_MAX:
                # An oversized text is not kept: what is left is enough to refuse it.
                self.queue.append((payload if len(payload) <= _BYTES_MAX else None, retained))
            else:
                self.overflow += 1

    def step(self, node):
        """Do one command; True if there is more to do at once."""
        if self.is_idle():
            return False
        return self._load(node).step()

    def restart(self):
        """A new connection begins."""
        if self._commands:
            self._commands.tell_again()

    def keep(self, node):
        """The node is about to restart."""
        if self._commands or self.queue:
            self._load(node).keep()

    def leave(self, node):
        """The node is about to sleep."""
        if self._commands or self.queue:
            self._load(node).leave()

    def is_idle(self):
        """Nothing to do and nothing to tell."""
        trial = self._trial
        if self.queue or (trial and trial.verdict):
            return False
        return self._commands.is_idle() if self._commands else not self._owes

    def _load(self, node):
        if self._commands is None:
            from firmware.remote import commands

            self._commands = commands.make(node, self, self._trial, *self._make)
        return self._commands
