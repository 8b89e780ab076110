"""Whole nodes under seeded faults: nothing lost, nothing twice after the key, nothing hangs."""

import os
import re
import subprocess
import sys

import pytest

from fieldpost.paths import ROOT
from simulation import scenario
from simulation.endings import Violation
from simulation.faults import GROUPS
from simulation.ledger import Ledger
from simulation.personalities import PERSONALITIES
from simulation.run import Failed, Result, Run, run

# The first of these are tried each time, the others with the longer proofs.
_SEEDS = 100
_FEW_SEEDS = 20
_SEEDS_OF_A_BROKER = 2
_HOURS = 3.0
_BATCH = 10
_TRACE_HOURS = 1.0

_TRACE = """
import conftest
from simulation import scenario
from simulation.run import Run
played = Run(scenario.make({seed}, {hours}, {nodes}))
result = played.play()
for line in played.world.trace:
    print(*line)
print(result, played.net.totals)
"""


@pytest.mark.parametrize("first", range(1, _FEW_SEEDS + 1, _BATCH))
def test_no_seed_breaks_an_invariant(first: int) -> None:
    _play(first)


@pytest.mark.slow
@pytest.mark.parametrize("first", range(_FEW_SEEDS + 1, _SEEDS + 1, _BATCH))
def test_no_other_seed_breaks_one_either(first: int) -> None:
    _play(first)


@pytest.mark.parametrize("first", [1, pytest.param(4, marks=pytest.mark.slow)])
def test_updates_end_with_the_newest_good_firmware_whatever_goes_wrong(first: int) -> None:
    total = Result()
    for seed in range(first, first + (3 if first == 1 else 16)):
        groups = ["updates", "power", "flash", "broker", "connection", "commands"]
        total += run(seed, _HOURS, groups=groups)
    assert total.lost == total.doubled == total.late_waits == 0
    assert total.offers > 8 and total.updated and total.went_back and total.not_taken


@pytest.mark.slow
@pytest.mark.parametrize(
    ("seed", "hours", "broker"),
    [
        # A slow network ended three wakes at the same subscription, which was left out for that.
        (2, 12.0, "answers early packets before CONNACK"),
        # What was owed was on flash, and the connection that brought it had only just begun.
        (2642, 24.0, "takes nothing retained"),
    ],
)
def test_what_a_soak_has_found_once_is_found_no_more(seed: int, hours: float, broker: str) -> None:
    total = run(seed, hours, broker=broker)
    assert total.lost == total.doubled == total.late_waits == 0


def _play(first: int) -> None:
    total = Result()
    for seed in range(first, first + _BATCH):
        total += run(seed, _HOURS)
    assert total.lost == total.doubled == total.late_waits == 0
    assert total.delivered > 500


@pytest.mark.parametrize("broker", PERSONALITIES)
def test_no_seed_breaks_an_invariant_at_a_broker_with_habits(broker: str) -> None:
    total = Result()
    for seed in range(1, _SEEDS_OF_A_BROKER + 1):
        total += run(seed, _HOURS, broker=broker)
    assert total.lost == total.doubled == total.late_waits == 0
    assert total.delivered > 200 or not PERSONALITIES[broker].delivers
    assert total.brokers == {broker: _SEEDS_OF_A_BROKER}


def test_the_page_tells_of_every_broker_and_of_every_exception_that_it_makes() -> None:
    rows = (ROOT / "docs" / "reliability.md").read_text().split("| a broker that |")[1]
    exceptions = dict(re.findall(r"^\| ([^|]+?) \| ([^|]*?) *\|$", rows, re.MULTILINE))
    for name, personality in PERSONALITIES.items():
        assert name in exceptions
        made = {
            "no commands": not personality.hears,
            "no answers": not personality.tells,
            "order": not personality.in_order,
            "alarms": not personality.at_once,
            "connections": personality.ends > 0,
            "no readings": not personality.delivers,
        }
        for word, is_made in made.items():
            assert (word in exceptions[name]) == is_made, (name, word)


@pytest.mark.parametrize("group", GROUPS)
def test_every_kind_of_fault_happens_and_ends(group: str) -> None:
    total = Result()
    for seed in range(1, 31):
        total += run(seed, 3.0, 1, [group])
        if set(GROUPS[group]) <= set(total.faults):
            break
    assert set(GROUPS[group]) == set(total.faults)


def _trace(seed: int, nodes: int, hash_seed: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", _TRACE.format(seed=seed, hours=_TRACE_HOURS, nodes=nodes)],
        cwd=ROOT / "host_tests",
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("nodes", [1, 3])
def test_one_seed_gives_one_run_exactly(nodes: int) -> None:
    first = _trace(5, nodes, "1")
    assert first.count("\n") > 400
    assert first == _trace(5, nodes, "2")
    assert first != _trace(6, nodes, "1")


def test_a_failure_prints_the_seed_the_command_that_replays_it_and_the_last_events() -> None:
    played = Run(scenario.make(7, 2.0))
    arrived = played.machines[0].ledger.arrived

    def forged(payload: bytes) -> None:
        arrived(payload.replace(b'"seq":9,', b'"seq":99999,'))

    played.machines[0].ledger.arrived = forged
    played.broker._watches.clear()
    played.broker.watch("fieldpost/+/telemetry", lambda record: forged(record.payload))
    with pytest.raises(Failed) as caught:
        played.play()
    text = str(caught.value)
    assert text.startswith("seed 7: ")
    assert "soak.py --replay 7 --hours 2 --broker '" in text
    assert "sample" in text and "down" in text


def _record(boot: int, seq: int, fields: bytes = b'"t":1') -> bytes:
    return b"".join(number.to_bytes(4, "little") for number in (boot, seq, 0)) + b"\1" + fields


def _payload(boot: int, seq: int, fields: bytes = b'"t":1') -> bytes:
    return b'{"boot":%d,"seq":%d,"ts":0,%s}' % (boot, seq, fields)


@pytest.fixture
def ledger() -> Ledger:
    """Three readings of boot 1 accepted, nothing dropped."""
    made = Ledger("node", lambda: 0)
    made.begin_boot(1)
    for seq in range(3):
        made.trying(_record(1, seq))
        made.accepted()
    return made


def test_the_ledger_takes_repeats_and_nothing_else_twice(ledger: Ledger) -> None:
    for seq in (0, 1, 1, 0, 2, 2):
        ledger.arrived(_payload(1, seq))
    ledger.finish()
    assert (ledger.delivered, ledger.repeats) == (3, 3)


@pytest.mark.parametrize(
    "payloads",
    [
        [_payload(1, 1)],  # one is missing
        [_payload(1, 0), _payload(1, 2), _payload(1, 1)],
        [_payload(1, 0, b'"t":2')],
        [_payload(1, 3)],
        [_payload(2, 0)],
        [b"{}"],
        [],
    ],
)
def test_the_ledger_notices(ledger: Ledger, payloads: list[bytes]) -> None:
    with pytest.raises(Violation):
        for payload in payloads:
            ledger.arrived(payload)
        ledger.finish()


def test_the_ledger_notices_a_gap_in_seq_and_a_boot_number_given_twice(ledger: Ledger) -> None:
    ledger.trying(_record(1, 4))
    with pytest.raises(Violation):
        ledger.accepted()
    with pytest.raises(Violation):
        ledger.begin_boot(1)


def test_what_was_only_in_ram_is_excused_by_a_power_cut_and_by_nothing_else(
    ledger: Ledger,
) -> None:
    ledger.arrived(_payload(1, 0))
    assert ledger.power_lost([_record(1, 2)]) == [(1, 2)]
    with pytest.raises(Violation):
        ledger.finish()
    ledger.arrived(_payload(1, 1))
    ledger.finish()
    assert ledger.lost_with_power == 1


@pytest.mark.parametrize("port", ["esp32", "rp2"])
def test_a_node_that_is_told_to_stay_awake_waits_and_does_not_spin(port: str) -> None:
    scene = scenario.make(1, 1.0, 1, [], True)
    scene.nodes[0].port = port
    scene.nodes[0].config["mqtt"]["clean"] = False
    played = Run(scene)
    (machine,) = played.machines
    played.world.at(600_000_000, lambda: machine.orders.send("stay_awake", minutes=7))
    result = played.play()
    assert result.answers >= 2
    assert machine.orders.refusals == 0


@pytest.mark.parametrize("port", ["esp32", "rp2"])
def test_a_reading_that_a_sleeping_node_is_asked_for_is_taken_as_soon_as_it_hears(
    port: str,
) -> None:
    scene = scenario.make(1, 0.25, 1, [], True)
    scene.nodes[0].port = port
    scene.nodes[0].config.update(deliver_every=1)
    scene.nodes[0].config["mqtt"]["clean"] = False
    played = Run(scene)
    (machine,) = played.machines
    played.world.at(630_000_000, lambda: machine.orders.send("sample"))
    played.play()
    taken_s = [at / 1e6 for at, *what in played.world.trace if "stored" in str(what[-1])]
    assert len([at_s for at_s in taken_s if 630 < at_s < 690]) == 2


@pytest.mark.parametrize("sleeps", [False, True])
def test_what_a_broker_closes_on_is_found_out_through_tls_too(sleeps: bool) -> None:
    """It closes on CONNECT, for the will: before the first byte, and yet not in the handshake."""
    total = Result()
    for seed in (1, 2):
        total += run(seed, 0.5, 1, ["tls"], sleeps, "takes nothing retained")
    assert total.delivered > 20
