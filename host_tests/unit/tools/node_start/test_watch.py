"""What a node says as it starts is taken for what it means."""

import pytest

from fieldpost.node_start import tell
from fieldpost.node_start.watch import Start


@pytest.mark.parametrize(("count", "is_delivered"), [(0, False), (1, True), (10, True)])
def test_a_delivery_of_nothing_is_none(count: int, is_delivered: bool) -> None:
    node = Start()
    node.hear(f"       0.2 delivered {count} readings in 1 round trips, 1 segments, 3 ms")
    assert node.is_delivered is is_delivered


def test_why_a_reading_waits_is_what_the_node_last_said_of_its_way_to_a_broker() -> None:
    node = Start()
    assert tell.no_broker(node) == "no broker has taken it yet"
    for line in (
        "       0.9 link: no such access point; next try in 0.7 s",
        "       1.4 link: up, 10.0.0.1:1883",
        "       1.5 sample 1 stored, 2 waiting",
    ):
        node.hear(line)
        assert tell.no_broker(node) == "no broker has taken it yet (no such access point)"
    node.hear("       2.4 link: connection reset; next try in 12.5 s")
    assert tell.no_broker(node) == "no broker has taken it yet (connection reset)"
