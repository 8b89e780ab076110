"""The one way for a command to fail on purpose."""


class CommandError(Exception):
    """A command cannot do what was asked. Its text tells the user why, and what to do next.

    code: for scripts, which do not read texts; each class of errors has its own
    (fieldpost/result.py lists them).
    """

    code = "failed"
