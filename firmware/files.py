"""The board's file system, as the outbox and the node's other records see it.

A module rather than `os` itself, so that a test can hand in a flash on which power fails.
"""

from builtins import open as open
from errno import ENOENT
from os import listdir as listdir
from os import mkdir as mkdir
from os import remove, rename
from os import stat as stat
from os import statvfs as statvfs

# What a person wrote; beside it the old settings while a change is on trial (config/change.py),
# or those that the page has left (portal/first_connection.py).
CONFIG = "config.json"
SECRETS = "secrets.json"
TRIAL = "trial.json"
SETUP = "setup.json"
# Counts that outlast a restart: firmware/readings/boot_count.py and loss_counts.py.
BOOT_COUNT = "boot.count"
LOSSES = "lost.count"
# The last failure that nothing else caught, and how many there were in a row (firmware/crash.py).
CRASH = "crash.txt"
CRASHES = "crash.count"
# What a restart or a sleep must keep of commands (firmware/remote/commands.py).
OWED = "commands.owed"
# Who may sign updates (firmware/update/): written with the board at hand.
UPDATE_KEYS = "update.keys"


def exists(path, files=None):
    """Whether there is such a file."""
    try:
        (files.stat if files else stat)(path)
        return True
    except OSError:
        return False


def read(path, files=None, strict=False):
    """The bytes of a file, or None if there is none or flash does not give them.

    strict: OSError in the second case, for whom it makes a difference.
    """
    try:
        with (files.open if files else open)(path, "rb") as file:
            return file.read()
    except OSError as error:
        if strict and error.args[0] != ENOENT:
            raise
        return None


def discard(path, files=None):
    """Remove a file, if there is one."""
    try:
        (files.remove if files else remove)(path)
    except OSError:
        pass  # There was none, or flash refuses: nobody here can mend that.


def write_atomic(path, data, files=None):
    """Replace a file's bytes: after a power cut it holds the old ones or the new ones, whole.

    littlefs commits a rename in one step (its DESIGN.md, 'Metadata pairs').
    """
    temporary = path + ".new"
    with (files.open if files else open)(temporary, "wb") as file:
        file.write(data)
    (files.rename if files else rename)(temporary, path)
