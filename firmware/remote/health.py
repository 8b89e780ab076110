"""`…/health`: what somebody who cannot touch the node wants to know of it."""

import gc

from firmware import VERSION
from firmware import files as _files


class Health:
    """Call it with the node for the dict to publish.

    board: for version and radio. files: where the last failure is kept. `crash`: its text, if it
    has not been published yet, else None.
    """

    def __init__(self, board, files):
        self._board = board
        self._files = files
        self._reset_cause = board.reset_cause()
        text = _files.read(_files.CRASH, files)
        self.crash = text.decode("utf-8", "replace") if text else None

    def crash_published(self):
        """The broker has it: it need not be told again."""
        self.crash = None
        _files.discard(_files.CRASH, self._files)

    def __call__(self, node):
        outbox, link = node.outbox, node.link
        wire = link.session.wire
        gc.collect()
        report = {
            "firmware": VERSION,
            "board": self._board.version(),
            "state": node.state.decode(),
            "boot": node.identity.boot,
            "resets": node.identity.resets,
            "failed_starts": node.identity.failed_starts,
            "reset": self._reset_cause,
            "uptime_s": node.clock.uptime_ms() // 1000,
            "rssi": self._board.radio.rssi(),
            "free": gc.mem_free() if hasattr(gc, "mem_free") else None,
            "outbox": outbox.depth,
            "dropped": outbox.dropped,
            "corrupt": outbox.corrupt,
            "delivered": node.uplink.delivery.delivered,
            "repeats": link.session.repeats,
            "oversized": link.session.oversized,
            "late_samples": node.sampler.late,
            "reconnects": link.reconnects,
            "causes": link.causes,
            "longest_wait_ms": wire.longest_wait_ms,
        }
        for key in ("sample_s", "deliver_every", "log_level"):
            report[key] = node.settings[key]
        if link.session.refused:
            report["refused"] = link.session.refused
        if node.sampler.errors:
            report["sensor_errors"] = node.sampler.errors
        if link.pace:
            report["pace"] = link.pace.health()
        if link.security and link.security.notices:
            report["tls"] = link.security.notices
        if self.crash:
            report["crash"] = self.crash
        return report
