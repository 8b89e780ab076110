"""On the board: completes a deployment that was committed, and finds the firmware's one file.

MicroPython has mounted the file system and opened the REPL by now. What raises here keeps main.py
from running, and leaves the REPL to the owner: so does a deployment of which more is to come.
See docs/deploy.md. Its names are words that a node has in its heap anyway.
"""


def boot():
    # By this name it is not looked for on flash first.
    from uos import remove, stat

    def find(path):
        try:
            stat(path)
            return True
        except OSError as error:
            if error.errno == 2:
                return False
            raise

    try:
        # Where power failed in a rename, littlefs (2.11) hides a neighbour of the file, too, until
        # something asks to write: then it first puts itself in order.
        remove("/.deploy/none")
    except OSError:
        pass  # As ever.
    if find("/.deploy/commit"):
        # Begun anew as often as power fails in it.
        with open("/.deploy/complete.py") as file:
            exec(file.read(), {})
        if find("/.deploy/commit"):
            raise RuntimeError(
                "some of the firmware is replaced, some is not yet, so nothing was started: "
                "repeat `fieldpost deploy`"
            )
    pack = "/firmware.pack", "/.pack"
    if find("/.deploy/trial"):
        # An update has yet to prove itself.
        import pack_trial

        pack = pack_trial.choose()
    try:
        import module_pack
    except ImportError:
        return  # The firmware is a tree of files, or frozen into the image.
    try:
        module_pack.mount(*pack)
    except OSError as error:
        if error.errno != 2:
            raise
    # Its heap is the node's.
    del module_pack.mount


boot()
del boot
