"""The reconnect logic: when it tries again, by which means, and what it says of it."""

from types import SimpleNamespace

import pytest
from rigs.link import ECONNREFUSED, ECONNRESET, EHOSTUNREACH, ENETDOWN, ETIMEDOUT, LinkBench

from firmware.net import link
from firmware.net.mqtt_session import Refused


@pytest.fixture(autouse=True)
def host_collects_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """A collection of the test process's whole heap takes what a board's never would."""
    monkeypatch.setattr(link, "gc", SimpleNamespace(collect=lambda: 0))


# Backoff ---------------------------------------------------------------------------------------


def test_delays_are_random_below_a_limit_that_doubles_up_to_the_cap() -> None:
    """Full jitter: all of the span is used, so that nodes do not come back together."""
    gaps: dict[int, list[int]] = {}
    for seed in range(300):
        bench = LinkBench(seed)
        bench.session.error = OSError(ETIMEDOUT)
        while len(bench.session.opened_ms) < 13:
            bench.run_s(30)
        for attempt, gap_ms in enumerate(bench.gaps_ms()[:12]):
            gaps.setdefault(attempt, []).append(gap_ms)
    for attempt, found in gaps.items():
        limit_ms = min(1000 << attempt, 300_000)
        assert max(found) <= limit_ms + 100  # and a look at the station
        assert max(found) > 0.95 * limit_ms
        assert min(found) < 0.05 * limit_ms
        assert 0.4 * limit_ms < sum(found) / len(found) < 0.6 * limit_ms


def test_the_backoff_begins_anew_only_after_a_stable_minute() -> None:
    bench = LinkBench()
    bench.session.error = OSError(ETIMEDOUT)
    bench.run_s(1800)
    assert max(bench.gaps_ms()[-5:]) > 60_000
    for up_s, anew in ((59, False), (61, True)):
        bench.session.error = bench.session.broken = None
        while not bench.link.is_up:
            bench.run_s(1)
        bench.run_s(up_s)
        bench.session.broken = bench.session.error = OSError(ETIMEDOUT)
        bench.session.opened_ms.clear()
        before_ms = bench.time.elapsed_ms
        bench.run_s(120)
        tries = [opened - before_ms for opened in bench.session.opened_ms]
        assert (len(tries) >= 4 and tries[0] <= 2000) == anew


def test_the_minute_is_over_at_its_end() -> None:
    bench = LinkBench()
    bench.session.error = OSError(ETIMEDOUT)
    bench.step()
    bench.session.error = None
    while not bench.link.is_up:
        bench.run_s(1)
    settled: list[bool] = []
    bench.link._recovery.settled = lambda: settled.append(True)
    up_ms = bench.link.clock.uptime_ms() - bench.link.since_ms
    bench.run_s((59_999 - up_ms) / 1000)
    bench.step()
    assert not settled
    bench.time.advance_ms(1)
    bench.step()
    assert settled


def test_a_base_and_cap_of_ones_own_are_kept() -> None:
    bench = LinkBench(base_s=0.5, cap_s=4)
    bench.session.error = OSError(ETIMEDOUT)
    bench.run_s(900)
    assert 2000 < max(bench.gaps_ms()) <= 4100
    assert bench.gaps_ms()[0] <= 600


def _first_pauses_ms(up_s: float, error: int, **retry: float) -> list[int]:
    """Of many nodes, after a session that lasted `up_s`."""
    pauses_ms = []
    for seed in range(200):
        bench = LinkBench(seed, **retry)
        bench.step()
        bench.time.advance_ms(up_s * 1000)
        if error == ENETDOWN:
            bench.station.state = "joining"
        else:
            bench.session.broken = OSError(error)
        pauses_ms.append(bench.step())
    return sorted(pauses_ms)


@pytest.mark.parametrize(
    ("up_s", "retry", "limit_ms"),
    [
        (10, {}, 1000),
        (600, {}, 10_000),
        (86_400, {}, 30_000),
        (86_400, {"base_s": 5}, 150_000),
        (86_400, {"cap_s": 12}, 12_000),
    ],
)
def test_after_a_long_session_a_fleet_comes_back_within_a_sixtieth_of_its_time(
    up_s: float, retry: dict[str, float], limit_ms: int
) -> None:
    """So many dial in a second, and no more, when a broker has ended all sessions at once; who
    works on a node does not wait."""
    pauses_ms = _first_pauses_ms(up_s, ECONNRESET, **retry)
    assert 0.97 * limit_ms < pauses_ms[-1] <= limit_ms
    assert pauses_ms[0] < 0.03 * limit_ms
    quarters = [
        sum(part * limit_ms / 4 <= one < (part + 1) * limit_ms / 4 for one in pauses_ms)
        for part in range(4)
    ]
    assert min(quarters) > 30, "evenly"


def test_a_wi_fi_that_is_gone_is_looked_for_at_once_however_long_it_was_there() -> None:
    assert _first_pauses_ms(86_400, ENETDOWN)[-1] <= 1000


def test_who_fails_again_after_a_long_session_keeps_the_fleets_rate() -> None:
    """Twice the first span: half of what is away dials in each. It does not grow before the
    plain back-off has come so far, and a stable minute ends it."""
    second_ms, third_ms = [], []
    bench = LinkBench()
    for seed in range(200):
        bench = LinkBench(seed)
        bench.step()
        bench.time.advance_ms(86_400_000)
        bench.session.broken = bench.session.error = OSError(ECONNREFUSED)
        while len(bench.session.opened_ms) < 4:
            bench.run_s(10)
        gaps_ms = bench.gaps_ms()
        second_ms.append(gaps_ms[1])
        third_ms.append(gaps_ms[2])
    for found in (second_ms, third_ms):
        assert 55_000 < max(found) <= 60_100
        assert 25_000 < sum(found) / len(found) < 35_000
    bench.session.broken = bench.session.error = None
    while not bench.link.is_up:
        bench.run_s(1)
    bench.run_s(70)
    bench.session.broken = bench.session.error = OSError(ECONNREFUSED)
    assert bench.step() <= 70_000 // 60 + 100


# Escalation ------------------------------------------------------------------------------------


def test_the_means_grow_from_rejoin_to_radio_to_restart() -> None:
    bench = LinkBench(cap_s=20)
    bench.session.error = OSError(ETIMEDOUT)
    station = bench.station
    while len(bench.session.opened_ms) < 3:
        bench.run_s(0.1)
    assert station.calls == ["start", "leave"]
    while len(bench.session.opened_ms) < 4:
        bench.run_s(0.1)
    assert station.calls == ["start", "leave", "start"]
    bench.run_s(890 - bench.time.elapsed_ms / 1000)
    assert "power_cycle" not in station.calls
    bench.run_s(40)
    assert station.calls.count("power_cycle") == 1
    bench.run_s(3590 - bench.time.elapsed_ms / 1000)
    assert 3 <= station.calls.count("power_cycle") <= 4
    assert bench.user.restarts_ms == []
    bench.run_s(40)
    assert 3_600_000 <= bench.user.restarts_ms[0] <= 3_630_000
    assert "link: nothing for 15 min, radio off and on" in bench.lines
    assert "link: nothing for 60 min, restarting" in bench.lines
    # Each time after leaving or switching off, the station is started anew.
    for index, call in enumerate(station.calls[:-1]):
        if call != "start":
            assert station.calls[index + 1] in ("start", "power_cycle")


def test_the_radio_is_switched_off_and_on_at_its_time_and_not_a_step_later() -> None:
    security = SimpleNamespace(waits=lambda: "the time is not known", explain=None)
    bench = LinkBench(security=security, radio_s=900, reset_s=10_000)
    cycled_s = []
    for second in range(2800):
        before = bench.station.calls.count("power_cycle")
        bench.step()
        bench.step()
        if bench.station.calls.count("power_cycle") > before:
            cycled_s.append(second)
        bench.time.advance_ms(1000)
    assert cycled_s == [900, 1800, 2700]


def test_a_join_that_fails_escalates_the_same_way() -> None:
    """Complaint 7: no reconnect after a router outage."""
    bench = LinkBench(cap_s=20)
    bench.station.state = "no such access point"
    bench.run_s(3700)
    assert 3 <= bench.station.calls.count("power_cycle") <= 4
    assert bench.user.restarts_ms
    bench.station.state = "up"
    bench.run_s(30)
    assert bench.link.is_up


ANSWERS = {
    "refused": OSError(ECONNREFUSED),
    "refused as lwIP numbers it": OSError(61),
    "refused as RP2 has it, or reset": OSError(ECONNRESET),
    "CONNACK says no": Refused("not authorised"),
}


@pytest.mark.parametrize("answer", ANSWERS)
def test_an_answer_of_any_kind_proves_the_radio(answer: str) -> None:
    bench = LinkBench(cap_s=20)
    bench.session.error = ANSWERS[answer]
    bench.run_s(3 * 3600)
    assert "power_cycle" not in bench.station.calls
    assert bench.user.restarts_ms == []
    assert len(bench.session.opened_ms) > 300
    # From the last answer on the clock of the escalation runs anew.
    bench.session.error = OSError(ETIMEDOUT)
    bench.run_s(880)
    assert "power_cycle" not in bench.station.calls
    bench.run_s(60)
    assert "power_cycle" in bench.station.calls


def test_a_link_that_was_up_for_long_is_not_restarted_at_its_first_failure() -> None:
    bench = LinkBench()
    bench.run_s(5 * 3600)
    bench.session.broken = bench.session.error = OSError(ETIMEDOUT)
    bench.run_s(60)
    assert "power_cycle" not in bench.station.calls
    assert bench.user.restarts_ms == []


# Reasons ---------------------------------------------------------------------------------------


def test_a_wrong_password_and_a_missing_access_point_are_told_apart() -> None:
    """Both are tried again, the wrong password not before half a minute."""
    bench = LinkBench()
    bench.station.state = "no such access point"
    bench.run_s(1)
    assert bench.link.failure == "no such access point"
    absent = bench.station.calls.count("start")
    bench.station.state = "wrong password"
    bench.run_s(10)
    assert bench.link.failure == "wrong password"
    before = bench.station.calls.count("start")
    bench.run_s(3600)
    tries = bench.station.calls.count("start") - before
    assert 10 <= tries <= 60
    assert absent >= 1
    assert bench.link.causes.keys() == {"no such access point", "wrong password"}
    assert any("wrong password" in line for line in bench.lines)


def test_a_refusal_is_tried_again_slowly_and_named() -> None:
    bench = LinkBench()
    bench.session.error = Refused("bad user name or password")
    bench.run_s(3600)
    assert bench.link.failure == "bad user name or password"
    assert min(bench.gaps_ms()) >= 30_000
    first_ms = []
    for seed in range(100):
        bench = LinkBench(seed)
        bench.session.error = Refused("bad user name or password")
        first_ms.append(bench.step())
    assert 30_000 <= min(first_ms) < 33_000, "the first delay by itself would be a second at most"
    assert 57_000 < max(first_ms) <= 60_000, "who was refused together comes back apart"


@pytest.mark.parametrize(
    ("error", "was_up", "early", "of_tls", "is_careful"),
    [
        (ECONNRESET, False, False, None, True),
        (ECONNRESET, True, False, None, True),
        (ETIMEDOUT, False, False, None, False),
        (ETIMEDOUT, True, False, None, True),
        (ETIMEDOUT, False, True, None, True),
        (ENETDOWN, True, False, None, False),
        (ETIMEDOUT, True, False, "what listens there does not speak TLS", False),
    ],
)
def test_who_may_have_ended_a_connection_at_a_packet_is_watched_from_then_on(
    error: int, was_up: bool, early: bool, of_tls: str | None, is_careful: bool
) -> None:
    """A broker that could not be reached has seen no packet of ours."""
    bench = LinkBench()
    if was_up:
        bench.step()
        bench.session.broken = OSError(error)
    else:
        bench.session.error = OSError(error)
        bench.session.early_in_vain = early
    if of_tls:
        bench.link.security = SimpleNamespace(
            explain=lambda error, wire: (of_tls, False), waits=lambda: None
        )
    bench.step()
    assert (bench.session.careful is not None) == is_careful


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(ETIMEDOUT), "broker does not answer"),
        (OSError(ECONNRESET), "connection reset"),
        (OSError(32), "connection reset"),
        (OSError(ECONNREFUSED), "broker refuses connections"),
        (OSError(EHOSTUNREACH), "broker not reachable"),
        (OSError(-2), "name of the broker not found"),
        (OSError(-202), "no memory for a socket"),
        (OSError(23), "too many open sockets"),
        (OSError(71, "index out of range"), "broker does not speak MQTT 3.1.1"),
        (OSError(5), "connection lost (5)"),
        (MemoryError(), "out of memory"),
    ],
)
def test_each_failure_is_named_and_leaves_nothing_open(error: BaseException, words: str) -> None:
    bench = LinkBench()
    bench.session.error = error
    bench.step()
    assert bench.link.failure == words
    assert bench.link.causes == {words: 1}
    assert bench.session.abandoned >= 1
    assert bench.user.downs == 1
    bench.session.error = None
    bench.run_s(2)
    assert bench.link.is_up
    assert bench.link.failure is None


def test_what_is_counted_of_failures_is_bounded() -> None:
    bench = LinkBench(cap_s=1)
    for code in range(200, 300):
        bench.session.error = OSError(code)
        bench.run_s(3)
    assert len(bench.link.causes) == 16


# While it is up --------------------------------------------------------------------------------


def test_a_session_that_breaks_is_given_up_and_opened_again_with_the_ride() -> None:
    bench = LinkBench()
    connect = bench.user.connect
    bench.run_s(10)
    assert bench.session.early_packets == [connect]
    bench.session.broken = OSError(ECONNRESET)
    bench.step()
    assert (bench.link.is_up, bench.link.reconnects, bench.user.downs) == (False, 1, 1)
    assert bench.session.abandoned >= 1
    bench.session.broken = None
    bench.run_s(2)
    assert bench.link.is_up
    assert bench.session.early_packets == [connect, connect]


@pytest.mark.parametrize("error", [OSError(ETIMEDOUT), MemoryError()])
def test_work_that_fails_costs_the_session_and_not_the_node(error: BaseException) -> None:
    bench = LinkBench()
    bench.run_s(10)

    def fail() -> int:
        raise error

    bench.user.work = fail  # type: ignore[method-assign]
    bench.step()
    assert not bench.link.is_up
    assert bench.session.abandoned >= 1
    del bench.user.work
    bench.run_s(2)
    assert bench.link.is_up


def test_a_network_that_is_gone_ends_the_session_and_is_joined_again() -> None:
    """Complaint 7: `isconnected()` stays True; the station is asked, and told to leave."""
    bench = LinkBench()
    bench.run_s(10)
    bench.station.state = "joining"
    bench.run_s(5)
    assert not bench.link.is_up
    assert bench.link.failure == "Wi-Fi lost"
    assert bench.station.calls == ["start", "leave", "start"]
    assert bench.session.abandoned >= 1
    bench.station.state = "up"
    bench.run_s(1)
    assert bench.link.is_up


@pytest.mark.parametrize("early", [False, True])
def test_a_network_that_is_gone_is_left_whatever_became_of_early_packets(early: bool) -> None:
    bench = LinkBench()
    bench.run_s(10)
    bench.session.early_in_vain = early
    bench.station.state = "joining"
    bench.step()
    assert bench.station.calls == ["start", "leave"]
    assert bench.link.failure == "Wi-Fi lost"


@pytest.mark.parametrize("handshaking", [False, True])
def test_early_packets_in_vain_are_followed_at_once_and_count_as_no_failure(
    handshaking: bool,
) -> None:
    bench = LinkBench()
    bench.session.wire.handshaking = handshaking
    bench.session.error = OSError(ETIMEDOUT)
    bench.session.early_in_vain = True
    assert bench.step() == 0
    assert bench.link.failures == 0
    # Within a TLS handshake they may never have left: that is no reason to name them.
    early = "early packets were not all answered: trying once without them"
    assert bench.lines == ["link: " + ("broker does not answer" if handshaking else early)]
    bench.step()
    assert bench.link.failures == 1
    assert bench.link.failure == "broker does not answer"


def test_a_stale_network_is_left_after_three_sessions_that_failed() -> None:
    """Complaint 7: a stale address, and a station that believes in it."""
    bench = LinkBench()
    bench.session.error = OSError(ETIMEDOUT)
    while len(bench.session.opened_ms) < 6:
        bench.run_s(0.2)
    assert bench.station.calls[:3] == ["start", "leave", "start"]
    assert bench.station.calls.count("leave") == 2


def test_the_next_step_is_due_when_work_or_the_session_needs_it() -> None:
    bench = LinkBench()
    assert bench.step() == 0, "what is open has work at once"
    for work_ms, due_ms in ((5000, 1000), (30, 30), (0, 0)):
        bench.user.work_ms = work_ms
        assert bench.step() == due_ms
    bench.station.state = "joining"
    bench.step()
    bench.run_s(2)
    assert 0 < bench.step() <= 200


def test_what_work_gathered_leaves_behind_it_and_not_a_step_later() -> None:
    bench = LinkBench()
    bench.step()
    flushed: list[int] = []
    bench.user.work = lambda: flushed.append(bench.session.flushed) or 5000  # type: ignore[method-assign]
    bench.step()
    assert bench.session.flushed == flushed[0] + 1


def test_a_join_is_looked_at_ever_more_seldom_and_noticed_a_tenth_of_its_time_late() -> None:
    bench = LinkBench()
    bench.station.state = "joining"
    assert bench.step() == link._JOIN_POLL_MS
    for after_ms in (1000, 1000, 500):
        bench.time.advance_ms(after_ms)
        assert bench.step() == min(bench.time.elapsed_ms // 10, link._JOIN_POLL_MAX_MS)
    bench.time.advance_ms(60_000)
    assert bench.step() == link._JOIN_POLL_MAX_MS


def test_sessions_that_failed_before_one_that_did_not_count_no_more() -> None:
    """The third failure in a row leaves the network, for the access point may be gone."""
    bench = LinkBench()

    def fail(count: int) -> None:
        bench.session.error = OSError(ETIMEDOUT)
        before = len(bench.session.opened_ms)
        while len(bench.session.opened_ms) < before + count:
            bench.run_s(0.1)

    fail(2)
    bench.session.error = None
    while not bench.link.is_up:
        bench.run_s(0.1)
    bench.session.broken = OSError(ETIMEDOUT)
    bench.step()
    bench.session.broken = None
    fail(1)
    assert "leave" not in bench.station.calls
    fail(1)
    assert bench.station.calls.count("leave") == 1


def test_whose_link_it_is_is_told_of_each_session_once() -> None:
    bench = LinkBench()
    bench.session.error = OSError(ETIMEDOUT)
    bench.run_s(1)
    assert bench.user.ups == 0
    bench.session.error = None
    bench.run_s(10)
    assert bench.user.ups == 1
    bench.session.broken = OSError(ECONNRESET)
    bench.step()
    bench.session.broken = None
    bench.run_s(10)
    assert bench.user.ups == 2


def test_close_ends_the_session_in_order_and_leaves_the_network() -> None:
    bench = LinkBench()
    bench.run_s(10)
    bench.link.close()
    assert (bench.session.closed, bench.link.is_up) == (1, False)
    assert bench.station.calls == ["start", "leave"]
    bench.link.close()
    assert bench.session.closed == 1
    bench.run_s(1)
    assert bench.link.is_up
    assert bench.station.calls == ["start", "leave", "leave", "start"]
