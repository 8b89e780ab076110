"""Sees one update after the other through: check, fetch, read back, switch; and tells of it.

Loaded for as long as there is something to do. What it does comes in steps, so that readings,
commands and the watchdog have their turn; whatever breaks it off, it goes on from what is on
flash.
"""

from micropython import const

from firmware import files as _files
from firmware.update import place
from firmware.update.record import OFFER, is_known, mark

# What a node that sleeps stays awake at least, once it fetches.
_AWAKE_MS = const(30000)
_SILENT_MAX = const(3)
# A node that is always on asks again: after a minute, then after twice as long, to an hour.
_AGAIN_MS = const(60000)
_AGAIN_MAX_MS = const(3600000)
# Progress is told at each tenth, or after so long.
_TELL_MS = const(10000)
# How soon the node looks here again while no message wakes it.
_LOOK_MS = const(1000)


class Agent:
    """door: firmware/update/doorway.py. `step`: True if there is more to do at once; None: it is
    over, and another may begin."""

    def __init__(self, door, node):
        self._door = door
        self._node = node
        self._fetch = self._target = None
        self._next = None  # an offer that was taken while another was being fetched
        self._mark = self._about = None
        self._told = 0, 0  # uptime, and bytes that were there, when progress was told last
        self._sleeps = hasattr(node, "grid")
        self._stay_ms = 0  # until when it keeps a node awake
        self._life = self._live()

    def step(self):
        """One bounded piece of work."""
        self._node.uplink.patience_ms = _LOOK_MS
        for again in self._life:
            return again
        return None

    def take(self, payload):
        """A piece came."""
        if self._fetch:
            self._fetch.take(payload)

    def _live(self):
        door, record = self._door, self._door.record
        if door.has_leftovers():
            from firmware.update import leftovers

            yield from leftovers.see_to(door)
            leftovers = None
            place.forget("leftovers", "trial", "verdict")
        if OFFER in door.left:
            self._next = _files.read(OFFER, door.files)
            if not self._next or mark(self._next) != record.get("taken"):
                self._next = record["taken"] = None
                _files.discard(OFFER, door.files)
        while not door.rests:
            if not record.get("told"):
                yield from self._tell()
            if self._next:
                yield from self._see_through()
                continue
            if door.offer is None:
                return
            offer, door.offer = door.offer, None
            if offer and not is_known(record, mark(offer)) and self._takes(offer):
                self._next = offer
            offer = None

    def _takes(self, offer):
        """Whether an offer that came is to be fetched, instead of what is."""
        # One after the other, so that less of the heap is taken at once.
        from firmware.update.signature import signed

        is_genuine, least = signed(offer, self._door.files)
        signed = None
        place.forget("signature")
        from firmware.update.check import take

        is_taken = take(self._door, offer, self._target, is_genuine, least)
        place.forget("check", "report", "verdict")
        return is_taken

    # Through to the switch ----------------------------------------------------------------------

    def _see_through(self):
        from firmware.update import offer as form
        from firmware.update.fetch import Fetch

        door = self._door
        offer, self._next = self._next, None
        attempt, _, text = form.parts(offer)
        manifest = form.manifest_of(text)
        self._mark = mark(offer)
        self._about = form.about(manifest, attempt)
        form = offer = text = None  # Their memory is for pieces.
        place.forget("offer")
        door.log("update: fetching %s, %d bytes" % (manifest["version"], manifest["size"]))
        self._target = target = door.target(manifest)
        manifest = None
        self._fetch = Fetch(target, door.session, door.topic, self._about["sha"], door.clock)
        why = None
        try:
            for copies in (True, False):
                target.copies = copies
                try:
                    target.begin()
                    if not (yield from self._bring()):
                        return
                    is_right = None
                    while is_right is None:
                        is_right = target.read_back()
                        yield True
                    if is_right:
                        # One trial at a time: settings that strand the node would be blamed on it.
                        node = self._node
                        while (node.trial and node.trial.is_open) or not node.may_restart():
                            yield False
                        from firmware.update import verdict

                        verdict.tried(door, node, target, self._mark, self._about)
                        return
                    why = "what came is not what was signed"
                except OSError as error:
                    if not door.session.wire.is_open():
                        raise  # It is the link's.
                    why = "flash refuses (%s)" % error
                door.log("update: " + why)
                self._fetch.error = None
                target.drop()
            from firmware.update import verdict

            verdict.failed(door, self._mark, self._about, why)
        finally:
            target.close()
            self._fetch = self._target = None
            if self._node.stay_awake_until_ms == self._stay_ms:
                self._node.stay_awake_until_ms = 0

    def _bring(self):
        """Until all bytes are there; False: not now, or no more."""
        door, record, target, fetch = self._door, self._door.record, self._target, self._fetch
        connection, wait_ms, again_ms = 0, _AGAIN_MS, None
        began_ms, have = 0, target.have
        while target.have < target.size:
            now_ms = door.clock.uptime_ms()
            if door.offer is not None and not self._goes_on():
                return False
            if not record.get("told"):
                yield from self._tell()
            if connection != door.connections:
                connection, again_ms = door.connections, None
                fetch.connected()
                began_ms = now_ms
            is_silent = fetch.silent >= _SILENT_MAX
            if self._sleeps and (is_silent or not self._stays(began_ms, now_ms)):
                if not fetch.is_answered and door.is_offered:
                    record["silent"] = record.get("silent", 0) + 1
                    door.save()
                    is_silent = False
                if not is_silent:
                    door.rests = True
                    return False
            if is_silent:
                if not door.is_offered:
                    self._cancel("nobody answers, and it is offered no more")
                    return False
                if again_ms is None:
                    door.log("update: nobody answers")
                    again_ms = now_ms + wait_ms
                    wait_ms = min(2 * wait_ms, _AGAIN_MAX_MS)
                if now_ms < again_ms:
                    yield False
                    continue
                again_ms = None
                fetch.again()
            if target.have > have and fetch.is_answered:
                have, wait_ms = target.have, _AGAIN_MS
                if record.get("silent"):
                    record["silent"] = 0
                    door.save()
            is_more = fetch.step()
            self._tell_progress(now_ms)
            yield is_more
        return True

    def _stays(self, began_ms, now_ms):
        """Keep a node awake that sleeps, while it may fetch on this connection; whether it may."""
        node = self._node
        awake_ms = node.settings["awake_limit_s"] * 1000
        if self._fetch.is_answered:
            awake_ms = max(awake_ms, _AWAKE_MS)
        until_ms = began_ms + awake_ms
        if node.stay_awake_until_ms < until_ms:
            node.stay_awake_until_ms = self._stay_ms = until_ms
        return now_ms < until_ms

    def _goes_on(self):
        """See to an offer that came meanwhile; whether to go on with the one that is fetched."""
        door = self._door
        offer, door.offer = door.offer, None
        if not offer:
            self._cancel("it is offered no more")
            return False
        name = mark(offer)
        if name == self._mark:
            if self._fetch.silent:
                self._fetch.again()
        elif not is_known(door.record, name) and self._takes(offer):
            self._next = offer
            return False
        return True

    def _cancel(self, why):
        from firmware.update import verdict

        verdict.withdrawn(self._door, self._target, why)

    # What is told -------------------------------------------------------------------------------

    def _tell(self):
        """Publish what was noted, until the broker has it."""
        door, record, session = self._door, self._door.record, self._door.session
        connection = 0
        while not record.get("told"):
            if connection != door.connections:
                connection = door.connections
                # This is what the broker keeps. Beside pieces there is no room for the keys.
                self._publish(record.get("last") or {"state": "idle"}, with_keys=True)
            elif not session.waits():
                record["told"] = True
                door.save()
                return
            yield False

    def _tell_progress(self, now_ms):
        told_ms, told = self._told
        target = self._target
        tenth = target.size // 10 + 1
        if not told_ms or now_ms - told_ms >= _TELL_MS or target.have - told >= tenth:
            self._told = now_ms, target.have
            self._publish({"state": "fetching", "offer": self._about}, target)

    def _publish(self, last, target=None, with_keys=False):
        from firmware.update import report

        report.publish(self._door, last, target, with_keys)
        report = None
        place.forget("report")
