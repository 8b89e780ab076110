"""Where commands come in. What does them is loaded when the first one has come."""

from micropython import const

from firmware import files as _files

_TRIAL = "trial.json"
_WAITING_MAX = const(8)


class Inbox:
    """Takes messages on `topic` in while the session is polled, and does one per `step`.

    make() -> Commands (firmware/remote/commands.py). A message more than may wait is told as too
    many.
    """

    def __init__(self, topic, make):
        self.topic = topic
        self._make = make
        self._commands = None
        self._waiting = []

    def receive(self, topic, payload, retained):
        """Called by the session, for every message."""
        if topic == self.topic and len(self._waiting) <= _WAITING_MAX:
            self._waiting.append((payload, retained))

    def step(self):
        """Do one command; True if there is more to do at once."""
        if self._commands is None:
            if not self._waiting:
                return False
            self._commands = self._make()
        while self._waiting:
            payload, retained = self._waiting.pop(0)
            self._commands.receive(self.topic, payload, retained)
        return self._commands.step()

    def restart(self):
        """A new connection begins."""
        if self._commands:
            self._commands.tell_again()

    def leave(self):
        """The node is about to sleep."""
        if self._commands:
            self._commands.leave()

    def is_idle(self):
        """Nothing to do and nothing to tell."""
        return not self._waiting and (self._commands is None or self._commands.is_idle())


def attach(node, topic, files, restart, log):
    """Let `node` take commands on `topic`."""

    def make():
        from firmware.remote import commands

        return commands.make(node, topic, files, restart, log)

    node.commands = Inbox(topic, make)
    if _files.read(_TRIAL, files):
        # A changed setting has to prove itself, or its verdict to be told.
        node.commands._commands = make()

    def receive(topic, payload, retained):
        node.commands.receive(topic, payload, retained)
        if node.discovery:
            node.discovery.receive(topic, payload, retained)

    node.link.session.on_message = receive
