"""What a node says as it starts is taken for what it means."""

import pytest

from fieldpost.node_start.watch import Start


@pytest.mark.parametrize(("count", "is_delivered"), [(0, False), (1, True), (10, True)])
def test_a_delivery_of_nothing_is_none(count: int, is_delivered: bool) -> None:
    node = Start()
    node.hear(f"       0.2 delivered {count} readings in 1 round trips, 1 segments, 3 ms")
    assert node.is_delivered is is_delivered
