"""Interrupted anywhere, what boots is wholly the old set or wholly the new one, and the next
deployment completes it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from rigs.deploy import Bench, project
from rigs.port import run_port

from fieldpost.board.link import BoardError
from fieldpost.deploy import deployment
from fieldpost.deploy import send as deploy_send
from fieldpost.paths import ROOT

OLD, NEW = ["one"] * 5, ["two"] * 5

# Real littlefs on a flash whose power fails before its n-th write, for every n there is: what
# boot.py leaves is completed by the next boot, whenever that one is cut short, too.
_POWER_CUTS = """
import os, sys, vfs
class PowerCut(Exception):  # no OSError: nobody on the board lives to handle it
    pass
class Flash:
    def __init__(self, data):
        self.data = data
        self.left = None
    def readblocks(self, block, buf, offset=0):
        at = block * 4096 + offset
        buf[:] = self.data[at:at + len(buf)]
    def writeblocks(self, block, buf, offset=None):
        at = block * 4096 + (offset or 0)
        if self.left == 0:  # torn: half of it arrives
            self.data[at:at + len(buf) // 2] = buf[:len(buf) // 2]
        self.tick()
        self.data[at:at + len(buf)] = buf
    def ioctl(self, op, arg):
        if op == 4:
            return len(self.data) // 4096
        if op == 5:
            return 4096
        if op == 6:
            self.tick()
            at = arg * 4096
            self.data[at:at + 4096] = b"\\xff" * 4096
            return 0
    def tick(self):
        if self.left is not None:
            if self.left == 0:
                raise PowerCut
            self.left -= 1

NAMES = ["main.py", "lib/b.mpy", "firmware/a.mpy", "firmware/board/c.mpy", "boot.py"]
NAMES += ["lib/m%d.mpy" % n for n in range(9)]
def write(path, text):
    with open(path, "w") as f:
        f.write(text)
def content(path):
    try:
        with open(path) as f:
            return f.read(3)
    except OSError:
        return None
def mount(flash):
    vfs.mount(vfs.VfsLfs2(flash, progsize=256), "/")
BOOT = open(sys.argv[1]).read()
vfs.umount("/")
flash = Flash(bytearray(b"\\xff" * 4096 * 64))
vfs.VfsLfs2.mkfs(flash, progsize=256)
mount(flash)
for folder in ("lib", "firmware", "firmware/board", "firmware/old", ".deploy"):
    os.mkdir("/" + folder)
for name in NAMES:
    write("/" + name, "old" * 300)
write("/firmware/a.py", "shadows")
write("/firmware/old/gone.mpy", "old")
journal = ["# Fieldpost 2"]
for n, name in enumerate(NAMES):
    write("/.deploy/%d" % n, "new" * 300)
    journal.append("%d /%s" % (n, name))
journal += ["- /firmware/a.py", "- /firmware/old/gone.mpy", ""]
write("/.deploy/commit", "\\n".join(journal))
vfs.umount("/")
start = bytes(flash.data)

def boot(flash, left):
    # True if boot.py got to its end.
    flash.left = None
    mount(flash)
    flash.left = left
    try:
        exec(BOOT, {"__name__": "boot"})
        done = True
    except PowerCut:
        done = False
    vfs.umount("/")
    return done

def check(flash, n):
    flash.left = None
    mount(flash)
    assert [content("/" + name) for name in NAMES] == ["new"] * len(NAMES), n
    assert os.listdir("/.deploy") == ["installed"], (n, os.listdir("/.deploy"))
    assert os.listdir("/firmware") == ["a.mpy", "board"], (n, os.listdir("/firmware"))
    vfs.umount("/")

n = 0
while True:
    flash = Flash(bytearray(start))
    if boot(flash, n):
        check(flash, n)
        break
    # Power fails again in the second attempt, a little later each time, then no more.
    boot(flash, n % 7)
    assert boot(flash, None), n
    check(flash, n)
    assert boot(flash, None), "a boot without a journal"
    n += 1
print("cuts", n)
"""


def test_power_cuts_at_every_write_of_the_flash_while_the_new_set_is_put_in_place() -> None:
    said = run_port(_POWER_CUTS, str(ROOT / "boot.py"))
    cuts = int(said.split()[-1])
    assert cuts > 15, "power was hardly ever cut: the test no longer reaches what it is about"


@pytest.mark.slow
def test_the_cable_is_pulled_at_many_points_and_the_old_or_the_new_set_boots(
    tmp_path: Path,
) -> None:
    old, new = project(tmp_path / "one", "one"), project(tmp_path / "two", "two")
    seen = []
    with Bench(tmp_path) as bench:
        assert bench.deploy(old).ok
        bench.ran()
        before = bench.board.bytes_received
        assert bench.deploy(new).ok
        total = bench.board.bytes_received - before
        bench.ran()
        assert bench.deploy(old).ok
        bench.ran()
        for part in (2, 4, 5, 6, 7, 9):
            bench.board.cut_after = bench.board.bytes_received + total * part // 10
            assert not bench.deploy(new, ready_s=1).ok
            bench.replug()
            ran = bench.ran()
            assert ran in (OLD, NEW), (part, ran)
            seen.append(ran[0])
            finished = bench.deploy(new)
            assert finished.ok, finished
            assert bench.ran() == NEW
            assert bench.deploy(old, start=False).ok
    assert seen == sorted(seen) and set(seen) == {"one", "two"}, seen


def test_what_has_arrived_before_the_cut_is_not_sent_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = project(tmp_path / "one", "one"), project(tmp_path / "two", "two")
    real = deploy_send.BoardLink.send
    sent: list[bytes] = []

    def three_blocks(link: deploy_send.BoardLink, data: bytes) -> None:
        sent.append(data)
        if len(sent) > 3:
            bench.board.unplug()
        real(link, data)

    with Bench(tmp_path) as bench:
        assert bench.deploy(old, start=False).ok
        with monkeypatch.context() as patched:
            patched.setattr(deploy_send.BoardLink, "send", three_blocks)
            assert not bench.deploy(new).ok
        bench.board.plug_in()
        assert bench.ran() == OLD
        second = bench.deploy(new)
        assert second.ok and "3 had arrived before" in second.text, second
        assert bench.ran() == NEW


@pytest.mark.parametrize("step", ["send", "committed"])
def test_ctrl_c_leaves_the_node_running_on_a_whole_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    old, new = project(tmp_path / "one", "one"), project(tmp_path / "two", "two")
    with Bench(tmp_path) as bench:
        assert bench.deploy(old).ok
        bench.ran()

        def interrupt(*_: object) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patched:
            if step == "send":
                # In the middle of a block, when the board waits for the rest of it.
                patched.setattr(deploy_send.BoardLink, "send", interrupt)
            else:
                patched.setattr(deployment, "_complete", interrupt)
            with pytest.raises(KeyboardInterrupt):
                bench.deploy(new)
        assert bench.ran() == (OLD if step == "send" else NEW)
        assert bench.deploy(new).ok
        assert bench.ran() == NEW


def test_a_committed_set_is_completed_first_when_the_board_has_not_booted_since(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = project(tmp_path / "one", "one"), project(tmp_path / "two", "two")
    newest = project(tmp_path / "three", "three")
    with Bench(tmp_path) as bench:
        assert bench.deploy(old, start=False).ok

        def fail(*_: object) -> None:
            raise BoardError("interrupted")

        with monkeypatch.context() as patched:
            patched.setattr(deployment, "_complete", fail)
            assert not bench.deploy(new, start=False).ok
        commit = bench.folder / ".deploy" / "commit"
        assert commit.exists()
        done = bench.deploy(newest)
        assert done.ok, done
        assert not commit.exists()
        assert bench.ran() == ["three"] * 5


def test_a_file_that_arrives_damaged_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = project(tmp_path / "one", "one"), project(tmp_path / "two", "two")
    with Bench(tmp_path) as bench:
        assert bench.deploy(old).ok
        bench.ran()
        real = deploy_send._compress
        with monkeypatch.context() as patched:
            patched.setattr(deploy_send, "_compress", lambda data: real(data[:-1] + b"\0"))
            broken = bench.deploy(new)
        assert not broken.ok and "damaged" in broken.text
        assert bench.ran() == OLD
        assert bench.deploy(new).ok
        assert bench.ran() == NEW


def test_a_full_flash_is_refused_before_anything_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = project(tmp_path / "one", "one")
    with Bench(tmp_path) as bench:
        monkeypatch.setattr(deployment.board_files, "free_bytes", lambda _: 40960)
        done = bench.deploy(root)
        assert not done.ok and "40 KiB free" in done.text and "fieldpost pull" in done.text
        assert json.loads((bench.folder / "config.json").read_text())
        assert set(bench.files()) == {"config.json"}
