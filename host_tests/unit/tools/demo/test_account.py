"""The demonstration's account: a lost, a doubled or a shuffled reading shows in its figures."""

import json

import pytest

from fieldpost.demo.state import DemoState
from fieldpost.messages.account import Account


def reading(seq: int, boot: int = 1, **fields: object) -> dict[str, object]:
    return {"boot": boot, "seq": seq, "ts": 1795368917 + seq, "temperature": 20.0, **fields}


@pytest.fixture
def account() -> Account:
    account = Account()
    for seq in range(4):
        account.take((1, seq))
    return account


def test_all_arrived_once_and_in_order(account: Account) -> None:
    for seq in range(4):
        assert account.deliver(reading(seq))
    assert (account.waiting, account.duplicated, account.repeats) == (set(), 0, 0)
    assert account.out_of_order == 0


def test_a_reading_that_never_arrives_is_missed(account: Account) -> None:
    for seq in (0, 1, 3):
        account.deliver(reading(seq))
    assert account.waiting == {(1, 2)}


def test_a_message_that_comes_twice_is_a_repeat_that_the_key_removes(account: Account) -> None:
    account.deliver(reading(0))
    assert not account.deliver(reading(0))
    assert (account.repeats, account.duplicated) == (1, 0)


def test_two_readings_under_one_key_are_duplicates(account: Account) -> None:
    account.deliver(reading(0))
    account.deliver(reading(0, temperature=21.0))
    assert account.duplicated == 1


def test_a_reading_under_a_key_that_was_never_given_is_a_duplicate(account: Account) -> None:
    for seq in range(5):
        account.deliver(reading(seq))
    assert account.duplicated == 1


def test_a_reading_that_overtakes_another_is_out_of_order(account: Account) -> None:
    for seq in (0, 2, 1, 3):
        account.deliver(reading(seq))
    assert account.out_of_order == 1


def test_the_same_seq_of_another_boot_is_another_reading(account: Account) -> None:
    account.take((2, 0))
    for key in ((1, 0), (1, 1), (1, 2), (1, 3), (2, 0)):
        account.deliver(reading(key[1], boot=key[0]))
    assert (account.waiting, account.duplicated, account.out_of_order) == (set(), 0, 0)


@pytest.mark.parametrize("content", [{}, {"boot": 1}, {"boot": True, "seq": 0}, {"seq": "1"}])
def test_a_reading_without_its_key_is_an_error(account: Account, content: dict) -> None:
    with pytest.raises(ValueError, match="without boot and seq"):
        account.deliver(content)


# What the state learns from the console and from the broker --------------------------------------


@pytest.fixture
def state() -> DemoState:
    state = DemoState("broker", "mqtt://127.0.0.1:1", "node", "")
    state.node_said("       0.0 ready: demo, boot 7")
    return state


def deliver(state: DemoState, seq: int) -> None:
    state.broker_sent("fieldpost/demo/telemetry", json.dumps(reading(seq, boot=7)).encode())


def test_what_was_taken_comes_from_the_console(state: DemoState) -> None:
    state.node_said("       1.0 sample 12 stored, 5 waiting")
    assert state.account.taken == {(7, 12)}
    assert (state.waiting, state.deepest) == (5, 5)
    deliver(state, 12)
    assert (state.waiting, state.deepest) == (0, 5)


def test_only_readings_taken_without_a_broker_count_as_recovered(state: DemoState) -> None:
    state.node_said("       1.0 sample 0 stored, 1 waiting")
    deliver(state, 0)
    state.broker_up = False
    state.node_said("       2.0 sample 1 stored, 1 waiting")
    assert state.recovered == set()
    state.broker_up = True
    deliver(state, 1)
    state.node_said("       3.0 sample 2 stored, 1 waiting")
    deliver(state, 2)
    assert state.recovered == {(7, 1)}


@pytest.mark.parametrize("payload", [b"", b"{", b"[]", b"\xff", b'{"seq":1}'])
def test_telemetry_that_is_none_is_held_against_the_node(state: DemoState, payload: bytes) -> None:
    assert state.broker_sent("fieldpost/demo/telemetry", payload) is None
    assert len(state.strange) == 1
