"""The fake flash keeps what littlefs keeps through a power cut, and no more."""

import random
import subprocess
from collections.abc import Callable

import pytest
from rigs.port import micropython

from fakes.flash import FakeFlash, PowerCut

# Runs on both sides: what `os` and `open` answer, line by line.
SCRIPT = r"""
def t(action):
    try:
        print(repr(action()))
    except Exception as error:
        print(repr(error).replace(",)", ")"))
def content(name):
    with open(name, "rb") as file:
        return file.read()
def put(name, data, mode="wb"):
    with open(name, mode) as file:
        file.write(data)
def size(name):
    found = os.stat(name)
    return found[0], found[6]
t(lambda: list(os.ilistdir("")))
t(lambda: os.statvfs(""))
t(lambda: open("no", "rb"))
t(lambda: open("no", "r+b"))
t(lambda: open("folder/x", "wb"))
t(lambda: os.mkdir("folder"))
t(lambda: os.mkdir("folder"))
t(lambda: os.mkdir("none/inside"))
t(lambda: open("folder", "rb"))
t(lambda: open("folder", "wb"))
f = open("a", "wb")
t(lambda: f.write(b"hello"))
t(lambda: size("a"))
t(lambda: f.flush())
t(lambda: size("a"))
t(lambda: f.seek(10))
t(lambda: f.write(b"x"))
t(lambda: f.tell())
t(lambda: f.close())
t(lambda: f.close())
t(lambda: f.write(b"x"))
t(lambda: content("a"))
f = open("a", "r+b")
t(lambda: f.write(b"HE"))
t(lambda: f.read())
t(lambda: f.seek(0, 2))
t(lambda: f.seek(-3, 2))
t(lambda: f.seek(-100, 1))
t(lambda: content("a"))
f.close()
t(lambda: content("a"))
f = open("a", "ab")
t(lambda: f.tell())
t(lambda: f.write(b"end"))
t(lambda: f.tell())
t(lambda: f.seek(0))
t(lambda: f.write(b"!"))
t(lambda: f.tell())
f.close()
t(lambda: content("a"))
f = open("a", "wb")
t(lambda: content("a"))
f.close()
t(lambda: content("a"))
put("folder/q", b"line one\nline two\nrest")
f = open("folder/q", "rb")
b = bytearray(4)
t(lambda: (f.readinto(b), bytes(b)))
t(lambda: (f.readinto(b, 2), bytes(b)))
t(lambda: f.readline())
t(lambda: f.readline())
t(lambda: f.readline())
t(lambda: f.readline())
t(lambda: f.readinto(b))
f.close()
f = open("folder/q")
t(lambda: f.read(4))
t(lambda: list(f))
f.close()
t(lambda: os.remove("folder"))
t(lambda: os.rmdir("folder"))
t(lambda: os.remove("nothing"))
t(lambda: os.rename("nothing", "b"))
t(lambda: os.rename("a", "folder"))
t(lambda: os.rename("folder", "a"))
t(lambda: os.rename("a", "none/inside"))
t(lambda: os.rename("a", "b"))
put("c", b"cc")
t(lambda: os.rename("c", "b"))
t(lambda: content("b"))
t(lambda: os.rename("folder", "other"))
t(lambda: sorted(os.ilistdir("")))
t(lambda: os.listdir("other"))
t(lambda: os.listdir("folder"))
t(lambda: os.stat("folder"))
f = open("gone", "wb")
os.remove("gone")
t(lambda: f.write(b"abc"))
t(lambda: f.close())
t(lambda: os.stat("gone"))
def fill():
    with open("big", "wb") as file:
        while True:
            file.write(bytes(512))
t(fill)
t(lambda: os.remove("big"))
t(lambda: put("small", b"fits again"))
t(lambda: content("small"))
"""

RAM_DISK = r"""
import vfs, os
class Ram:
    def __init__(self):
        self.data = bytearray(64 * 512)
    def readblocks(self, block, buffer, offset=0):
        buffer[:] = self.data[block * 512 + offset:block * 512 + offset + len(buffer)]
    def writeblocks(self, block, buffer, offset=0):
        self.data[block * 512 + offset:block * 512 + offset + len(buffer)] = buffer
    def ioctl(self, operation, argument):
        return {4: 64, 5: 512, 6: 0}.get(operation)
disk = Ram()
vfs.VfsLfs2.mkfs(disk)
vfs.mount(vfs.VfsLfs2(disk), "/ram")
os.chdir("/ram")
"""


def test_files_and_folders_behave_as_in_littlefs_under_micropython() -> None:
    real = subprocess.run(
        [micropython(), "-c", RAM_DISK + SCRIPT],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    ).stdout.splitlines()
    flash = FakeFlash(capacity_bytes=64 * 512, block_bytes=512)
    said: list[str] = []
    exec(SCRIPT, {"os": flash, "open": flash.open, "print": said.append})
    assert said == real


def put(flash: FakeFlash, path: str, data: bytes, mode: str = "wb") -> None:
    with flash.open(path, mode) as file:
        file.write(data)


def content(flash: FakeFlash, path: str) -> bytes:
    with flash.open(path, "rb") as file:
        return file.read()


def story(flash: FakeFlash) -> None:
    """A little of everything, of which every state between two steps is known."""
    put(flash, "log", b"one.")
    put(flash, "log", b"two.", "ab")
    put(flash, "new", b"fresh")
    flash.rename("new", "log")
    flash.remove("log")


STATES = [None, b"", b"one.", b"one.two.", b"fresh"]


def cut_everywhere(check: Callable[[FakeFlash], None], harsh: bool) -> int:
    whole = FakeFlash()
    story(whole)
    for number in range(1, whole.operations + 1):
        for when in ("before", "within", "after"):
            for seed in range(20):
                flash = FakeFlash(rng=random.Random(seed), harsh=harsh)
                flash.cut_at(number, when)
                with pytest.raises(PowerCut):
                    story(flash)
                with pytest.raises(PowerCut):
                    flash.listdir()
                flash.power_on()
                check(flash)
    return whole.operations


def test_littlefs_keeps_whole_states_wherever_the_power_fails() -> None:
    seen = set()

    def check(flash: FakeFlash) -> None:
        seen.add(flash.files.get("log"))

    operations = cut_everywhere(check, harsh=False)
    assert operations == 10  # two files made, three writes, three syncs, rename, remove
    assert seen == set(STATES)


def test_a_harsher_flash_also_keeps_torn_tails() -> None:
    seen = set()

    def check(flash: FakeFlash) -> None:
        seen.add(flash.files.get("log"))

    cut_everywhere(check, harsh=True)
    assert seen >= {*STATES, b"on", b"one.t", b"one.tw"}
    garbage = [data for data in seen - {None, b"fresh"} if not b"one.two.".startswith(data)]
    assert garbage
    assert all(len(data) <= 8 for data in garbage)


def test_what_was_not_synced_is_lost_as_a_whole_when_the_power_fails_between_two_steps() -> None:
    flash = FakeFlash()
    put(flash, "log", b"synced")
    file = flash.open("log", "ab")
    file.write(b" lost")
    flash.power_off()
    flash.power_on()
    with pytest.raises(PowerCut):
        file.write(b"from another life")
    file.close()
    assert content(flash, "log") == b"synced"
    assert flash.open_files == []


def test_flush_is_a_commit() -> None:
    flash = FakeFlash()
    file = flash.open("log", "ab")
    file.write(b"kept")
    file.flush()
    file.write(b" lost")
    flash.power_off()
    flash.power_on()
    assert content(flash, "log") == b"kept"


def test_the_power_can_be_cut_by_a_function_of_the_operation() -> None:
    flash = FakeFlash()
    flash.decide = lambda operation: "after" if operation.kind == "rename" else None
    put(flash, "a", b"x")
    with pytest.raises(PowerCut, match="after operation 4: rename b"):
        flash.rename("a", "b")
    flash.power_on()
    flash.decide = None
    assert flash.listdir() == ["b"]


def test_a_full_disk_refuses_writes_and_takes_them_again_after_a_removal() -> None:
    flash = FakeFlash(capacity_bytes=10 * 4096)
    for number in range(8):
        put(flash, f"{number}", bytes(4096))
    assert flash.statvfs()[3] == 0
    with pytest.raises(OSError, match="28"):
        put(flash, "more", bytes(200))
    with pytest.raises(OSError, match="28"):
        put(flash, "0", b"changed", "r+b")
    assert content(flash, "0") == bytes(4096)
    flash.remove("1")
    put(flash, "0", b"changed", "r+b")
    assert content(flash, "0")[:7] == b"changed"


def test_a_broken_disk_raises_what_it_is_told_to() -> None:
    flash = FakeFlash()
    put(flash, "a", b"x")
    flash.write_error = 5
    with pytest.raises(OSError, match="5"):
        put(flash, "a", b"y", "ab")
    assert content(flash, "a") == b"x"


def test_wear_is_counted_per_file() -> None:
    flash = FakeFlash()
    for _ in range(100):
        put(flash, "log", bytes(50), "ab")
    wear = flash.wear["log"]
    assert (wear.writes, wear.bytes, wear.syncs) == (100, 5000, 100)
    # The first two fit into the directory; the third moves out; then one block per sync, two
    # when the end passes into the next block.
    assert wear.erases == 98 + 1
    assert flash.total_wear() == wear
    before = flash.total_wear().erases
    with flash.open("one", "wb") as file:
        for _ in range(100):
            file.write(bytes(50))
    assert flash.total_wear().erases - before == 2
