"""A stranger who sends nonsense without end fills neither a terminal nor a page."""

from __future__ import annotations

from fieldpost.serve.sparing import IN_A_MINUTE, Sparing


def test_of_many_sentences_some_are_told_and_the_rest_counted() -> None:
    told: list[str] = []
    now = [0.0]
    say = Sparing(told.append, lambda: now[0])
    for number in range(1000):
        say(f"sentence {number}")
    assert told == [f"sentence {number}" for number in range(IN_A_MINUTE)]
    now[0] = 61.0
    say("later")
    assert told[IN_A_MINUTE:] == ["980 more of such sentences are left out", "later"]


def test_few_are_all_told() -> None:
    told: list[str] = []
    now = [0.0]
    say = Sparing(told.append, lambda: now[0])
    for number in range(100):
        now[0] += 4
        say(str(number))
    assert len(told) == 100
