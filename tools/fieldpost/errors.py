"""The one way for a command to fail on purpose."""


class CommandError(Exception):
    """A command cannot do what was asked. Its text tells the user why, and what to do next."""
