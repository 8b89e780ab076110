"""A configuration brought to a node over MQTT: on trial, until it has connected with it.

No secret travels: the node tells none and takes none, and keeps its own secrets.json.
"""

import json
import math
import time
from dataclasses import dataclass
from typing import Any

from fieldpost.board.find import chip_of
from fieldpost.board.screen import Screen
from fieldpost.board_json import for_board
from fieldpost.config import pins
from fieldpost.errors import BadConfig, CommandError
from fieldpost.file_names import SECRETS
from fieldpost.messages import payload
from fieldpost.messages.dialogue import Dialogue, Question, Refused, Senseless, Unanswered
from fieldpost.provision import node_files
from fieldpost.push import parts
from fieldpost.push.local import Local, checked, refuse
from firmware.config import change
from firmware.config.change import Trial

# What is retained comes at once, behind the answer to the subscription.
_RETAINED_S = 1.0
# For who wants to change what was told a moment ago; it ends by itself.
_STAY_MINUTES = 1
# Beyond what a trial lasts: to restart, to join, to be delivered.
_SPARE_S = 90.0
# For the slowest sensor: particle counters run their fan for half a minute first.
_READING_S = 60.0
_SLICE_S = 0.5
_DONE_ALREADY = "was done already"
_ANY_SECRETS = {"wifi": [{"ssid": "any", "password": ""}]}
_NOT_MEASURED = ("boot", "seq", "ts", "age_s")


class WentBack(CommandError):
    """The node has taken the configuration before back."""

    code = "went_back"


@dataclass(frozen=True)
class Found:
    """What the node has told: its config.json, the mark of that, its boot, and its chip if that is
    known. board: as its health says it."""

    config: dict[str, Any]
    mark: str
    boot: int
    board: str | None
    chip: pins.Chip | None


@dataclass
class Outcome:
    """verdict: "in force" at once, "kept" after a trial, "on trial" for who does not wait; None:
    nothing was sent. reading: the first one with it, None: not waited for, or none came. boot: its
    number."""

    verdict: str | None = None
    boot: int | None = None
    reading: dict[str, Any] | None = None


def unchanged(node: str) -> str:
    """Of a node to which no change was sent, or not all of it."""
    return f"nothing is changed: {node} has the configuration that it had"


def look(dialogue: Dialogue) -> Found:
    """Ask the node. One that sleeps stays awake for a minute, to be told what is to be changed."""
    dialogue.hear(lambda: bool(dialogue.status and dialogue.health), _RETAINED_S)
    questions = [Question("get", {})]
    if _sleeps(dialogue):
        questions.insert(0, Question("stay_awake", {"minutes": _STAY_MINUTES}))
    answer = dialogue.ask(*questions)[-1]
    if not answer.get("ok"):
        raise Refused(
            f"{dialogue.node} does not tell its configuration: {answer.get('error')}. Its "
            "firmware may be older than this: `fieldpost deploy` brings the new one"
        )
    config, mark, boot = (answer.get(key) for key in ("value", "mark", "boot"))
    if not isinstance(config, dict) or not isinstance(mark, str) or not isinstance(boot, int):
        raise Senseless(
            f"{dialogue.node} did not tell all of its configuration"
            + (f": {answer['note']}" if "note" in answer else "")
        )
    board = (dialogue.health or {}).get("board")
    board = board if isinstance(board, str) else None
    return Found(config, mark, boot, board, pins.CHIPS.get(chip_of(f" with {board}") or ""))


def release(dialogue: Dialogue) -> None:
    """Let a sleeper sleep again, that was kept awake and does not restart."""
    if _sleeps(dialogue):
        dialogue.tell(Question("stay_awake", {"minutes": 0}))


def fit(node: str, found: Found, local: Local, drivers: Any = None) -> list[str]:
    """What may yet be wrong with it on that node. Raises CommandError with all that is."""
    _, errors, cautions = checked(local.config, for_board(_ANY_SECRETS), found.chip, drivers)
    refuse(local, errors)
    for key in ("node", "mqtt.base"):
        was, now = _value(found.config, key), _value(local.config, key)
        if was != now:
            raise BadConfig(
                f"{key}: {local.path} says {now or 'nothing'}, and {node} has {was or 'nothing'}: "
                "a node that is called otherwise is another one for everybody. It gets its name "
                "on a cable, with --port"
            )
    try:
        change.guard(found.config, local.config)
    except ValueError as error:
        raise BadConfig(f"{error}. On a cable: `fieldpost config push {local.path} --port …`")
    if local.secrets is not None:
        cautions.append(
            f"{SECRETS} stays here: {node} keeps its own, for no secret travels. It gets to the "
            "board on a cable, with --port"
        )
    if node_files.certificates_beside(local.path, local.config):
        cautions.append("certificates stay here, too: the node keeps those that it has")
    return cautions


class Bringing:
    """One configuration on its way to a node. `state` says where that is, at any moment."""

    def __init__(self, dialogue: Dialogue, found: Found, local: Local) -> None:
        self._dialogue = dialogue
        self._found = found
        self._local = local
        self._parts = parts.questions(found.config, local.config, found.mark)
        self._is_taken = False
        self._is_judged = False

    def state(self) -> str:
        """For who ends it now."""
        node = self._dialogue.node
        if not self._parts or not self._parts[-1].is_sent:
            return unchanged(node)
        shows = f"What it has: `fieldpost cmd {node} get`"
        if self._is_judged:
            return f"{node} has the new configuration"
        if self._is_taken:
            return f"{node} has the new configuration on trial: {self._way_back()}. {shows}"
        return f"{node} may have the new configuration, or get it at its next wake. {shows}"

    def run(self, screen: Screen, wait: bool = True) -> Outcome:
        """Send it, and wait for the end of its trial and its first reading."""
        dialogue = self._dialogue
        if not self._parts:
            return Outcome()
        try:
            answers = dialogue.ask(*self._parts)
        except Unanswered as error:
            raise Unanswered(f"{error}. {self.state()}") from None
        for answer in answers:
            if not answer.get("ok") and _DONE_ALREADY not in str(answer.get("error")):
                raise Refused(
                    f"nothing is changed, {dialogue.node} refuses: {answer.get('error')}"
                )
        self._is_taken = True
        last = answers[-1]
        if last.get("ok") and not last.get("on_trial"):
            return self._in_force(screen, wait)
        if not wait:
            return Outcome("on trial")
        screen.say(
            dialogue.node,
            f"it restarts with the new configuration, which is on trial: {self._way_back()}",
        )
        verdict = self._verdict(screen)
        self._is_judged = True
        if not verdict.get("ok"):
            raise WentBack(
                f"{dialogue.node} has the configuration back that it had: {verdict.get('error')}"
            )
        return self._first_reading(screen, "kept", (self._found.boot + 1, -1))

    def _in_force(self, screen: Screen, wait: bool) -> Outcome:
        """Of what needs no restart; the next reading may be far away, so one is asked for."""
        self._is_judged = True
        if not wait:
            return Outcome("in force")
        boot, seq = max(map(_key, self._dialogue.readings), default=(self._found.boot, -1))
        asked = [Question("sample", {})]
        if _sleeps(self._dialogue):
            asked.append(Question("deliver", {}))
        self._dialogue.ask(*asked)
        return self._first_reading(screen, "in force", (boot, seq + 1))

    def _verdict(self, screen: Screen) -> dict[str, Any]:
        question = self._parts[-1]

        def verdicts() -> list[dict[str, Any]]:
            return [
                one
                for one in question.answers
                if "on_trial" not in one and _DONE_ALREADY not in str(one.get("error"))
            ]

        limit_s = self._trial_s()
        if self._wait(screen, "waiting for the end of its trial", verdicts, limit_s):
            return verdicts()[-1]
        return self._seen_verdict(limit_s)

    def _seen_verdict(self, limit_s: float) -> dict[str, Any]:
        """Of a node whose word was lost, as with a connection of ours: by what it has, once its
        trial is over in any case."""
        config = None
        if self._dialogue.timeout_s is None:
            try:
                config = look(self._dialogue).config
            except CommandError:
                pass
            else:
                release(self._dialogue)
        if config == self._local.config:
            return {"ok": True}
        if config == self._found.config:
            return {"ok": False, "error": "its reason did not come here"}
        raise Unanswered(
            f"{self._dialogue.node} has not told within {limit_s:.0f} s how its trial ended. "
            f"{self.state()}"
        )

    def _first_reading(self, screen: Screen, verdict: str, least: tuple[int, int]) -> Outcome:
        def fitting() -> list[dict[str, Any]]:
            return [one for one in self._dialogue.readings if _key(one) >= least]

        self._wait(screen, "waiting for the first reading", fitting, _READING_S)
        if not (found := fitting()):
            return Outcome(verdict)
        fields = {key: one for key, one in found[0].items() if key not in _NOT_MEASURED}
        return Outcome(verdict, _key(found[0])[0], fields)

    def _wait(self, screen: Screen, what: str, found: Any, limit_s: float) -> bool:
        end = time.monotonic() + limit_s
        while not found() and (left_s := end - time.monotonic()) > 0:
            screen.count_down(self._dialogue.node, what, left_s, limit_s)
            self._dialogue.hear(lambda: bool(found()), min(left_s, _SLICE_S))
        return bool(found())

    def _trial_s(self) -> float:
        """How long a trial and its way back can last."""
        if self._dialogue.timeout_s is not None:
            return self._dialogue.timeout_s
        trial_s = Trial.LIMIT_MS / 1000
        if self._local.config.get("mode") == "duty_cycle":
            # It tries again at the point of its grid after next, or when a batch is complete.
            config = self._local.config
            sample_s = payload.number(config.get("sample_s", 60), 0, 1e6) or 0.0
            every = payload.number(config.get("deliver_every", 1), 0, 1e4) or 1
            trial_s += Trial.wakes * sample_s * max(every, 2)
        return trial_s + _SPARE_S

    def _way_back(self) -> str:
        minutes = math.ceil(Trial.LIMIT_MS / 60_000)
        wakes = f" and {Trial.wakes} wakes"
        sleeps = self._local.config.get("mode") == "duty_cycle"
        return (
            f"if it does not connect with it within {minutes} minutes{wakes if sleeps else ''}, "
            "it goes back to the one before by itself"
        )


def _sleeps(dialogue: Dialogue) -> bool:
    return bool(dialogue.status and dialogue.status.get("state") == "asleep")


def _key(reading: dict[str, Any]) -> tuple[int, int]:
    boot, seq = reading.get("boot"), reading.get("seq")
    return (boot, seq) if isinstance(boot, int) and isinstance(seq, int) else (-1, -1)


def _value(config: dict[str, Any], key: str) -> str | None:
    found: Any = config
    for part in key.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return None if found is None else json.dumps(found, ensure_ascii=False)
