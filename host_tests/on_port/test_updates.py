"""Updates over the air in real MicroPython: littlefs, RSA, Mosquitto, and power that is cut."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rigs.flash_board import Computer, FlashBoard, Release, built
from rigs.mosquitto import need_mosquitto

from fieldpost.deploy.build import Build
from fieldpost.mqtt.brokers import Broker

# So short that a test can wait for it.
_JOINED = ("_JOINED_MAX_S = const(900)", "_JOINED_MAX_S = const(3)")
_NEVER = ("_ALONE_MAX_S = const(86400)", "_ALONE_MAX_S = const(3)")


@pytest.fixture(scope="module")
def old() -> Build:
    return built(Path())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("checkouts")


@pytest.fixture(scope="module")
def good(folder: Path) -> Build:
    """One module is another: its traceback would say so."""
    return built(folder, safe_mode=("safe mode: %d", "in safe mode: %d"))


@pytest.fixture
def broker() -> Iterator[Broker]:
    need_mosquitto("a board's session has to last")
    with Broker("mosquitto") as broker:
        yield broker


@pytest.fixture
def computer(broker: Broker) -> Iterator[Computer]:
    with Computer(broker.port) as computer:
        yield computer


def _pack(build: Build) -> bytes:
    return build.files["firmware.pack"]


def _is_whole(keys: list[tuple[int, int]]) -> bool:
    """No reading of any boot is missing."""
    seen = set(keys)
    return all((boot, n) in seen for boot, seq in keys for n in range(seq))


def test_a_changed_module_is_fetched_tried_and_stays(
    tmp_path: Path, old: Build, good: Build, broker: Broker, computer: Computer
) -> None:
    release = Release(_pack(good))
    with FlashBoard(tmp_path, old, broker.port) as board:
        assert computer.told("idle")["installed"]["version"] == old.version
        computer.offer(release)
        done = computer.told("done")
        assert done["installed"]["sha"] == release.sha[:16]
        assert computer.told("trial")
        board.says("has proven itself")
        time.sleep(1.5)
    files = board.files()
    assert files["firmware.pack"] == release.data
    assert [name for name in files if name.startswith(".deploy/")] == []
    assert board.causes == [1, 2], "one restart, in order"
    assert computer.sent_bytes < 8000
    assert _is_whole(computer.keys())
    print(f"{computer.sent_bytes} bytes of {len(release.data)}")


@pytest.mark.slow
def test_a_pack_of_which_nothing_is_there_comes_whole(
    tmp_path: Path, old: Build, good: Build, broker: Broker, computer: Computer
) -> None:
    release = Release(_pack(good))
    other = bytearray(_pack(old))
    head = 8 + 8 * int.from_bytes(other[4:8], "little")
    other[head : 2 * head - 8] = bytes(head - 8)  # No hash is one of the new pack's.
    bare = Build({**old.files, "firmware.pack": bytes(other)}, {}, {}, "0")
    with FlashBoard(tmp_path, bare, broker.port) as board:
        begin = time.monotonic()
        computer.offer(release)
        computer.told("done")
        print(f"{time.monotonic() - begin:.1f} s, {computer.sent_bytes} bytes")
    assert board.files()["firmware.pack"] == release.data
    assert computer.sent_bytes > 0.97 * len(release.data)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "change", "why"),
    [
        ("import", {"app": ("_TICK_MS =", "raise ValueError('bad day')\n_TICK_MS =")}, "3 starts"),
        ("hang", {"app": ("_TICK_MS =", "while True:\n    pass\n_TICK_MS =")}, "3 starts"),
        (
            "crash",
            {"node": ("    def work(self):", "    def work(self):\n        bad = 1 // 0")},
            "3 starts came to nothing: ZeroDivisionError",
        ),
        (
            "config",
            {
                "config__verify": (
                    "    if errors:\n        return None, errors\n",
                    "    return None, ['a new rule']\n",
                )
            },
            "3 starts came to nothing",
        ),
        (
            "silent",
            {
                "net__mqtt_in_flight": ("    def acknowledge(self, pid):\n", "%s"),
                "update__trial": _JOINED,
            },
            "no reading arrived",
        ),
        (
            "deaf",
            {
                "board__unix": ("self._up = not self._failed", "self._up = False"),
                "update__trial": _NEVER,
            },
            "hardly a network",
        ),
    ],
    ids=[
        "crashes at import",
        "hangs",
        "crashes later",
        "refuses the settings",
        "unacknowledged",
        "never joins",
    ],
)
def test_a_bad_firmware_comes_back_by_itself(
    tmp_path: Path,
    folder: Path,
    old: Build,
    broker: Broker,
    computer: Computer,
    kind: str,
    change: dict[str, Any],
    why: str,
) -> None:
    if kind == "silent":
        line = change["net__mqtt_in_flight"][0]
        change = {**change, "net__mqtt_in_flight": (line, line + "        return True\n")}
    if kind == "crash":
        change = {**change, "crash": ("_PAUSE_FIRST_S = const(5)", "_PAUSE_FIRST_S = const(0)")}
    release = Release(_pack(built(folder, **change)))
    with FlashBoard(tmp_path, old, broker.port) as board:
        computer.offer(release)
        told = computer.told("back", limit_s=60)
        assert why in told["error"], told
        assert told["installed"]["version"] == old.version
        assert told["offer"]["sha"] == release.sha[:16]
        time.sleep(2)
    files = board.files()
    assert files["firmware.pack"] == _pack(old)
    assert [name for name in files if name.startswith(".deploy/")] == []
    assert _is_whole(computer.keys())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"signer": 9}, "none of this node's keys signed it"),
        ({"counter": 10}, "it must be above 10"),
        ({"counter": 9}, "it must be above 10"),
        ({"platform": "esp32"}, "it is for esp32"),
        ({"mpy": 5}, "bytecode has version 5"),
        ({"least": [2, 0]}, "it needs MicroPython 2.0"),
        ({"format": 2}, "format 2"),
        ({"size": 2_000_000}, "it needs 2000000 bytes of flash"),
    ],
    ids=lambda one: next(iter(one)) if isinstance(one, dict) else "",
)
def test_what_is_not_for_this_node_is_refused(
    tmp_path: Path,
    old: Build,
    good: Build,
    broker: Broker,
    computer: Computer,
    given: dict[str, Any],
    why: str,
) -> None:
    with FlashBoard(tmp_path, old, broker.port) as board:
        computer.told("idle")
        computer.offer(Release(_pack(good), **given))
        assert why in computer.told("refused")["error"]
        time.sleep(0.5)
    assert computer.asked == []
    files = board.files()
    assert files["firmware.pack"] == _pack(old)
    assert [name for name in files if name.startswith(".deploy/")] == []
    assert board.causes == [1]


@pytest.mark.slow
def test_a_torn_a_wrong_and_a_lost_piece_make_no_wrong_firmware(
    tmp_path: Path, old: Build, good: Build, broker: Broker, computer: Computer
) -> None:
    count = 0

    def answers(offset: int, data: bytes) -> bytes | None:
        nonlocal count
        count += 1
        return {1: data[:-1], 4: None, 6: bytes(len(data))}.get(count, data)

    computer.answers = answers
    release = Release(_pack(good))
    with FlashBoard(tmp_path, old, broker.port) as board:
        computer.offer(release)
        computer.told("done", limit_s=80)
        board.says("what came is not what was signed")
    assert board.files()["firmware.pack"] == release.data


@pytest.mark.slow
@pytest.mark.timeout(150)
def test_power_fails_in_all_of_it_and_a_whole_firmware_runs_in_the_end(
    tmp_path: Path, old: Build, good: Build, broker: Broker, computer: Computer
) -> None:
    """Each start ends a few writes later than the one before, wherever it is by then."""
    release = Release(_pack(good))
    board = FlashBoard(tmp_path, old, broker.port)
    board.cut_at = [5 + 4 * n for n in range(60)]
    with board:
        computer.offer(release)
        computer.told("done", limit_s=100)
        board.says("has proven itself")
        board.cut_at.clear()
        time.sleep(2)
    files = board.files()
    assert files["firmware.pack"] == release.data
    assert [name for name in files if name.startswith(".deploy/")] == []
    assert len([line for line in board.lines if line == "power cut"]) >= 5


@pytest.mark.slow
def test_a_sleeper_gets_it_over_several_wakes(
    tmp_path: Path, old: Build, good: Build, broker: Broker, computer: Computer
) -> None:
    keys = {"mode": "duty_cycle", "sample_s": 4, "awake_limit_s": 3}
    release = Release(_pack(good))
    with FlashBoard(tmp_path, old, broker.port, config=keys) as board:
        computer.told("idle")
        computer.offer(release)
        computer.told("done", limit_s=60)
        time.sleep(1)
    assert board.files()["firmware.pack"] == release.data
    assert _is_whole(computer.keys())
    times = [one["ts"] for one in computer.readings if "ts" in one]
    assert max(b - a for a, b in itertools.pairwise(times)) <= 6, "each on its time"


@pytest.mark.slow
def test_an_offer_that_is_withdrawn_and_another_in_the_middle(
    tmp_path: Path, folder: Path, old: Build, good: Build, broker: Broker, computer: Computer
) -> None:
    first = Release(_pack(built(folder, app=("_TICK_MS =", "raise ValueError\n_TICK_MS ="))))
    last = Release(_pack(good), 18)
    with FlashBoard(tmp_path, old, broker.port) as board:
        computer.told("idle")
        computer.answers = lambda offset, data: None if offset > 1024 else data
        computer.offer(first)
        computer.told("fetching")
        computer.withdraw()
        computer.told("idle", times=2)
        computer.offer(first, attempt=1)
        board.says("fetching 0.17.0", times=2)
        computer.answers = lambda offset, data: data
        # The board holds the first one's beginning.
        computer.offer(last)
        computer.told("done")
    files = board.files()
    assert files["firmware.pack"] == last.data
    assert [name for name in files if name.startswith(".deploy/")] == []


@pytest.mark.slow
def test_a_sleeper_whose_new_firmware_is_never_answered_goes_back(
    tmp_path: Path, folder: Path, old: Build, broker: Broker, computer: Computer
) -> None:
    keys = {"mode": "duty_cycle", "sample_s": 2, "awake_limit_s": 3}
    line = "    def acknowledge(self, pid):\n"
    bad = built(folder, net__mqtt_in_flight=(line, line + "        return True\n"))
    with FlashBoard(tmp_path, old, broker.port, config=keys) as board:
        computer.told("idle")
        computer.offer(Release(_pack(bad)))
        told = computer.told("back", limit_s=80)
        assert "5 wakes on the network" in told["error"]
        computer.told("back")
        assert board.causes == [1, 2, 2], "there and back, in order"
    assert board.files()["firmware.pack"] == _pack(old)
