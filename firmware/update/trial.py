"""A firmware on trial: it stays once the broker has acknowledged a reading, or it goes back.

What counts against it is in the file that lib/pack_trial.py reads at each start: starts, wakes
that had a network, and time. To go back is to give that file another name: the next start runs the
firmware before.
"""

from micropython import const

from firmware import files as _files
from firmware.update import place
from firmware.update.record import FAILED, FOLDER, OFFER, PACK, TRIAL, counter_of, read, write
from firmware.update.verdict import judge

# Of a node that sleeps: wakes that had joined its network; those that had tried to, for without a
# network nothing is proven, but a firmware that cannot join must come back as well; and those that
# were not to deliver, of which there are many to a batch, for one may never come to deliver.
_WAKES_MAX = const(5)
_LONELY_MAX = const(100)
_IDLE_MAX = const(3000)
# The same for a node that is always on, in seconds.
_JOINED_MAX_S = const(900)
_ALONE_MAX_S = const(86400)
_AGAIN_MS = const(60000)


def proven(door, note):
    """Note that the release of a trial is what runs from now on. OSError if flash refuses."""
    record = door.record
    name = counter_of(note.get("kind"))
    record[name] = max(record.get(name, 0), note["counter"])
    if note.get("kind") != "image":
        record["runs"] = note["counter"]
        record["version"], record["sha"] = note["version"], note["sha"]
        record["head"] = door.head
    judge(record, note["mark"], "done", note["offer"])
    door.save(True)
    _files.discard(OFFER, door.files)


class Trial:
    """In the place of a trial of settings (firmware/config/change.py), which it sees through as
    well, if there is one."""

    wakes = 0  # it is to be stepped in every wake

    def __init__(self, door, settings_trial):
        self._door = door
        self._settings = settings_trial
        self.is_open = True
        self._note = note = read(TRIAL, door.files)
        self._joined_ms = note.get("joined_s", 0) * 1000
        self._alone_ms = note.get("alone_s", 0) * 1000
        self._then_ms = door.clock.uptime_ms()
        self._again_ms = 0

    @property
    def verdict(self):
        """Of the settings' trial."""
        return self._settings and self._settings.verdict

    @property
    def awake_s(self):
        """See firmware/config/change.py."""
        if self._is_image():
            return _JOINED_MAX_S // 3
        settings = self._settings
        return settings.awake_s if settings and settings.is_open else 0

    def is_here(self):
        """Whether what is on trial is what runs: a chip's bootloader goes back by itself."""
        if not self._is_image():
            return True
        slots = self._door.slots()
        return bool(slots) and slots.running == self._note.get("slot")

    def step(self, node):
        """True once the firmware or the settings of before are back: the node must restart."""
        settings, link = self._settings, node.link
        if settings and settings.is_open:
            grid = getattr(node, "grid", None)
            has_failed = not grid or grid.failed >= settings.wakes
            if (link.is_up or has_failed) and settings.step(node):
                return True
        now_ms = self._door.clock.uptime_ms()
        passed_ms, self._then_ms = now_ms - self._then_ms, now_ms
        if not self.is_open or now_ms < self._again_ms:
            return False
        if link.station.is_up():
            self._joined_ms += passed_ms
        else:
            self._alone_ms += passed_ms
        try:
            if node.uplink.delivery.delivered > 0:
                self._accept()
            elif hasattr(node, "grid"):
                return False  # Its wakes are counted.
            elif self._joined_ms >= _JOINED_MAX_S * 1000:
                return self._back("15 minutes on the network, and no reading arrived")
            elif self._joined_ms + self._alone_ms >= _ALONE_MAX_S * 1000:
                return self._back("24 hours, and hardly a network")
        except OSError:
            # Flash refuses. It stays on trial, as it is on flash.
            self._again_ms = now_ms + _AGAIN_MS
        return False

    def over(self, node, wake):
        """A wake ends, in order; True if the node must restart."""
        if not self.is_open:
            return False
        if self._is_image():
            try:
                return self._back("no reading arrived before it had to sleep")
            except OSError:
                return True  # The bootloader goes back all the same.
        note = self._note
        note["starts"] = 0
        name = "wakes" if wake.up_ms is not None else "lonely" if wake.delivers else "idle"
        note[name] = note.get(name, 0) + 1
        try:
            if note.get("wakes", 0) >= _WAKES_MAX:
                return self._back("%d wakes on the network, and no reading arrived" % _WAKES_MAX)
            if note.get("lonely", 0) >= _LONELY_MAX:
                return self._back("%d wakes, and hardly a network" % _LONELY_MAX)
            if note.get("idle", 0) >= _IDLE_MAX:
                return self._back("%d wakes, and none that was to deliver" % _IDLE_MAX)
            write(TRIAL, note, self._door.files)
        except OSError:
            pass  # Counted at the next one.
        return False

    def restarts(self):
        """The node is about to restart, in order: that start did not come to nothing."""
        if not self.is_open:
            return
        note = self._note
        note["starts"] = 0
        note["joined_s"], note["alone_s"] = self._joined_ms // 1000, self._alone_ms // 1000
        try:
            write(TRIAL, note, self._door.files)
        except OSError:
            pass  # Then it counts.

    def _is_image(self):
        return self._note.get("kind") == "image"

    def _accept(self):
        """Power may fail between any two of these: see lib/pack_trial.py, and the agent."""
        door, files, path = self._door, self._door.files, FOLDER + self._note["sha"]
        if self._is_image():
            door.slots().proven()
            _files.discard(path, files)
        elif _files.exists(path, files):
            try:
                files.rename(path, PACK)
            except OSError:
                # FAT replaces nothing. Until the second step the start finds the new one.
                _files.discard(PACK, files)
                files.rename(path, PACK)
            place.moved("/" + PACK)
        proven(door, self._note)
        _files.discard(TRIAL, files)
        self.is_open = False
        door.left = []
        door.log("update: %s has proven itself" % self._note["version"])

    def _back(self, why):
        files, note = self._door.files, self._note
        note["why"] = why
        write(TRIAL, note, files)
        _files.discard("config.checked", files)
        files.rename(TRIAL, FAILED)
        self.is_open = False
        self._door.log("update: back to the firmware before: " + why)
        return True
