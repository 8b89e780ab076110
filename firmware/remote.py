"""Puts commands on a node: what they may do to the board, and a changed setting's trial."""

import json

from firmware import files as _files
from firmware import safe
from firmware.commands import Commands
from firmware.settings import CONFIG, Trial


class Actions:
    """What commands ask for beyond the node itself. See `Commands`."""

    def __init__(self, node, files, restart, check):
        self._node = node
        self._check = check
        self._files = files
        self.restart = restart

    def load_config(self):
        """config.json as a dict, as it stands on the board."""
        return json.loads(_files.read(CONFIG, self._files))

    def check(self, config):
        """Errors of a changed config.json, by the same schema as at the start."""
        return self._check(config)[1]

    def identify(self, duration_s):
        """Blink."""
        if self._node.signals is None:
            raise ValueError("no LED in use on this node")
        self._node.signals.identify(duration_s)

    def safe_mode(self, on):
        """Restart into safe mode, or out of it."""
        self._node.identity.expect(safe.FAILED_STARTS if on else 0)
        self.restart()


def attach(node, topic, files, restart, check, log):
    """Let `node` take commands on `topic`. check(config) -> (settings, errors)."""
    trial = Trial(files)
    actions = Actions(node, files, restart, check)
    node.commands = Commands(node, topic, actions, trial, log, files)
    node.trial = trial

    def receive(topic, payload, retained):
        node.commands.receive(topic, payload, retained)
        if node.discovery:
            node.discovery.receive(topic, payload, retained)

    node.link.session.on_message = receive
