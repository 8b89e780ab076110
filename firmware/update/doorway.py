"""Where updates over the air come in. What deals with one is loaded when there is one.

A node has this if it has keys (`update.keys`).
"""

from binascii import crc32

from firmware import files as _files
from firmware.update import place
from firmware.update.record import (
    FAILED,
    FOLDER,
    OFFER,
    RECORD,
    TRIAL,
    is_known,
    mark,
    read,
    write,
)

# What is forgotten once it has done its work: the node needs its memory.
_LOADED = ("agent", "fetch", "leftovers", "offer", "pack_target", "image_target", "verdict")


class Doorway:
    """Takes offers and pieces in while the session is polled; deals with them in `step`.

    root: of the node's topics. file_system: as firmware/files.py.

    `record`: of firmware/update/record.py. `offer`: bytes that came and were not looked at; b"":
    it was withdrawn. `is_offered`: there was one on this connection. `connections`: so far.
    `works`: there is more to do at once, for which a node that sleeps stays awake. `rests`: until
    the next connection. `trial`: firmware/update/trial.py while the node runs on trial.
    """

    def __init__(self, root, board, settings, session, clock, file_system, log):
        self.topic = root + b"update"
        self.board = board
        self.settings = settings
        self.session = session
        self.clock = clock
        self.files = file_system
        self.log = log
        self.record = read(RECORD, file_system)
        self.offer = self.trial = None
        self.is_offered = self.rests = self.works = False
        self.connections = 0
        self._agent = None
        self._patience_ms = 0  # of the uplink, while nothing is under way
        try:
            self.left = [FOLDER + name for name in file_system.listdir(FOLDER[:-1])]
        except OSError:
            self.left = []
        if OFFER not in self.left:
            self.record["taken"] = None  # The cable took it away.
        self.crash = None
        if FAILED in self.left:
            # Before it is told with the node's health, and removed.
            text = _files.read(_files.CRASH, file_system)
            self.crash = text and text.decode("utf-8", "replace").strip().split("\n")[-1]
        path = place.running_pack()
        head = place.head_of(path, file_system) if path else b""
        # Other keys, which the cable brings, are to be told as well.
        self.head = crc32(head, crc32(_files.read(_files.UPDATE_KEYS, file_system) or b""))

    def came_back(self):
        """Whether the starts before this one were those of a firmware that is gone. True once, or
        a firmware that fails as well would never come to safe mode."""
        note = read(FAILED, self.files) if FAILED in self.left else {"seen": True}
        if note.get("seen"):
            return False
        note["seen"] = True
        try:
            write(FAILED, note, self.files)
        except OSError:
            pass  # Then it is said once more.
        return True

    def on_trial(self, settings_trial):
        """The trial that the node has to step: of what runs, or the one of settings alone."""
        if not place.is_on_trial():
            return settings_trial
        from firmware.update.trial import Trial

        trial = Trial(self, settings_trial)
        if not trial.is_here():
            return settings_trial
        self.trial = trial
        return trial

    def connect(self):
        """A new connection begins."""
        self.connections += 1
        self.is_offered = self.rests = False
        self.session.subscribe(self.topic + b"/offer")

    def receive(self, topic, payload):
        """Called by the session, for every message."""
        if topic == self.topic + b"/offer":
            self.offer = payload
            self.is_offered = bool(payload)
        elif self._agent and topic == self.topic + b"/piece":
            self._agent.take(payload)

    def step(self, node):
        """One bounded piece of work; True if there is more to do at once."""
        self.works = False
        if node.outbox.depth or self.rests or (self.trial and self.trial.is_open):
            return False
        if not self._agent:
            if not self._is_wanted(node):
                return False
            from firmware.update.agent import Agent

            self._patience_ms = node.uplink.patience_ms
            self._agent = Agent(self, node)
        again = None
        try:
            again = self._agent.step()
        finally:
            # Over, or the link is gone: then another goes on from what is on flash.
            if again is None:
                self._agent = None
                node.uplink.patience_ms = self._patience_ms
                self.left = [OFFER] if _files.exists(OFFER, self.files) else []
                place.forget(*_LOADED)
        self.works = bool(again)
        return self.works

    def over(self, node, wake):
        """A wake ends, in order; True if the node must restart, for what runs is not to stay."""
        return bool(self.trial) and self.trial.over(node, wake)

    def leave(self):
        """The node is about to restart, in order."""
        if self.trial:
            self.trial.restarts()

    def _is_wanted(self, node):
        record = self.record
        if self.offer and is_known(record, mark(self.offer)):
            self.offer = None
        if self.offer is not None or not record.get("told") or self.has_leftovers():
            return True
        if OFFER not in self.left:
            return False
        # What begins a fetch anew costs a sleeper its radio: the less so, the longer nobody
        # has answered.
        silent = record.get("silent", 0)
        listened = getattr(node, "listened", None)
        self.rests = bool(listened) and listened[1] % (1 << min(silent, 4)) != 0
        return not self.rests

    def target(self, manifest):
        """Where the release of this manifest goes. All that differs between kinds is in it."""
        sha, size = manifest["sha256"], manifest["size"]
        if manifest.get("kind") == "image":
            from firmware.update.image_target import ImageTarget

            return ImageTarget(self.files, self.slots(), sha[:16], sha, size)
        from firmware.update.pack_target import PackTarget

        return PackTarget(self.files, place.running_pack(), sha[:16], sha, size)

    def slots(self):
        """Of MicroPython itself (firmware/board/esp32_slots.py); None where it has one alone."""
        make = getattr(self.board, "slots", None)
        return make and make()

    def save(self, strict=False):
        """Keep the record. strict: OSError if flash refuses; else that is told."""
        try:
            write(RECORD, self.record, self.files)
        except OSError:
            if strict:
                raise
            self.log("update: not noted, flash refuses")

    def has_leftovers(self):
        """Whether something is to be found out before any offer."""
        left = self.left
        return FAILED in left or TRIAL in left or self.record.get("head") != self.head
