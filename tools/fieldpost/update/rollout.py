"""A release to many nodes in stages: canaries first, a few at once, an end at the first failure.

Nothing here waits or connects: it is told what came, and asked what to do.
"""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fieldpost.messages import payload
from fieldpost.release.folder import ATTEMPT_MAX, Release
from fieldpost.update import report as reports
from fieldpost.update.node import TRIED, UNDER_WAY, Node
from fieldpost.update.pieces import Pieces

OFFER, PIECE, ASK, REPORT = "update/offer", "update/piece", "update/ask", "update"
STATUS, HEALTH = "status", "health"
# What there is to hear of each node.
HEARD = (STATUS, HEALTH, REPORT, ASK, OFFER)
# (node, topic below the node's, message, retained)
Publish = Callable[[str, str, bytes, bool], None]


@dataclass(frozen=True)
class Wishes:
    """canaries: how many go first. keep_going: a failure stops nothing. again: nodes that have
    judged this release look at it once more. at_once: how many have an offer that is not decided.
    timeout_s: without a sign of a node; None: as long as it may take by its own word. on_demand:
    each node waits until somebody asks for it, and that goes on without an end. are_named: these
    nodes are meant, and not all that the broker has ever heard of."""

    canaries: int = 0
    keep_going: bool = False
    again: bool = False
    at_once: int = 8
    timeout_s: float | None = None
    on_demand: bool = False
    are_named: bool = True


class Rollout:
    """nodes: in their order; the first that can be offered anything are the canaries.

    publish: sends a message. now: monotonic seconds, in every call.
    """

    def __init__(
        self,
        release: Release,
        nodes: Sequence[Node],
        wishes: Wishes,
        publish: Publish,
        pieces: Pieces | None = None,
    ) -> None:
        self.release = release
        self.nodes = list(nodes)
        self._wishes = wishes
        self._publish = publish
        self._pieces = pieces or Pieces()
        self._by_name = {one.name: one for one in self.nodes}
        self._canaries: list[Node] = []
        self._demanded: set[str] = set()
        self.stopped_by: Node | None = None

    def begin(self, now: float) -> None:
        """What is kept of the nodes has come: decide what can be said before anything is sent."""
        attempt = 1 + secrets.randbelow(ATTEMPT_MAX)
        for one in self.nodes:
            one.begin(self.release, self._wishes.again, attempt, is_named=self._wishes.are_named)
            if one.resume(now) and one.state in UNDER_WAY:
                self._offer(one)
            elif one.state == "up to date" and self._is_offered(one):
                self._withdraw(one)
        able = [one for one in self.nodes if one.state in ("waiting", *UNDER_WAY)]
        self._canaries = able[: self._wishes.canaries]

    def hear(self, name: str, topic: str, message: bytes, *, is_kept: bool, now: float) -> None:
        """A message of a node's. Whatever it is, it harms nothing."""
        node = self._by_name.get(name)
        if node is None:
            return
        if topic == ASK:
            self._answer(node, message, now)
        elif topic != OFFER:  # ours come back to us, too
            hear(node, topic, message, is_kept=is_kept, now=now)
        self._settle(node)

    def step(self, now: float) -> None:
        """Time has passed: give up, stop, offer."""
        for one in self.nodes:
            one.look_at_the_time(now, self._wishes.timeout_s)
            if one.state in UNDER_WAY and self._pieces.exhausted(one.name):
                one.enter("failed", now, "it asks for the same pieces without an end")
            self._settle(one)
        failed = next((one for one in self.nodes if one.state in TRIED), None)
        goes_on = self._wishes.keep_going or self._wishes.on_demand
        if failed and not goes_on and not self.stopped_by:
            self._stop(failed, now)
        if self.stopped_by:
            return
        room = self._wishes.at_once - sum(one.state in UNDER_WAY for one in self.nodes)
        stage = self._canaries if self._has_canaries_left() else self.nodes
        for one in [one for one in stage if self._is_next(one)][: max(room, 0)]:
            one.enter("offered", now)
            self._offer(one)

    def demand(self, name: str) -> None:
        """Somebody wants this node to have it: also one that failed, once more."""
        node = self._by_name.get(name)
        if node is None or node.state in UNDER_WAY:
            return
        if node.state != "waiting":
            node.state, node.text = "waiting", ""
            node.begin(self.release, again=True, attempt=1 + secrets.randbelow(ATTEMPT_MAX))
        self._demanded.add(name)

    def is_over(self) -> bool:
        """Nothing is under way, and nothing more is to be."""
        if self._wishes.on_demand:
            return False
        return not any(one.state in (*UNDER_WAY, "waiting") for one in self.nodes)

    def repeat_offers(self, now: float) -> None:
        """After a new connection: a broker may have forgotten what it kept, and no node was to be
        heard meanwhile."""
        for one in self.nodes:
            if one.state in UNDER_WAY:
                one.heard_at = now
                self._offer(one)

    def _is_next(self, node: Node) -> bool:
        is_wanted = not self._wishes.on_demand or node.name in self._demanded
        return node.state == "waiting" and is_wanted

    def _has_canaries_left(self) -> bool:
        return any(one.state in ("waiting", *UNDER_WAY) for one in self._canaries)

    def _answer(self, node: Node, ask: bytes, now: float) -> None:
        if node.state not in UNDER_WAY:
            return
        found = self._pieces.answer(node.name, ask)
        for one in found:
            self._publish(node.name, PIECE, one, False)
        if found:
            node.asked(self._pieces.reached(node.name), now)

    def _offer(self, node: Node) -> None:
        assert node.artefact
        self._pieces.offer(node.name, node.artefact)
        node.outstanding = node.artefact.offer(node.attempt)
        self._publish(node.name, OFFER, node.outstanding, True)

    def _settle(self, node: Node) -> None:
        """What is decided is offered no longer: the node would find it at each start."""
        if node.state in (*UNDER_WAY, "waiting") or not node.outstanding:
            return
        if node.artefact and node.outstanding == node.artefact.offer(node.attempt):
            self._withdraw(node)

    def _is_offered(self, node: Node) -> bool:
        """Whether the broker keeps an offer of this release for it, of an earlier run."""
        return any(
            node.outstanding.endswith(one.manifest.encoded()) for one in self.release.artefacts
        )

    def _withdraw(self, node: Node) -> None:
        self._pieces.withdraw(node.name)
        node.outstanding = b""
        self._publish(node.name, OFFER, b"", True)

    def _stop(self, failed: Node, now: float) -> None:
        """A trial can't be called off; all else is."""
        self.stopped_by = failed
        for one in self.nodes:
            if one.state in ("waiting", "offered", "fetching"):
                had = "not offered" if one.state == "waiting" else "called off"
                one.enter("stopped", now, f"{had}, as {failed.name} failed")
                self._settle(one)


def hear(node: Node, topic: str, message: bytes, *, is_kept: bool, now: float) -> None:
    """What a node has told, or the broker has kept of it."""
    if topic == OFFER:
        if is_kept:
            node.outstanding = message
        return
    try:
        if topic == STATUS:
            node.take_status(payload.read(message), is_kept=is_kept, now=now)
        elif topic == HEALTH:
            node.take_health(payload.read(message))
        elif topic == REPORT:
            node.take_report(reports.read(message), is_kept=is_kept, now=now)
    except payload.Unreadable:
        return
