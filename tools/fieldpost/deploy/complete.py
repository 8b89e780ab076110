"""Runs on the board: brings every file of a committed journal to its place (docs/deploy.md).

Sent along with the journal, as /.deploy/complete.py; boot.py runs it, as often as power fails in
it.
"""


def _complete():
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
                # Even empty, a folder of a module's name would be found first.
                path = path.rsplit("/", 1)[0]
                while path:
                    rmdir(path)
                    path = path.rsplit("/", 1)[0]
            except OSError:
                pass  # It holds more than that, or has gone before.
    if lines[0].endswith(" unfinished"):
        return  # More is to come: boot.py starts nothing for as long as there is this journal.
    move("commit", folder + "installed")
    remove(folder + "complete.py")


_complete()
