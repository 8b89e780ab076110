"""One node of a rollout: what it has told, what that means, and how long to wait for more."""

import time
from dataclasses import dataclass, field
from typing import Any, Literal

from fieldpost.errors import BadFile
from fieldpost.messages import payload
from fieldpost.release import manifest
from fieldpost.release.folder import OFFER_HEAD_BYTES, Artefact, Release
from fieldpost.update.report import FAILURES, Report

State = Literal[
    "idle", "waiting", "offered", "fetching", "trial", "done", "up to date",
    "refused", "failed", "back", "silent", "no keys", "not told", "offline",
    "unfit", "stopped",
]  # fmt: skip
# Something is under way; good; bad, with something tried; bad, with nothing risked.
UNDER_WAY = ("offered", "fetching", "trial")
GOOD = ("done", "up to date")
TRIED = ("refused", "failed", "back", "silent")
UNTRIED = ("no keys", "not told", "offline", "unfit", "stopped")

# Of a node that is awake, without a sign of it. An offer is taken at once; a node that found
# nobody to serve it tries again after an hour at the latest; a trial is over in 15 minutes.
_LIMITS_S = {"offered": 120.0, "fetching": 3900.0, "trial": 1800.0}
_SERVED_S = 600.0
# Wakes of a sleeper without progress: one that found nobody skips 16 at most; a trial has five.
_WAKES = {"offered": 4, "fetching": 20, "trial": 8}
# Beyond the time that it has announced, a sleeper may have had to try again.
_OVERDUE_S = 600.0
_SLEEP_MAX_S = 86_400 * 1000
_NO_KEYS = (
    "it has told nothing of updates: it has no keys, or a firmware of before them. By cable: "
    "fieldpost deploy --keys DIR"
)
_AWAY = "it is away: repeat the command when it is back"
_NOT_TOLD = "it has just started, and not told its firmware yet: repeat the command in a minute"
# A node tells its firmware with its first deliveries.
_YOUNG_S = 120
AGAIN = "fieldpost update --again offers it once more"


@dataclass
class Node:
    """name: as in its topics. text: why it is in this state, for people. attempt: of our offer.

    heard_at, status_at, since: monotonic seconds of the last sign of it, of its status, and of its
    state's begin. wakes: in vain. known: the broker has heard of it.
    is_young: it had just started as its health was told last.
    """

    name: str
    state: State = "waiting"
    text: str = ""
    report: Report | None = None
    status: dict[str, Any] = field(default_factory=dict)
    artefact: Artefact | None = None
    attempt: int = 0
    known: bool = False
    is_young: bool = False
    outstanding: bytes = b""
    heard_at: float = 0.0
    status_at: float = 0.0
    since: float = 0.0
    wakes: int = 0
    served: int = 0

    @property
    def is_asleep(self) -> bool:
        """By its own word."""
        return self.status.get("state") == "asleep"

    def due_in_s(self, now: float) -> float | None:
        """Seconds until a sleeper wakes; None: it is awake, or names no time that can be.
        now: monotonic."""
        if not self.is_asleep:
            return None
        unix_s = time.time()
        until = payload.number(self.status.get("until"), 0, unix_s + _SLEEP_MAX_S)
        if until is not None:
            return until - unix_s
        # Of a node that does not know the time. What the broker kept may be as old as that.
        for_s = payload.number(self.status.get("for_s"), 0, _SLEEP_MAX_S)
        return None if for_s is None else self.status_at + for_s - now

    def take_status(self, told: dict[str, Any], *, is_kept: bool, now: float) -> None:
        """The node says that it is awake, asleep, or gone."""
        self.known = True
        self.status, self.status_at = told, now
        if is_kept:
            return
        self.heard_at = now
        if told.get("state") == "asleep":
            self.wakes += 1

    def take_health(self, told: dict[str, Any]) -> None:
        """The node tells how it is."""
        uptime_s = payload.number(told.get("uptime_s"), 0, _SLEEP_MAX_S)
        slept = told.get("reset") == "deep-sleep"
        self.is_young = uptime_s is not None and uptime_s < _YOUNG_S and not slept

    def take_report(self, report: Report, *, is_kept: bool, now: float) -> None:
        """The node tells of its firmware."""
        self.known = True
        self.report = report
        if not is_kept:
            self.heard_at = now
        if self.state in UNDER_WAY:
            self._judge(report, now)

    def asked(self, reached: int, now: float) -> None:
        """It has asked for pieces of our release."""
        self.heard_at = now
        if self.state == "offered":
            self.enter("fetching", now)
        if reached > self.served:
            self.wakes = 0
        self.served = max(self.served, reached)

    def enter(self, state: State, now: float, text: str = "") -> None:
        """Its state is another from now on."""
        if state != self.state:
            self.wakes = 0
            self.since = self.heard_at = now
        self.state, self.text = state, text

    def begin(self, release: Release, again: bool, attempt: int, *, is_named: bool = True) -> None:
        """What can be said of it before it is offered anything. attempt: with `again`, of an offer
        of which the node does not tell. is_named: it is meant, and not only known."""
        report = self.report
        if report is None:
            self._tells_nothing(_NO_KEYS)
            return
        self.artefact = next(
            (one for one in release.artefacts if one.is_for(report.platform, report.chip)), None
        )
        if self._runs(report, release):
            self.state = "up to date"
            return
        if lack := self._lack(report, release):
            self.state, self.text = "unfit", lack
            return
        assert self.artefact
        sha = self.artefact.manifest.sha16
        is_ours = report.offer is not None and report.offer.sha == sha
        if report.judges(sha) and not again:
            self.state, self.text = _TOLD[report.state], f"{_why(report)}. {AGAIN}"
        elif self._is_offline():
            self.state, self.text = "offline", _AWAY
        elif not is_named and self._overdue_s() > _OVERDUE_S:
            late = f"it was to wake {self._overdue_s() / 3600:.1f} h ago, and is away"
            self.state, self.text = "offline", f"{late}: repeat the command when it is back"
        elif is_ours and report.offer:
            self.attempt = report.offer.attempt
            if report.judges(sha):
                self.attempt = (self.attempt + 1) % 256
        elif again:
            self.attempt = attempt

    def describe(self) -> None:
        """Its state by its own word, for somebody who only looks."""
        report = self.report
        if report is None:
            self._tells_nothing("it has told nothing of updates")
            return
        self.state = _TOLD[report.state]
        parts = [_why(report)] if report.state in FAILURES else []
        if report.state == "fetching" and report.have is not None and report.of:
            parts.append(f"{report.have} of {report.of} bytes")
        if self.outstanding:
            parts.append(f"{_offered(self.outstanding)} is offered")
        self.text = "; ".join(parts)

    def _is_offline(self) -> bool:
        return self.status.get("state") == "offline"

    def _overdue_s(self) -> float:
        """Seconds since a sleeper was to wake, as the broker has kept it; below 0: until it is."""
        due_in_s = self.due_in_s(time.monotonic())
        return -due_in_s if due_in_s is not None else 0.0

    def _tells_nothing(self, text: str) -> None:
        if self._is_offline():
            self.state, self.text = "offline", _AWAY
        elif self.is_young and self.status.get("state") == "online":
            self.state, self.text = "not told", _NOT_TOLD
        else:
            self.state, self.text = "no keys", text

    def resume(self, now: float) -> bool:
        """Whether it is at our release already, of an earlier run."""
        report = self.report
        if self.state != "waiting" or not report or not report.offer or not self.artefact:
            return False
        is_ours = report.offer.sha == self.artefact.manifest.sha16
        if not is_ours or report.state not in ("fetching", "trial"):
            return False
        self.enter("offered", now)
        self._judge(report, now)
        return True

    def look_at_the_time(self, now: float, timeout_s: float | None) -> None:
        """Whether it has been waited for long enough."""
        if self.state not in UNDER_WAY:
            return
        if timeout_s is not None:
            if now - self.heard_at > timeout_s:
                self.enter("silent", now, f"no sign of it within {timeout_s:g} s")
            return
        if self.wakes >= _WAKES[self.state]:
            text = f"it woke {self.wakes} times without going on. {AGAIN}"
            self.enter("silent", now, text)
        elif (due_in_s := self.due_in_s(now)) is not None:
            if due_in_s < -_OVERDUE_S and now - self.since > _OVERDUE_S:
                self.enter("silent", now, "it did not wake when it was due")
        elif now - self.heard_at > self._limit_s():
            text = f"no sign of it for {(now - self.heard_at) / 60:.0f} min. {AGAIN}"
            self.enter("silent", now, text)

    def _limit_s(self) -> float:
        if self.state == "fetching" and self.served:
            return _SERVED_S
        return _LIMITS_S[self.state]

    def _judge(self, report: Report, now: float) -> None:
        """What a report means for what is under way."""
        assert self.artefact
        told = self.artefact.manifest
        installed, offer = report.installed, report.offer
        has = (installed.counter, installed.sha) if installed else None
        if report.state != "trial" and has == (told.counter, told.sha16):
            self.enter("done", now)
            return
        if offer is None or (offer.sha, offer.attempt) != (told.sha16, self.attempt):
            return
        if report.state == "done":
            self.enter("done", now)
        elif report.state == "fetching":
            if self.state != "fetching":
                self.enter("fetching", now)
            if (report.have or 0) > self.served:
                self.wakes = 0
                self.served = min(report.have or 0, told.size)
        elif report.state == "trial":
            self.enter("trial", now, "it runs it, and has yet to deliver a reading with it")
        elif report.judges(told.sha16):
            self.enter(_TOLD[report.state], now, _why(report))

    def _runs(self, report: Report, release: Release) -> bool:
        """Whether it is what the node runs. A pack is known by its hash or its counter; an image
        by what the node has told of it, or by its version."""
        if self.artefact is None:
            return False
        told, installed = self.artefact.manifest, report.installed
        if told.kind == "image":
            is_done = report.state == "done" and report.offer and report.offer.sha == told.sha16
            return bool(is_done) or told.version == ".".join(map(str, report.micropython))
        return installed is not None and (
            installed.sha == told.sha16 or installed.counter == release.counter
        )

    def _lack(self, report: Report, release: Release) -> str:
        """Why nothing of the release is for it."""
        if self.artefact is None:
            kind = " ".join(one for one in (report.platform, report.chip) if one)
            return f"the release has nothing for it ({kind or 'it does not say what it is'})"
        told, installed = self.artefact.manifest, report.installed
        if told.key and report.keys and told.key not in report.keys:
            return "it knows other keys than the release's: fieldpost deploy --keys, by cable"
        if told.kind == "pack" and installed and (installed.counter or 0) > release.counter:
            return f"it has {installed.words()}, and takes nothing older"
        if told.kind == "pack" and report.mpy is not None and report.mpy != told.mpy:
            return f"its MicroPython takes bytecode {report.mpy}, and this is {told.mpy}"
        if told.least and report.micropython and report.micropython < told.least:
            least = ".".join(map(str, told.least))
            return f"it needs MicroPython {least} or newer: fieldpost flash, by cable"
        return ""


def _offered(message: bytes) -> str:
    """What the broker keeps as an offer, in words."""
    try:
        told = manifest.parse(message[OFFER_HEAD_BYTES:], "an offer")
    except BadFile:
        return "something that is no offer"
    return f"{told.version} ({told.counter})"


def _why(report: Report) -> str:
    words = {"refused": "it refused", "failed": "it could not fetch", "back": "it went back"}
    return f"{words[report.state]}: {report.error or 'it does not say why'}"


# As a report has them.
_TOLD: dict[str, State] = {
    "idle": "idle",
    "fetching": "fetching",
    "trial": "trial",
    "done": "done",
    "refused": "refused",
    "failed": "failed",
    "back": "back",
}
