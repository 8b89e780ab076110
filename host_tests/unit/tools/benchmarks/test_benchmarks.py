"""The benchmarks: their arithmetic, their page, and that each client does its work once."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rigs.mosquitto import need_mosquitto
from rigs.port import micropython

from benchmarks import __main__ as command
from benchmarks import (
    bench_board,
    figures,
    packages,
    parts,
    plots,
    port,
    report,
    report_footprint,
    report_tls,
    scaling,
    targets,
    tls,
    wake,
)
from fieldpost.errors import CommandError
from fieldpost.mqtt.brokers import HOST, Broker
from fieldpost.mqtt.proxy import Proxy
from fieldpost.paths import ROOT

_RUNS_MAX = 5


@pytest.fixture(scope="module")
def broker() -> Iterator[Broker]:
    with Broker() as broker:
        yield broker


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> parts.Parts:
    micropython()  # Else it skips.
    return parts.gather(tmp_path_factory.mktemp("parts"), offline=True)


def test_a_row_is_the_median_of_its_runs_with_their_spread() -> None:
    row = figures.merge([{"ms": 3.0, "n": 1}, {"ms": 1.0, "n": 1}, {"ms": 8.0, "n": 1}])
    assert row == {"ms": 3.0, "n": 1, "ms_min": 1.0, "ms_max": 8.0, "runs": 3}


def test_what_was_not_run_is_no_row_to_compare_with() -> None:
    rows = [{"client": "a", "not_run": "too long"}, {"client": "b", "ms": 10.0}]
    assert figures.pick(rows, client="a") is None
    assert figures.ratio("ms", None, rows[1]) is None
    assert figures.ratio("ms", {"ms": 50.0}, rows[1]) == 5.0


def test_a_straight_line_is_found_and_a_bent_one_told_from_it() -> None:
    rng = random.Random(7)
    slope, start, squared = figures.straightness([(x, 3 * x + 2) for x in (1, 10, 100, 1000)])
    assert (round(slope, 6), round(start, 6), round(squared, 6)) == (3, 2, 1)
    bent = [(x, x * x + rng.random()) for x in range(30)]
    assert figures.straightness(bent)[2] < 0.98


def test_quantiles_lie_between_the_values() -> None:
    assert figures.quantile([4, 1, 3, 2], 0.5) == 2.5
    assert figures.quantile([5], 0.9) == 5
    assert figures.quantile([1, 2], 1) == 2


def test_a_run_that_must_take_too_long_is_left_out() -> None:
    assert wake.least_s("umqtt.simple", 500, 200) == pytest.approx(100.4)
    assert wake.least_s("mqtt_as, one by one", 50, 50) == pytest.approx(6)
    assert wake.least_s("Fieldpost", 500, 200) == pytest.approx(0.4)


def _results(ours_ms: float) -> dict:
    at_50 = {"round_trip_ms": 50, "runs": 1, "ms_min": 1, "ms_max": 2, "round_trips": 2}
    at_50 |= {"segments": 2, "sent_bytes": 100, "received_bytes": 8}
    rows = [
        {"client": name, "readings": readings, "ms": ms, **at_50}
        for name, readings, ms in (
            ("Fieldpost", 1, ours_ms),
            ("Fieldpost", 50, ours_ms),
            ("umqtt.simple", 1, 150.0),
            ("umqtt.simple", 50, 2600.0),
        )
    ]
    results = {"wake": rows, "date": "2026-01-01", "quick": True, "versions": {"broker": "B 1"}}
    return results | {"not_run": {"mqtt_as": "not given"}}


@pytest.mark.parametrize(("ms", "met"), [(104.0, True), (131.0, False)])
def test_targets_are_judged_by_the_rows_of_one_run(ms: float, met: bool) -> None:
    judged = targets.judge(_results(ms))
    assert [row["met"] for row in judged[:3]] == [met] * 3
    assert {row["met"] for row in judged[4:]} == {None}


@pytest.mark.parametrize(("trips", "met"), [(4, True), (5, False)])
def test_tls_is_judged_by_its_worst_certificate_where_a_round_trip_takes_time(
    trips: int, met: bool
) -> None:
    far = {"client": "Fieldpost", "readings": 1, "round_trip_ms": 50}
    rows = [
        {**far, "certificate": "small", "round_trips": 4},
        {**far, "certificate": "large", "round_trips": trips},
        # Without a delay the broker's answers come one by one.
        {**far, "certificate": "small", "round_trip_ms": 0, "round_trips": 9},
        {**far, "client": "umqtt.simple", "certificate": "small", "round_trips": 54},
    ]
    results = _results(104.0) | {"tls": {"clients": rows, "shortened": []}}
    (row,) = [row for row in targets.judge(results) if "TLS" in row["target"]]
    assert (row["measured"], row["met"]) == (str(trips), met)
    rows.append({**far, "certificate": "larger", "not_run": "it crashed"})
    (row,) = [row for row in targets.judge(results) if "TLS" in row["target"]]
    assert row["met"] is None


@pytest.mark.slow
def test_a_wake_over_tls_takes_four_round_trips_and_its_tables_say_so(
    found: parts.Parts, tmp_path: Path
) -> None:
    need_mosquitto("only it is measured over TLS")
    # On a busy machine an acknowledgement is late, and a ping asks for it: a trip of its own.
    ours: dict[str, Any] = {"round_trips": None}
    measured: dict[str, Any] = {}
    for attempt in range(3):
        if ours["round_trips"] != 4:
            folder = tmp_path / str(attempt)
            folder.mkdir()
            measured = tls.measure(found, folder, True, lambda text: None)
            (ours,) = [row for row in measured["clients"] if row["client"] == "Fieldpost"]
    assert ours["round_trips"] == 4
    text = report_tls.render(measured)
    assert f"| Fieldpost | 1 | not run | {ours['ms']:,.0f} |" in text
    assert "mqtt_as, gathered (not given: --mqtt-as DIR)" in text
    if "not_run" not in measured["shortened"][0]:
        assert [row["round_trips"] for row in measured["shortened"]] == [4, 3, 4]


def test_every_other_client_is_a_rival_and_the_best_one_is_named() -> None:
    results = _results(104.0)
    results["wake"].append({**results["wake"][1], "client": "chumicro-mqtt", "ms": 130.0})
    results["wake"].append({**results["wake"][1], "client": "umqtt.robust2", "not_run": "gone"})
    judged = {row["target"]: row for row in targets.judge(results)}
    row = judged[
        "wake to delivered, 50 ms, 50 readings: 1.4 times faster than the best other client"
    ]
    assert row["measured"] == "1.25 times (chumicro-mqtt)" and not row["met"]


def test_segments_are_compared_with_the_best_at_the_most_readings_that_another_did() -> None:
    rows = [
        {"client": "Fieldpost", "readings": 20, "sent_data_segments": 5},
        {"client": "Fieldpost", "readings": 50, "sent_data_segments": 6},
        {"client": "umqtt.simple", "readings": 20, "sent_data_segments": 105},
        {"client": "chumicro-mqtt", "readings": 20, "sent_data_segments": 22},
        {"client": "umqtt.simple", "readings": 50, "not_run": "too many"},
    ]
    assert targets._segments(rows) == (5 / 22, 20, "chumicro-mqtt")


def test_recovery_finds_the_simulation_by_itself_and_says_when_each_node_was_done() -> None:
    # In an interpreter of its own: what pytest has on its path is not there.
    script = (
        "import json; from benchmarks import recovery\n"
        "print(json.dumps(recovery.measure(True, lambda text: None)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": str(ROOT / "tools")},
        cwd=ROOT / "tools",
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    assert [len(row["seconds"]) for row in rows] == [1, 10]


def test_a_benchmark_that_fails_is_named_and_the_others_are_kept(
    found: parts.Parts,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    need_mosquitto("the benchmarks want it")

    def fails(*_: object) -> None:
        raise port.ClientFailed("the client fell silent")

    monkeypatch.setattr(command.parts, "gather", lambda *_: found)
    monkeypatch.setattr(command.scaling, "measure", fails)
    monkeypatch.setattr(command.recovery, "measure", lambda *_: [{"nodes": 1}])
    written = tmp_path / "results.json"
    assert command.main(["--only", "scaling", "recovery", "--output", str(written)]) == 1
    results = json.loads(written.read_text())
    assert results["recovery"] == [{"nodes": 1}] and "scaling" not in results
    assert results["not_run"]["scaling"] == "the client fell silent"
    said = capsys.readouterr().err
    assert said.index("mqtt_as does not take part") < said.index("scaling failed")
    assert said.rstrip().endswith("bench: scaling failed: the client fell silent")


def _stages(free: int) -> dict[str, Any]:
    start = {"free": 190_000, "block": 180_000, "outside": 100_000}
    connected = {"free": free, "block": free - 9_000, "outside": 80_000}
    return {"start": start, "imported": {"free": free + 500}, "connected": connected}


@pytest.mark.parametrize("title", ["Pico W", "ESP32-C3"])
def test_a_board_s_tables_have_what_was_measured_and_name_what_was_not(title: str) -> None:
    secured = {**_stages(150_000), "wake_ms": [1400, 1300]}
    steady = {"free": 88_000, "block": 60_000, "outside": 20_000}
    node = {"start": {"free": 190_000}, "app imported": {"free": 185_000}, "steady": steady}
    board = {
        "board": title,
        "image": "IMAGE",
        "emulator": "an emulator",
        "heap": {"umqtt.simple": _stages(186_000), "mqtt_as": {"not_run": "it fell silent"}},
        "segments": [{"client": "mqtt_as", "readings": 50, "not_run": "too many"}],
        "tls": {
            "node": node,
            "clients": {"umqtt.simple": secured},
            "certificates": [{"certificate": "small", "shown_bytes": 433, **secured}],
        },
        "mpy_bytes": {"a.mpy": 10, "mqtt_as.mpy": 20},
        "loaded": ["a.mpy"],
    }
    text = report_footprint.render("3", board)
    is_esp32 = title != "Pico W"
    outside = " | 80,000" if is_esp32 else ""
    assert f"| umqtt.simple | 3,500 | 4,000 | 186,000 | 177,000{outside} |" in text
    assert "mqtt_as: it fell silent" in text and "mqtt_as: too many" in text
    assert f"over TLS | 5,000 | 102,000 | 88,000 | 60,000{' | 20,000' * is_esp32} |" in text
    assert ("1,400 | 1,300" in text) != is_esp32
    assert ("| mqtt_as, for comparison | 20 |" in text) != is_esp32


def test_a_board_says_stages_what_lies_outside_of_its_heap_and_how_long_a_wake_took() -> None:
    told = """{"stage": "start", "free": 5, "block": 4}
{"outside": "start", "free": 9}
{"wake_ms": 12}
{"wake_ms": 11}
{"delivery": {"readings": 3}}"""
    assert bench_board.parse(7, told) == {
        "plain": {"free": 7},
        "start": {"free": 5, "block": 4, "outside": 9},
        "wake_ms": [12, 11],
    }


def test_a_failure_of_an_emulated_board_is_told_without_the_advice_to_unplug_it() -> None:
    error = CommandError(
        "the board on /dev/pts/0 did not finish within 25 s. Unplug it, plug it in again, and "
        "repeat the command."
    )
    assert bench_board.why(error) == "the board did not finish within 25 s"


def test_an_archive_that_is_not_the_published_one_is_refused() -> None:
    with pytest.raises(CommandError, match="not the published chumicro-mqtt"):
        packages.unpack(packages.CHUMICRO[0], b"something else")


def test_the_page_keeps_what_people_wrote_and_names_what_was_not_run(tmp_path: Path) -> None:
    page = tmp_path / "benchmarks.md"
    page.write_text(f"# Title\n\n{report.BEGIN}\nold\n{report.END}\nlast words\n")
    results = _results(104.0)
    results["targets"] = targets.judge(results)
    for _ in range(2):
        report.write(page, results)
    text = page.read_text()
    assert text.startswith("# Title\n") and text.endswith("last words\n") and "old" not in text
    assert text.count("### Targets") == 1
    assert "mqtt_as: not given" in text and "25.0 times | met" in text
    page.write_text("no markers")
    with pytest.raises(ValueError):
        report.write(page, results)


@pytest.mark.slow
@pytest.mark.parametrize(("asked", "published"), [((), False), (("--docs",), True)])
def test_the_published_page_is_replaced_only_when_that_is_asked_for(
    asked: tuple[str, ...], published: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    docs, tried = tmp_path / "docs", tmp_path / "build"
    docs.mkdir()
    committed = f"# Title\n\n{report.BEGIN}\nold\n{report.END}\n"
    (docs / "benchmarks.md").write_text(committed)
    monkeypatch.setattr(command, "DOCS", docs)
    monkeypatch.setattr(command, "TRIED", tried)
    run = tmp_path / "run.json"
    run.write_text(json.dumps(_results(104.0)))
    assert command.main(["--render", str(run), *asked]) == 0
    assert (docs / "benchmarks.md").read_text() == committed or published
    page = (docs if published else tried) / "benchmarks.md"
    assert "### Targets" in page.read_text() and "old" not in page.read_text()
    assert (page.parent / "benchmarks" / "results.json").exists()
    assert (docs / "benchmarks").exists() == published


def test_every_client_has_a_look_of_its_own_in_the_picture() -> None:
    assert list(plots._LOOKS) == list(wake.CLIENTS)
    assert len(set(plots._LOOKS.values())) == len(wake.CLIENTS)


@pytest.mark.parametrize("client", ["fieldpost", "umqtt.simple", "umqtt.robust2", "chumicro-mqtt"])
def test_each_client_delivers_and_the_proxy_sees_how(
    client: str, found: parts.Parts, broker: Broker
) -> None:
    if client in found.missing:
        pytest.skip(f"{client}: {found.missing[client]}")
    trips = {"fieldpost": 2, "umqtt.simple": 5, "umqtt.robust2": 3, "chumicro-mqtt": 3}
    with Proxy(broker.port, round_trip_ms=4) as proxy:
        runs = 0
        while True:
            runs += 1
            proxy.forget()
            told = port.ask(found, client, do="wake", host=HOST, port=proxy.port, readings=3)
            (seen,) = proxy.ended()
            # A busy machine makes answers late, and ours then asks whether anybody is there.
            if seen.round_trips == trips[client] or runs == _RUNS_MAX:
                break
    # Three PUBACKs after the CONNACK; CONNECT, three times 87 bytes and more, and DISCONNECT.
    assert seen.received_bytes == 4 + 3 * 4
    assert seen.sent_bytes > 3 * 87
    assert seen.round_trips == trips[client]
    assert told["ms"] >= told["delivered_ms"] >= seen.round_trips * 4


def test_without_the_registry_what_is_not_in_the_cache_is_said_to_be_missing(
    found: parts.Parts,
) -> None:
    assert "mqtt_as" in found.missing
    for client, file in (
        ("umqtt.robust", "umqtt/robust.py"),
        ("umqtt.robust2", "umqtt/robust2.py"),
        ("chumicro-mqtt", "chumicro_mqtt/client.py"),
    ):
        assert (client in found.missing) != (found.folder / file).exists()


def test_what_is_asked_for_may_be_long(found: parts.Parts, broker: Broker) -> None:
    """As the names of three files of certificates are; MicroPython's arguments may not."""
    asked = {"do": "wake", "host": HOST, "port": broker.port, "readings": 1}
    assert port.ask(found, "fieldpost", **asked, of_no_use="x" * 2000)["segments"] == 2


@pytest.mark.parametrize("qos", [0, 1])
@pytest.mark.parametrize("client", ["fieldpost", "umqtt.simple"])
def test_throughput_counts_every_publish_and_its_heap(
    client: str, qos: int, found: parts.Parts, broker: Broker
) -> None:
    need_mosquitto("amqtt is too slow for these figures")
    asked = {"do": "throughput", "host": HOST, "port": broker.port, "limit_ms": 2000}
    told = port.ask(found, client, readings=200, qos=qos, no_delay=True, **asked)
    assert told["readings"] == 200 and told["per_s"] > 0
    if client == "fieldpost":
        # Nothing is allocated per publish but what the caller hands in.
        assert told["heap"] < 32


def test_what_waits_on_flash_is_delivered_to_the_last(found: parts.Parts, broker: Broker) -> None:
    told = scaling._once(found, broker, 300, True)
    assert told["corrupt"] == told["dropped"] == 0 and told["flash_segments"] > 1
    assert told["heap"] < 50_000
