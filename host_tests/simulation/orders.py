"""What one node is told over `…/cmd`, and what it answers.

Must be true: an answer names a command that the node received, and says what the node made of it;
a command is done once in each boot that received it (the broker repeats what was not acknowledged,
and a restart forgets what was done); on a connection that lasts each is answered within the
deadlines, and over any break, sleep or restart in the end; a change of the broker's address that
strands the node is taken back, and told; and once nothing goes wrong any more, commands are
answered as if nothing had ever been. A command is lost with the power, or in a crash.
"""

import json
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from simulation.endings import Violation

if TYPE_CHECKING:
    from fakes.broker import Record
    from simulation.machine import Machine

_PROBE_AGAIN_US = 60_000_000
_ID_CHARACTERS_MAX = 32
# Settings in force at once; any other is on trial. As firmware/remote/commands.py has them.
_LIVE = ("sample_s", "health_s", "deliver_every", "log_level")
_WAITING_MAX = 8  # at once; firmware/remote/inbox.py drops more than that, and says so


class _Received(NamedTuple):
    """A command as the node received it, to be answered on this connection. name: "" if none."""

    name: str
    time_us: int
    hung_us: int
    boot: int
    failures: int


class Orders:
    """The commands of one machine."""

    def __init__(self, machine: "Machine") -> None:
        self._machine = machine
        self._topic = f"fieldpost/{machine.name}/cmd"
        self._sent: dict[str, dict[str, Any]] = {}
        self._boots: dict[str, set[int]] = {}  # in which the node received it
        self._done: Counter[str] = Counter()
        self._answered: set[str] = set()
        self._given: set[tuple[Any, bool]] = set()  # what its answers say, as it made them
        self._forgotten: set[str] = set()  # with the RAM of a boot that ended badly
        self._nameless = 0  # received, and without an id to answer to
        self._pending: list[_Received] = []
        self._on_trial = ""  # the change that is yet to be judged
        self._probe = ""
        self._probed_us = -_PROBE_AGAIN_US
        self.sent = self.answers = self.refusals = self.rolled_back = 0
        timeout_s = machine.scenario.settings["mqtt"]["timeout_s"]
        # To be acknowledged, or for the connection to be given up, and a step's own two deadlines.
        self._limit_us = int(4 * timeout_s * 1e6)
        machine.run.broker.watch(f"{self._topic}/result", self._answer)

    # -- what it is told -----------------------------------------------------------------------

    def send(self, do: str, retain: bool = False, **arguments: Any) -> str:
        """Send a command, as far as there is a broker to take it; its id."""
        self.sent += 1
        name = f"c{self.sent}"
        self._sent[name] = {"do": do, **arguments}
        self.send_bytes(json.dumps({"id": name, "do": do, **arguments}).encode(), retain)
        return name

    def send_bytes(self, payload: bytes, retain: bool = False) -> None:
        broker = self._machine.run.broker
        if broker.listener is not None and broker.listener.state == "up":
            broker.publish(self._topic, payload, 1, retain)

    def repeat(self, name: str) -> None:
        """The same command again, with its id."""
        self.send_bytes(json.dumps({"id": name, **self._sent[name]}).encode())

    # -- what it does --------------------------------------------------------------------------

    def received(self, topic: bytes, payload: bytes, retained: bool) -> None:
        """The node's session hands a message to the node."""
        if topic != self._topic.encode():
            return
        machine = self._machine
        name = _name_of(payload)
        if name is None or retained:
            self._nameless += 1
            name = ""
        else:
            self._boots.setdefault(name, set()).add(machine.boots + machine.wakes)
        if len(self._pending) < _WAITING_MAX:
            link = machine.node.link
            boot, failures = machine.boots + machine.wakes, link.reconnects + link.failures
            self._pending.append(
                _Received(name, machine.world.now_us, machine.hung_us, boot, failures)
            )

    def did(self, answer: dict[str, Any]) -> None:
        """The node did a command, or refused it: this will be its answer."""
        self._given.add(_outcome(answer))
        name = answer["id"]
        if name is None:
            self._nameless -= 1
            if self._nameless < 0:
                self._fail(f"{answer} answers nothing")
        elif answer["ok"]:
            self._done[name] += 1
            if self._done[name] > len(self._boots[name]):
                self._fail(f"command {name} {self._sent[name]} was done {self._done[name]} times")

    def forgot(self) -> None:
        """RAM is lost, and nobody could keep what was in it."""
        self._forgotten |= self._boots.keys() - self._answered

    def unanswered(self) -> list[str]:
        """Of what was received, and not lost with the power."""
        return sorted(self._boots.keys() - self._answered - self._forgotten)

    def check(self) -> None:
        """After each step: is what was received on this connection answered in time?"""
        machine = self._machine
        if not self._pending or not machine.run.scenario.personality.tells:
            return
        link = machine.node.link
        inbox = machine.node.uplink.commands
        restarts = inbox._commands is not None and inbox._commands._then is not None
        here = (machine.boots + machine.wakes, link.reconnects + link.failures)
        left = []
        for one in self._pending:
            same = (one.boot, one.failures) == here and link.is_up and not restarts
            if not same or not one.name or one.name in self._answered:
                continue
            hung_us = machine.hung_us - one.hung_us
            if machine.world.now_us - one.time_us - hung_us > self._limit_us:
                self._fail(f"command {one.name} {self._sent.get(one.name)} was not answered")
            left.append(one)
        self._pending = left

    def _answer(self, record: "Record") -> None:
        answer = json.loads(record.payload)
        self.answers += 1
        name, ok = answer["id"], answer["ok"]
        if not isinstance(ok, bool) or (not ok and not answer["error"]):
            self._fail(f"{answer} says neither that it was done nor why not")
        self.refusals += not ok
        if name is None:
            if "too many" not in answer["error"] and _outcome(answer) not in self._given:
                self._fail(f"{answer} answers nothing")
            return
        if name not in self._boots:
            self._fail(f"{answer} answers what was never received")
        self._answered.add(name)
        order = self._sent[name]
        if order["do"] == "set" and self._is_verdict(order, answer):
            self._judge(order, answer)
        elif _outcome(answer) not in self._given:
            self._fail(f"{answer} is not what the node made of {order}")
        elif answer.get("on_trial"):
            self._on_trial = name

    @staticmethod
    def _is_verdict(order: dict[str, Any], answer: dict[str, Any]) -> bool:
        """Of a trial; it is told again after a power cut, rather than not at all."""
        return order["key"] not in _LIVE and "key" in answer and "on_trial" not in answer

    def _judge(self, order: dict[str, Any], answer: dict[str, Any]) -> None:
        self._on_trial = ""
        if order["key"] == "mqtt.host":
            if answer["ok"]:
                self._fail(f"{order} has passed its trial")
            self.rolled_back += 1

    # -- the end -------------------------------------------------------------------------------

    def satisfied(self) -> bool:
        """Asked while the node is connected and nothing goes wrong any more: whether it is back on
        its right settings, and has answered; if not yet, it is asked again now and then."""
        machine = self._machine
        personality = machine.run.scenario.personality
        if "trial.json" in machine.flash.files:
            return False
        if not (personality.hears and personality.tells):
            return True
        if not machine.node.uplink.commands.is_idle():
            return False  # It has something to tell.
        if self._on_trial and not machine.power_failures:
            self._fail(f"nobody was told what came of {self._sent[self._on_trial]}")
        if self._probe in self._answered:
            return not self.unanswered()
        if machine.world.now_us - self._probed_us >= _PROBE_AGAIN_US:
            self._probed_us = machine.world.now_us
            self._probe = self.send("get", key="sample_s")
        return False

    def _fail(self, what: str) -> None:
        raise Violation(f"{self._machine.name}: {what}")


def _outcome(answer: dict[str, Any]) -> tuple[Any, bool]:
    """What of an answer arrives in any case, however large it was."""
    return answer["id"], answer["ok"]


def _name_of(payload: bytes) -> str | None:
    """The id, if the node can find one. Larger than 512 bytes it does not look."""
    if len(payload) > 512:
        return None
    try:
        command = json.loads(payload)
    except ValueError:
        return None
    name = command.get("id") if isinstance(command, dict) else None
    return name if isinstance(name, str) and 0 < len(name) <= _ID_CHARACTERS_MAX else None
