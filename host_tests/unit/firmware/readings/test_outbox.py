"""The outbox: what it accepted comes out again, in order, whatever happens to power and flash."""

from __future__ import annotations

import random
from typing import Any

import pytest

from fakes.flash import FakeFlash
from fakes.flash_file import FakeFile, PowerCut
from firmware.readings.outbox import RECORD_BYTES_MAX, Outbox

SEGMENTS = 8


def record(number: int, size: int = 60) -> bytes:
    return b"%06d" % number + bytes((number + k) & 0xFF for k in range(size - 6))


def number_of(data: bytes) -> int:
    return int(data[:6])


def opened(flash: FakeFlash, ram: int = 8, segments: int = SEGMENTS) -> Outbox:
    outbox = Outbox(flash, "outbox", ram, segments)
    outbox.write_through = True
    return outbox


def waiting(outbox: Outbox) -> list[int]:
    """The numbers inside the records that wait, oldest first; unreadable ones left out."""
    records = [outbox.peek(n) for n in range(outbox.first, outbox.end)]
    return [number_of(data) for data in records if data is not None]


def test_what_goes_in_comes_out_in_order_across_ram_and_flash() -> None:
    outbox = Outbox(FakeFlash(), "outbox", 8, SEGMENTS)
    for n in range(100):
        outbox.put(record(n))
    assert outbox.on_flash and outbox.depth == 100
    assert waiting(outbox) == list(range(100))
    outbox.acknowledge(outbox.first + 69)
    assert waiting(outbox) == list(range(70, 100))
    for n in range(100, 120):
        outbox.put(record(n))
    assert waiting(outbox) == list(range(70, 120))
    outbox.acknowledge(outbox.end - 1)
    assert outbox.depth == 0 and outbox.dropped == outbox.corrupt == 0


def test_however_it_is_read_one_segment_is_open_for_it() -> None:
    """An open file is a kilobyte of heap, and a board has few of them."""
    flash = FakeFlash()
    outbox = opened(flash)
    for n in range(400):
        outbox.put(record(n))
    assert len(flash.files) > 3
    rng = random.Random(1)
    for _ in range(100):
        number = rng.randrange(outbox.first, outbox.end)
        assert outbox.peek(number) is not None
        assert len(flash.open_files) <= 2, "one that is read, one that is written"


def test_while_the_link_is_up_nothing_touches_flash() -> None:
    flash = FakeFlash()
    outbox = Outbox(flash, "outbox", 8, SEGMENTS)
    before = flash.operations
    for n in range(500):
        outbox.put(record(n))
        outbox.acknowledge(outbox.end - 1)
    assert flash.operations == before


def test_an_acknowledged_segment_is_deleted_and_an_empty_outbox_leaves_no_file() -> None:
    flash = FakeFlash()
    outbox = opened(flash)
    for n in range(200):
        outbox.put(record(n))
    files = len(flash.listdir("outbox"))
    assert files > 2
    outbox.acknowledge(outbox.first + 100)
    assert len(flash.listdir("outbox")) < files
    outbox.acknowledge(outbox.end - 1)
    assert flash.listdir("outbox") == []


def test_segments_are_at_most_one_block() -> None:
    flash = FakeFlash()
    outbox = opened(flash)
    rng = random.Random(1)
    for n in range(300):
        outbox.put(record(n, rng.randint(6, 400)))
    assert all(len(data) <= 4096 for name, data in flash.files.items() if name.endswith(".seg"))


def test_a_segment_is_filled_to_its_last_byte() -> None:
    flash = FakeFlash()
    outbox = opened(flash)
    for n in range(8):
        outbox.put(record(n, 4096 // 8 - 6))  # with a head of 6 bytes each
    assert [len(data) for data in flash.files.values()] == [4096]
    outbox.put(record(8))
    assert [len(data) for data in flash.files.values()] == [4096, 66]


def test_one_segment_is_an_outbox_too() -> None:
    outbox = opened(FakeFlash(), segments=1)
    for n in range(100):
        outbox.put(record(n))
    left = waiting(outbox)
    assert left == list(range(100 - len(left), 100)) and outbox.dropped == 100 - len(left)


def test_how_many_are_on_flash_and_what_is_not_is_known() -> None:
    outbox = Outbox(FakeFlash(), "outbox", 8, SEGMENTS)
    for n in range(12):
        outbox.put(record(n))
    assert outbox.on_flash + len(outbox.in_ram()) == outbox.depth == 12
    assert [number_of(one) for one in outbox.in_ram()] == list(range(outbox.on_flash, 12))
    outbox.acknowledge(outbox.first + 2)
    assert outbox.on_flash + len(outbox.in_ram()) == outbox.depth == 9
    outbox.acknowledge(outbox.end - 2)
    assert (outbox.on_flash, outbox.depth) == (0, 1), "flash holds older ones, none that waits"


@pytest.mark.parametrize("directory", ["outbox", None])
def test_what_fits_nowhere_is_dropped_one_by_one_oldest_first(directory: str | None) -> None:
    outbox = Outbox(FakeFlash(), directory, 8, SEGMENTS)
    for n in range(5):
        outbox.put(record(n))
    for shed in (1, 2):
        outbox.shed()
        assert waiting(outbox) == list(range(shed, 5))
        assert outbox.dropped == shed


def test_what_is_gathered_is_written_in_segments_of_one_block_too() -> None:
    flash = FakeFlash()
    outbox = Outbox(flash, "outbox", 64, SEGMENTS)
    for n in range(60):
        outbox.put(record(n, 200))
    outbox.spill()
    assert [len(data) for data in flash.files.values()] == [19 * 206] * 3 + [3 * 206]
    assert waiting(outbox) == list(range(60))


def test_a_full_outbox_drops_the_oldest_and_counts_it() -> None:
    outbox = opened(FakeFlash())
    for n in range(2000):
        outbox.put(record(n))
    left = waiting(outbox)
    assert left == list(range(2000 - len(left), 2000))
    assert outbox.dropped == 2000 - len(left)
    assert len(left) > (SEGMENTS - 1) * 4096 // 66 - 1


def test_without_flash_ram_is_bounded_and_drops_are_counted() -> None:
    outbox = Outbox(FakeFlash(), None, 8, 0)
    for n in range(30):
        outbox.put(record(n))
    assert waiting(outbox) == list(range(22, 30)) and outbox.dropped == 22


def test_a_record_that_is_too_large_is_refused_and_counted() -> None:
    outbox = opened(FakeFlash())
    assert not outbox.put(bytes(RECORD_BYTES_MAX + 1))
    assert outbox.put(record(0, RECORD_BYTES_MAX))
    assert outbox.refused == 1 and outbox.depth == 1


def test_a_restart_finds_what_was_on_flash() -> None:
    flash = FakeFlash()
    outbox = opened(flash)
    for n in range(150):
        outbox.put(record(n))
    outbox.acknowledge(outbox.first + 79)
    again = opened(flash)
    found = waiting(again)
    assert found[-1] == 149 and found == list(range(found[0], 150))
    # A crash resends at most one segment.
    assert 80 - found[0] <= 4096 // 66
    again.put(record(150))
    assert waiting(again)[-2:] == [149, 150]


@pytest.mark.parametrize("harsh", [False, True], ids=["littlefs", "harsh"])
@pytest.mark.parametrize("when", ["before", "within", "after"])
def test_a_power_cut_at_any_write_loses_nothing_accepted(when: str, harsh: bool) -> None:
    """Appends, deliveries and rotations; cut at each operation in turn, restarted, checked."""
    operations = _session(FakeFlash(rng=random.Random(2), harsh=harsh), [], [])
    assert operations > 60
    for cut in range(1, operations + 1):
        flash = FakeFlash(rng=random.Random(cut), harsh=harsh)
        flash.cut_at(cut, when)
        accepted: list[int] = []
        acknowledged: list[int] = []
        with pytest.raises(PowerCut):
            _session(flash, accepted, acknowledged)
        flash.power_on()
        found = waiting(opened(flash))
        owed = [n for n in accepted if n not in set(acknowledged)]
        assert found == sorted(found) and len(set(found)) == len(found)
        assert set(owed) <= set(found), f"lost at operation {cut}"
        # Beyond what is owed: at most the segment that was being read, and the one reading whose
        # put never returned.
        assert len(found) - len(owed) <= 4096 // 206 + 1


def _session(flash: FakeFlash, accepted: list[int], acknowledged: list[int]) -> int:
    outbox = opened(flash)
    for n in range(80):
        outbox.put(record(n, 200))
        accepted.append(n)
        if n % 3 == 2:
            acknowledged.extend([len(acknowledged), len(acknowledged) + 1])
            outbox.acknowledge(outbox.first + 1)
    return flash.operations


@pytest.mark.parametrize("seed", range(40))
def test_any_sequence_of_events_keeps_order_and_every_accepted_reading(seed: int) -> None:
    """Random puts, acknowledgements, spills, cuts and restarts against a plain list."""
    rng = random.Random(seed)
    flash = FakeFlash(rng=rng, harsh=bool(seed % 2))
    outbox = opened(flash, segments=64)
    owed: list[int] = []
    maybe: set[int] = set()  # put did not return, or acknowledged and not yet deleted
    n = 0
    for _ in range(400):
        action = rng.random()
        try:
            if action < 0.6:
                maybe.add(n)
                n += 1
                outbox.put(record(n - 1, rng.randint(6, 300)))
                maybe.discard(n - 1)
                owed.append(n - 1)
            elif action < 0.9 and outbox.depth:
                count = rng.randint(1, outbox.depth)
                taken = [
                    number_of(data)
                    for k in range(count)
                    if (data := outbox.peek(outbox.first + k)) is not None
                ]
                maybe.update(taken)
                owed = [one for one in owed if one not in set(taken)]
                outbox.acknowledge(outbox.first + count - 1)
            elif action < 0.95:
                flash.cut_at(
                    flash.operations + rng.randint(1, 6), rng.choice(["before", "within"])
                )
            else:
                outbox = opened(flash, segments=64)
        except PowerCut:
            flash.power_on()
            outbox = opened(flash, segments=64)
        found = waiting(outbox)
        assert found == sorted(found), f"seed {seed}: out of order"
        assert set(owed) <= set(found), f"seed {seed}: lost {set(owed) - set(found)}"
        assert set(found) <= set(owed) | maybe
    assert outbox.corrupt == 0 or seed % 2


def test_a_spoilt_segment_is_skipped_and_counted_and_the_rest_arrives() -> None:
    flash = FakeFlash()
    outbox = opened(flash)
    for n in range(200):
        outbox.put(record(n))
    names = sorted(name for name in flash.files if name.endswith(".seg"))
    starts = [int(name.split("/")[1][:-4], 16) for name in names]
    spoilt = bytearray(flash.files[names[1]])
    spoilt[10 * 66 + 20] ^= 0x40
    flash.files[names[1]] = bytes(spoilt)
    again = opened(flash)
    lost = list(range(starts[1] + 10, starts[2]))
    assert waiting(again) == [n for n in range(200) if n not in lost]
    assert waiting(again) == [n for n in range(200) if n not in lost]
    assert again.corrupt == len(lost)
    again.acknowledge(again.end - 1)
    assert again.depth == 0 and flash.listdir("outbox") == []


def test_a_segment_that_proved_spoilt_is_left_open_no_longer() -> None:
    flash = FakeFlash()
    outbox = opened(flash)
    for n in range(200):
        outbox.put(record(n))
    (name, *_) = sorted(flash.files)
    spoilt = bytearray(flash.files[name])
    spoilt[3 * 66 + 20] ^= 1
    flash.files[name] = bytes(spoilt)
    assert outbox.peek(2) == record(2)
    assert len(flash.open_files) == 2, "one that is read, one that is written"
    assert outbox.peek(3) is None
    assert len(flash.open_files) == 1 and outbox.corrupt == 4096 // 66 - 3


def test_a_flash_that_refuses_leaves_readings_in_ram_and_is_counted() -> None:
    flash = FakeFlash()
    outbox = opened(flash)
    outbox.put(record(0))
    flash.write_error = 28
    for n in range(1, 6):
        outbox.put(record(n))
    assert outbox._flash_errors and waiting(outbox) == list(range(6))
    flash.write_error = None
    outbox.put(record(6))
    assert waiting(outbox) == list(range(7)) and outbox.dropped == 0
    assert waiting(opened(flash)) == list(range(7))


def test_a_flash_that_stays_broken_costs_only_what_ram_cannot_hold() -> None:
    flash = FakeFlash()
    outbox = opened(flash)
    for n in range(100):
        outbox.put(record(n))
    flash.write_error = 5
    for n in range(100, 120):
        outbox.put(record(n))
    assert waiting(outbox) == [*range(100), *range(112, 120)] and outbox.dropped == 12
    flash.write_error = None
    outbox.put(record(120))
    assert waiting(outbox) == [*range(100), *range(112, 121)] and outbox.corrupt == 0
    outbox.acknowledge(outbox.end - 1)
    assert outbox.depth == 0 and flash.listdir("outbox") == []


def test_a_full_disk_drops_the_oldest_and_goes_on() -> None:
    flash = FakeFlash(capacity_bytes=12 * 4096)
    outbox = opened(flash, segments=64)
    for n in range(1000):
        outbox.put(record(n))
    left = waiting(outbox)
    assert left == list(range(1000 - len(left), 1000)) and len(left) > 100
    assert outbox.dropped == 1000 - len(left)


def test_ten_thousand_readings_on_flash_are_delivered_in_order_with_few_records_in_ram() -> None:
    flash = FakeFlash(capacity_bytes=1 << 21)
    outbox = opened(flash, ram=16, segments=256)
    for n in range(10_000):
        outbox.put(record(n, 80))
    seen = []
    while outbox.depth:
        data = outbox.peek(outbox.first)
        assert data is not None
        seen.append(number_of(data))
        outbox.acknowledge(outbox.first)
        assert len(outbox._ram) <= 16 and len(outbox._holes) == 0
    assert seen == list(range(10_000))


def test_files_that_are_not_segments_are_left_alone() -> None:
    flash = FakeFlash()
    opened(flash).put(record(0))
    with flash.open("outbox/notes.txt", "wb") as file:
        file.write(b"mine")
    outbox = opened(flash)
    outbox.acknowledge(outbox.end - 1)
    assert flash.listdir("outbox") == ["notes.txt"]


# A flash that refuses once -----------------------------------------------------------------------


class Refusing:
    """A flash of which the calls named so refuse a few times, as one that fails to read does."""

    def __init__(self, flash: FakeFlash, call: str, times: int = 1) -> None:
        self._flash = flash
        self.call = call
        self.times = times

    def __getattr__(self, name: str) -> Any:
        function = getattr(self._flash, name)
        if name != self.call:
            return function

        def refuse(*arguments: Any) -> Any:
            if self.times and (name != "open" or arguments[1] == "rb"):
                self.times -= 1
                raise OSError(5)
            return function(*arguments)

        return refuse


@pytest.mark.parametrize("call", ["open", "listdir"])
@pytest.mark.parametrize("times", [1, 2, 5])
def test_what_flash_refuses_to_show_at_the_start_is_kept_and_found_later(
    call: str, times: int
) -> None:
    flash = FakeFlash()
    before = opened(flash)
    for n in range(400):
        before.put(record(n))
    assert before.depth == 400
    outbox = opened(Refusing(flash, call, times))  # type: ignore[arg-type]
    assert outbox._flash_errors == 1
    arrived = []
    for n in range(400, 410):
        outbox.put(record(n))
        arrived += waiting(outbox)
        outbox.acknowledge(outbox.end - 1)
    assert sorted(arrived) == list(range(410))
    assert outbox.dropped == outbox.corrupt == 0


@pytest.mark.parametrize("call", ["open", "listdir"])
def test_while_flash_has_not_been_seen_nothing_on_it_is_written_over(call: str) -> None:
    flash = FakeFlash()
    before = opened(flash)
    for n in range(400):
        before.put(record(n))
    outbox = opened(Refusing(flash, call, 1 << 30))  # type: ignore[arg-type]
    files = dict(flash.files)
    for n in range(400, 450):
        outbox.put(record(n))
    assert flash.files == files
    assert outbox.dropped == 50 - 8, "what RAM cannot hold is counted"
    assert waiting(opened(flash)) == list(range(400))


def test_each_file_that_flash_does_not_delete_is_counted() -> None:
    flash = FakeFlash()
    outbox = opened(Refusing(flash, "remove", 2))  # type: ignore[arg-type]
    for n in range(200):
        outbox.put(record(n))
    files = len(flash.files)
    assert files > 2
    outbox.acknowledge(outbox.end - 1)
    assert (outbox.depth, outbox._flash_errors, len(flash.files)) == (0, 2, 2)


def test_an_empty_last_segment_that_flash_does_not_delete_is_counted() -> None:
    flash = FakeFlash()
    before = opened(flash)
    for n in range(100):
        before.put(record(n))
    last = max(flash.files)
    flash.files[last] = b""
    outbox = opened(Refusing(flash, "remove"))  # type: ignore[arg-type]
    assert outbox._flash_errors == 1
    left = waiting(outbox)
    assert left == list(range(len(left))) and 50 < len(left) < 100


class Uncloseable:
    """A flash whose files are written as they should be and refuse to be closed."""

    def __init__(self, flash: FakeFlash) -> None:
        self._flash = flash

    def __getattr__(self, name: str) -> Any:
        return getattr(self._flash, name)

    def open(self, path: str, mode: str) -> Any:
        file = self._flash.open(path, mode)
        return _Uncloseable(file) if mode == "wb" else file


class _Uncloseable:
    def __init__(self, file: FakeFile) -> None:
        self._file = file

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def close(self) -> None:
        raise OSError(5)


def test_a_segment_that_flash_does_not_close_is_counted_and_nothing_of_it_is_lost() -> None:
    outbox = opened(Uncloseable(FakeFlash()))  # type: ignore[arg-type]
    for n in range(150):
        outbox.put(record(n))
    assert outbox._flash_errors == 2, "one for each segment that was full"
    assert waiting(outbox) == list(range(150)) and outbox.dropped == 0
