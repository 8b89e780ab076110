"""How an update ends for a node: judged, withdrawn, or with the start that tries it."""

from micropython import const

from firmware import files as _files
from firmware.update.record import FOLDER, OFFER

_DONE_MAX = const(8)
# Hex digits of a SHA-256 that name what is staged there.
_NAME_LENGTH = const(16)


def judge(record, name, state, about, error=None, is_genuine=True):
    """Note in `record` what became of the offer with the mark `name`; about: of it, to be told."""
    if is_genuine:
        done = [one for one in record.get("done", ()) if one != name]
        record["done"] = done[1 - _DONE_MAX :] + [name]
    else:
        # Whoever may publish could have as many of these as would push the others out.
        record["unsigned"] = name
    record["last"] = last = {"state": state, "offer": about}
    if error:
        last["error"] = error
    record["told"] = False


def failed(door, name, about, why):
    """It was fetched, and is no good."""
    judge(door.record, name, "failed", about, why)
    door.save()
    clear(door.files)


def withdrawn(door, target, why):
    """Nobody wants it to be fetched any more."""
    door.log("update: not fetched: " + why)
    target.drop()
    clear(door.files)
    door.record["taken"] = None
    door.record["last"] = {"state": "idle"}
    door.record["told"] = False
    door.save()


def tried(door, node, target, name, about):
    """The next start tries it: note what that has to know, tell of it, and restart."""
    note = {"mark": name, "offer": about, "starts": 0}
    for key in ("version", "counter"):
        note[key] = about[key]
    target.switch(note)
    door.log("update: %s is tried from the next start on" % about["version"])
    from firmware.update import report

    report.publish(door, {"state": "trial", "offer": about})
    # Starts of this firmware that came to nothing say nothing of the next: it is to take readings,
    # and not to begin in safe mode.
    node.identity.expect(0)
    node.restart()


def clear(files, but=None):
    """Remove what was staged, but for the file of that name; without one, the offer with it."""
    if not but:
        _files.discard(OFFER, files)
    try:
        names = files.listdir(FOLDER[:-1])
    except OSError:
        return
    for name in names:
        if len(name) == _NAME_LENGTH and name != but:
            _files.discard(FOLDER + name, files)
