"""What a start finds of updates: a trial that is over, or a pack that nobody was told of."""

from hashlib import sha256

from firmware import VERSION
from firmware import files as _files
from firmware.update import place
from firmware.update.record import FAILED, FOLDER, TRIAL, read
from firmware.update.verdict import clear, judge


def see_to(door):
    """In steps. door: firmware/update/doorway.py."""
    if FAILED in door.left or TRIAL in door.left:
        yield from _end_trial(door)
    if door.record.get("head") != door.head:
        yield from _identify(door)


def _end_trial(door):
    """What is left of a trial, for the firmware that runs now."""
    record = door.record
    note = read(TRIAL, door.files)
    name = note.get("sha") or "none"
    if TRIAL in door.left and not _files.exists(FOLDER + name, door.files):
        # Its pack is in its place: proven, and then power failed. Or the cable took it away.
        found = yield from _sha(door)
        if found == name:
            from firmware.update.trial import proven

            proven(door, note)
        _files.discard(TRIAL, door.files)
        return
    if FAILED in door.left:
        note = read(FAILED, door.files)
    why = note.get("why")
    if not why:
        starts = note.get("starts", "its")
        why = "%s start%s came to nothing" % (starts, "" if starts == 1 else "s")
        if door.crash:
            why += ": " + door.crash
    judge(record, note.get("mark", ""), "back", note.get("offer", {}), why)
    door.save()
    door.log("update: the firmware before is back: " + why)
    clear(door.files)
    _files.discard(TRIAL, door.files)
    _files.discard(FAILED, door.files)


def _identify(door):
    """Another pack, or other keys, than those that were told of: the cable brought them."""
    record = door.record
    found = yield from _sha(door)
    if found != record.get("sha") or "version" not in record:
        record["sha"], record["version"], record["runs"] = found, VERSION, None
        record["last"] = {"state": "idle"}
    record["told"] = False
    record["head"] = door.head
    door.save()


def _sha(door):
    """16 hex digits of the running pack's SHA-256, in steps; None without one."""
    path = place.running_pack()
    digest, block = sha256(), bytearray(1024)
    try:
        with door.files.open(path, "rb") as file:
            count = 1
            while count:
                for _ in range(4):
                    count = file.readinto(block)
                    digest.update(memoryview(block)[:count])
                yield True
    except (OSError, TypeError):
        return None
    return digest.digest()[:8].hex()
