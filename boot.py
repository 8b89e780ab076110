"""On the board: completes a deployment that was committed, and does nothing else (docs/deploy.md).

Nothing but this has to run before main.py: MicroPython has mounted the file system and opened the
REPL by now. What raises here keeps main.py from running, and leaves the REPL to the owner: so does
a journal that says that more parts of its deployment are to come.
"""


def _complete():
    """Bring every file of the journal to its place; begun anew as often as power fails in it."""
    from os import mkdir, remove, rename, rmdir, stat

    folder = "/.deploy/"

    def is_there(path):
        try:
            stat(path)
            return True
        except OSError as error:
            if error.errno == 2:
                return False
            raise

    def move(name, path):
        try:
            rename(folder + name, path)
            return
        except OSError:
            pass  # Its folder is not made yet, or this is FAT, which does not replace.
        # Made no sooner: even an empty folder would hide the old set's module of its name.
        end = path.find("/", 1)
        while end > 0:
            try:
                mkdir(path[:end])
            except OSError:
                pass  # It exists, or the rename says what is wrong.
            end = path.find("/", end + 1)
        # Should power fail between these two, the journal remains.
        if is_there(path):
            remove(path)
        rename(folder + name, path)

    try:
        # Where power failed in a rename, littlefs (2.11) hides a neighbour of the file, too, until
        # something asks to write: then it first puts itself in order.
        remove(folder + "none")
    except OSError:
        pass  # As ever.
    if not is_there(folder + "commit"):
        return
    with open(folder + "commit") as journal:
        lines = journal.read().split("\n")
    for line in lines[1:-1]:
        name, path = line.split(" ", 1)
        if name != "-":
            # One that is not there has been in its place before.
            if is_there(folder + name):
                move(name, path)
        else:
            if path[-1] != "/" and is_there(path):
                remove(path)
            try:
                # A package that is now a module: even empty, its folder would be found first.
                path = path.rsplit("/", 1)[0]
                while path:
                    rmdir(path)
                    path = path.rsplit("/", 1)[0]
            except OSError:
                pass  # It holds more than that, or has gone before.
    if lines[0].endswith(" unfinished"):
        raise RuntimeError(
            "some of the firmware is replaced, some is not yet, so nothing was started: "
            "repeat `fieldpost deploy`"
        )
    move("commit", folder + "installed")


_complete()
del _complete
