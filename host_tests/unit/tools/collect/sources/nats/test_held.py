"""A message that is here is known when it comes again, and done with once."""

from __future__ import annotations

from fieldpost.collect.sources.nats.held import Held


def _reply(delivered: int, number: int, stamp: int = 17) -> str:
    return f"$JS.ACK.$MQTT_msgs.fieldpost.{delivered}.{number}.{delivered}.{stamp}.0"


def test_one_that_comes_again_is_acknowledged_where_it_came_last() -> None:
    held = Held()
    number = held.add(_reply(1, 40))
    assert number is not None
    assert held.add(_reply(2, 40)) is None
    assert held.replies([number]) == [_reply(2, 40)]
    assert len(held) == 1


def test_one_of_a_stream_that_was_made_anew_is_another() -> None:
    held = Held()
    assert held.add(_reply(1, 40)) != held.add(_reply(1, 40, stamp=18))
    assert len(held) == 2


def test_one_that_is_done_with_can_come_again() -> None:
    held = Held()
    number = held.add(_reply(1, 40))
    assert number is not None
    held.remove(number)
    held.remove(number)
    assert held.replies([number]) == []
    assert held.add(_reply(2, 40)) not in (None, number)


def test_both_forms_of_a_reply_name_the_same_message() -> None:
    held = Held()
    assert held.add(_reply(1, 40)) is not None
    assert held.add("$JS.ACK.hub.ACCOUNT.$MQTT_msgs.fieldpost.2.40.2.17.0.token") is None
