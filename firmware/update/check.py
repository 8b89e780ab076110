"""Which offers a node takes: signed, newer than what it runs or ran, and made for this board."""

from micropython import const

from firmware.update.offer import about, manifest_of, parts
from firmware.update.record import FOLDER, OFFER, counter_of, mark
from firmware.update.report import board_of
from firmware.update.verdict import clear, judge

_FORMAT = const(1)
_UNSIGNED = "none of this node's keys signed it"


def take(door, offer, fetched, is_genuine, least):
    """Whether an offer is to be fetched. Its refusal is noted, to be told.

    door: firmware/update/doorway.py. fetched: the target of another offer's fetch, or None; it
    begins again if there may be room for the new one without it.
    is_genuine, least: of firmware/update/signature.py.
    """
    record, files = door.record, door.files
    manifest, told, why = check(offer, record, door.board, is_genuine, least)
    if not why and told["sha"] == record.get("sha"):
        # It came by cable meanwhile.
        record["counter"] = record["runs"] = manifest["counter"]
        judge(record, mark(offer), "done", told)
        door.save()
        return False
    try:
        if not why:
            target = door.target(manifest)
            if fetched and fetched.name != target.name:
                fetched.drop()
            clear(files, target.name)
            why = target.obstacle(door.settings["outbox"]["flash_kib"])
        if not why:
            try:
                files.mkdir(FOLDER[:-1])
            except OSError:
                pass  # It is there, or the next step says what is wrong.
            with files.open(OFFER, "wb") as file:
                file.write(offer)
            record["taken"] = mark(offer)
            record["silent"] = 0
            door.save(True)
    except OSError as error:
        why = "flash refuses (%s)" % error
    if why:
        judge(record, mark(offer), "refused", told, why, why != _UNSIGNED)
        door.save()
        door.log("update: refused: " + why)
    return not why


def check(offer, record, board, is_genuine, least):
    """(manifest, what is told of it, why it is refused or None). Nothing is asked for before this.

    record: of this node, with the counters of what it ran. board: the one that it is for.
    """
    told, why = {}, None if is_genuine else _UNSIGNED
    try:
        # What nobody has signed is read for the report alone.
        attempt, _, text = parts(offer)
        manifest = manifest_of(text)
        told = about(manifest, attempt)
        counter = max(record.get(counter_of(manifest.get("kind")), 0), least)
        return manifest, told, why or reason(manifest, counter, board_of(board))
    except ValueError as error:
        return None, told, why or str(error)


def reason(manifest, counter, board):
    """Why this board does not take the release, in words; None if it does, if there is room.

    counter: the release's must be above it. board: `platform`, `chip`, `mpy`, `micropython`, as
    they are told.
    """
    kind, platform = manifest.get("kind"), manifest.get("platform")
    if manifest.get("format") != _FORMAT:
        return "format %s is not known here" % manifest.get("format")
    if kind not in ("pack", "image"):
        return "updates of the kind %s are not known here" % kind
    name = "chip" if kind == "image" else "platform"
    if platform != board["platform"] or manifest.get(name) != board[name]:
        return "it is for %s, and this board is %s" % (manifest.get(name), board[name])
    if manifest["counter"] <= counter:
        return "its counter is %d, and it must be above %d" % (manifest["counter"], counter)
    if kind == "image":
        return None
    if manifest.get("mpy") != board["mpy"]:
        return "its bytecode has version %s, this board takes %s" % (
            manifest.get("mpy"),
            board["mpy"],
        )
    least = manifest.get("least")
    if not isinstance(least, list) or not all(isinstance(one, int) for one in least):
        return "it does not say which MicroPython it needs"
    if list(board["micropython"])[: len(least)] < least:
        return "it needs MicroPython %s" % ".".join([str(one) for one in least])
    return None
