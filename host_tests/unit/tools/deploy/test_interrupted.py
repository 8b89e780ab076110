"""Interrupted anywhere, what boots is wholly the old set or wholly the new one, and the next
deployment completes it. Where both do not fit at once, a board between them starts nothing."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path

import pytest
from rigs.deploy import Bench, project
from rigs.port import run_port

from fieldpost.board.errors import BoardError
from fieldpost.board.link import BoardLink, open_link
from fieldpost.deploy import bring
from fieldpost.deploy import send as deploy_send
from fieldpost.deploy.build import Build
from fieldpost.deploy.pack import Pieces
from fieldpost.deploy.parts import Parts
from fieldpost.deploy.plan import journal, plan
from fieldpost.deploy.survey import UNFINISHED, Survey
from fieldpost.paths import ROOT

OLD, NEW = ["one"] * 5, ["two"] * 5
_BOARD_SIDE = (str(ROOT / "boot.py"), str(ROOT / "tools/fieldpost/deploy/complete.py"))

# Room for every flash that a test makes, for nothing is collected in it.
_HEAP = "1000M"

# Real littlefs on a flash whose power fails before its n-th write, for every n there is: what
# boot.py leaves is completed by the next boot, whenever that one is cut short, too.
_FLASH = """
import gc, os, sys, vfs
# A file that was open as power failed is closed by nobody. A collection would have it write to its
# flash, which by then is another's or gone.
gc.disable()
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
def write(path, text):
    with open(path, "w") as f:
        f.write(text)
def content(path):
    try:
        with open(path) as f:
            return f.read(3)
    except OSError:
        return None
class Stub:  # of module_pack: what is in these packs is no matter here
    def __init__(self):
        self.mount = lambda path, place: None
def run_boot():
    sys.modules["module_pack"] = Stub()
    exec(BOOT, {"__name__": "boot"})
def mount(flash):
    vfs.mount(vfs.VfsLfs2(flash, progsize=256), "/")
"""

_POWER_CUTS = """
NAMES = ["main.py", "module_pack.mpy", "firmware.pack", "lib/own/c.mpy"]
OLD = ["firmware/m%d.mpy" % n for n in range(5)] + ["firmware/net/a.mpy", "lib/wire.mpy"]
BOOT = open(sys.argv[1]).read()
COMPLETE = open(sys.argv[2]).read()
vfs.umount("/")
flash = Flash(bytearray(b"\\xff" * 4096 * 64))
vfs.VfsLfs2.mkfs(flash, progsize=256)
mount(flash)
for folder in ("lib", "firmware", "firmware/net", ".deploy"):
    os.mkdir("/" + folder)
for name in OLD + ["main.py", "lib/mine.py"]:
    write("/" + name, "old" * 300)
journal = ["# Fieldpost 2"] + ["- /" + name for name in OLD]
for n, name in enumerate(NAMES):
    write("/.deploy/%d" % n, "new" * 300)
    journal.append("%d /%s" % (n, name))
write("/.deploy/complete.py", COMPLETE)
write("/.deploy/commit", "\\n".join(journal + [""]))
vfs.umount("/")
start = bytes(flash.data)

def boot(flash, left):
    # True if boot.py got to its end.
    flash.left = None
    mount(flash)
    flash.left = left
    try:
        run_boot()
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
    assert "firmware" not in os.listdir("/") and sorted(os.listdir("/lib")) == ["mine.py", "own"]
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

# The same flash with an outbox that fills it. The host sends each part, and power fails before the
# n-th write of all that, or within the boot after it.
_PARTS = """
import json
BOOT = open(sys.argv[1]).read()
COMPLETE = open(sys.argv[2]).read()
task = json.load(open(sys.argv[3]))
vfs.umount("/")
flash = Flash(bytearray(b"\\xff" * 4096 * task["blocks"]))
vfs.VfsLfs2.mkfs(flash, progsize=256)
mount(flash)
def folders(path):
    at = path.find("/", 1)
    while at > 0:
        try:
            os.mkdir(path[:at])
        except OSError:
            pass
        at = path.find("/", at + 1)
for path, size in task["old"]:
    folders("/" + path)
    write("/" + path, "old" * (size // 3))
write("/boot.py", BOOT)
folders("/.deploy/")
write("/.deploy/installed", task["installed"])
folders("/outbox/")
write("/config.json", "mine")
count = 0
while os.statvfs("/")[3] > task["free"]:
    write("/outbox/%d.seg" % count, "rea" * 1365)
    count += 1
readings = sorted(os.listdir("/outbox"))
vfs.umount("/")
start = bytes(flash.data)

def boot():
    # What the board says if it starts nothing.
    try:
        run_boot()
    except RuntimeError as error:
        return str(error)
def deploy():
    for part in task["parts"]:
        for name, size in part["send"]:
            write("/.deploy/" + name, "new" * (size // 3))
        for name, text in ("complete.py", COMPLETE), ("commit", part["journal"]):
            write("/.deploy/new", text)
            os.rename("/.deploy/new", "/.deploy/" + name)
        boot()
def seen(n):
    # Of the set that is on the board: "old", "new", or "none" if nothing starts.
    said = boot()
    assert sorted(os.listdir("/outbox")) == readings, (n, os.listdir("/outbox"))
    for name in readings:
        assert os.stat("/outbox/" + name)[6] == 4095, (n, name)
    assert content("/config.json") == "min", n
    if said:
        assert "repeat `fieldpost deploy`" in said, (n, said)
        return "none"
    for state, sizes in ("old", task["old"]), ("new", task["new"]):
        if all(content("/" + path) == state for path, _ in sizes):
            gone = [path for path in task["gone"] if content("/" + path)]
            assert state == "old" or not gone, (n, gone)
            return state
    assert False, (n, "a mixed set would start")

counts = {"old": 0, "none": 0, "new": 0}
n = 0
while True:
    flash = Flash(bytearray(start))
    mount(flash)
    flash.left = n
    try:
        deploy()
        done = True
    except PowerCut:
        done = False
    vfs.umount("/")
    if done:
        break
    # What was open is closed by nobody: its file would write to the flash that it knows.
    flash = Flash(bytearray(flash.data))
    mount(flash)
    flash.left = n % 11  # and again, in the boot
    try:
        boot()
    except PowerCut:
        pass
    vfs.umount("/")
    flash = Flash(bytearray(flash.data))
    mount(flash)
    counts[seen(n)] += 1
    deploy()
    assert seen(n) == "new", n
    vfs.umount("/")
    n += task["step"]
mount(flash)
assert seen("end") == "new"
counts["outbox"] = len(readings)
print(json.dumps(counts))
"""


def test_power_cuts_at_every_write_of_the_flash_while_the_new_set_is_put_in_place() -> None:
    said = run_port(_FLASH + _POWER_CUTS, *_BOARD_SIDE, heap=_HEAP)
    cuts = int(said.split()[-1])
    assert cuts > 15, "power was hardly ever cut: the test no longer reaches what it is about"


_OLD_SIZES = {
    "main.py": 300,
    "lib/a.mpy": 9000,
    "firmware/app.mpy": 6000,
    "firmware/config.mpy": 9000,
    "firmware/net.mpy": 9000,
    "firmware/portal/page.mpy": 3000,
    **{f"firmware/m{n}.mpy": 6000 for n in range(6)},
}
_NEW_SIZES = {"main.py": 300, "module_pack.mpy": 1200, "firmware.pack": 75000}


@pytest.mark.slow
def test_power_cuts_all_along_a_deployment_in_parts(tmp_path: Path) -> None:
    blocks, free = 72, 18
    files = {"/" + path: size for path, size in _OLD_SIZES.items()}
    folders = ("/firmware/", "/firmware/portal/", "/lib/", "/.deploy/", "/outbox/")
    survey = Survey(
        *("rp2", 6, "1.25.0", "1", False),
        files | dict.fromkeys(folders, 0),
        frozenset(_OLD_SIZES),
    )
    new = {path: (path.encode() * size)[:size] for path, size in _NEW_SIZES.items()}
    build = Build(new, {}, {}, "2")
    todo = plan(survey, build, {}, {})
    parts = Parts(survey, build, todo)
    found = [parts.next(free * 4096)]
    while not found[-1].is_last:
        found.append(parts.next(20 * 4096))
    assert len(found) == 2, "all fits at once: the test no longer reaches what it is about"
    task = {
        "blocks": blocks,
        "free": free,
        "old": list(_OLD_SIZES.items()),
        "new": list(_NEW_SIZES.items()),
        "gone": todo.removals,
        "installed": journal(build, {}, [], []).decode(),
        "parts": [
            {
                "send": [(name, _NEW_SIZES[path]) for path, name in part.staged.items()],
                "journal": part.journal.decode(),
            }
            for part in found
        ],
        "step": 2,
    }
    (tmp_path / "task.json").write_text(json.dumps(task))
    said = run_port(_FLASH + _PARTS, *_BOARD_SIDE, str(tmp_path / "task.json"), heap=_HEAP)
    counts = json.loads(said.splitlines()[-1])
    assert counts["none"] > 50 and min(counts.values()) >= 1, counts


class _Small:
    """What is free on a board whose flash holds so many blocks for the firmware."""

    def __init__(self, bench: Bench, blocks: int) -> None:
        self._bench, self._blocks = bench, blocks

    def __call__(self, *_: object) -> int:
        used = sum(math.ceil(len(data) / 4096) for data in self._bench.files().values())
        return max(self._blocks - used, 0) * 4096


def _large_project(folder: Path, mark: str) -> Path:
    root = project(folder, mark)
    for n in range(8):
        path = root / "lib" / mark / f"large{n}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"MARK = {mark * 4000!r}\n")
    return root


@pytest.mark.slow
def test_the_cable_is_pulled_at_many_points_of_a_deployment_in_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = _large_project(tmp_path / "one", "one"), _large_project(tmp_path / "two", "two")
    seen = []
    with Bench(tmp_path) as bench:
        (bench.folder / "outbox").mkdir()
        (bench.folder / "outbox" / "00000000.seg").write_bytes(b"readings")
        assert bench.deploy(old).ok
        bench.ran()
        monkeypatch.setattr(bring, "_free", _Small(bench, 45))
        before = bench.board.bytes_received
        done = bench.deploy(new)
        assert done.ok and done.parts == 2, done
        total = bench.board.bytes_received - before
        assert bench.ran() == NEW
        assert bench.deploy(old).ok
        assert bench.ran() == OLD
        for part in (2, 4, 5, 6, 7, 8, 9):
            bench.board.cut_after = bench.board.bytes_received + total * part // 10
            cut = bench.deploy(new, ready_s=1)
            assert not cut.ok
            commit = bench.folder / ".deploy" / "commit"
            bench.replug()
            if commit.exists() and UNFINISHED in commit.read_text().splitlines()[0]:
                time.sleep(0.5)
                assert not (bench.folder / "ran").exists(), "a mixed set was started"
                seen.append("none")
            else:
                seen.append(bench.ran()[0])
            finished = bench.deploy(new)
            assert finished.ok, finished.text
            assert bench.ran() == NEW
            assert not commit.exists()
            assert bench.deploy(old, start=False).ok
        assert (bench.folder / "outbox" / "00000000.seg").read_bytes() == b"readings"
    assert {"none"} < set(seen), seen


@pytest.mark.slow
def test_between_two_parts_the_console_and_the_tool_say_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = _large_project(tmp_path / "one", "one"), _large_project(tmp_path / "two", "two")
    with Bench(tmp_path) as bench:
        assert bench.deploy(old).ok
        bench.ran()
        real = bring.send
        calls = []

        def second_fails(link: BoardLink, files: dict[str, Pieces], **options: object) -> None:
            calls.append(files)
            if len(calls) > 1:
                raise BoardError("the cable is out.")
            real(link, files, **options)  # type: ignore[arg-type]

        with monkeypatch.context() as patched:
            patched.setattr(bring, "_free", _Small(bench, 45))
            patched.setattr(bring, "send", second_fails)
            cut = bench.deploy(new)
        assert not cut.ok and "`fieldpost deploy` has been repeated" in cut.text, cut
        with open_link(bench.board.port) as link:
            link.restart()
            heard = b"".join(link.console(1))
            link.close(resume=False)
        assert b"repeat `fieldpost deploy`" in heard, heard
        assert not (bench.folder / "ran").exists()
        # The other way round, too: back to the old set.
        assert bench.deploy(old).ok
        assert bench.ran() == OLD


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
        # What follows the commit takes the last hundred bytes or so.
        for at in (*(total * part // 10 for part in (2, 4, 5, 6, 7, 9)), total - 60):
            bench.board.cut_after = bench.board.bytes_received + at
            assert not bench.deploy(new, ready_s=1).ok
            bench.replug()
            ran = bench.ran()
            assert ran in (OLD, NEW), (at, ran)
            seen.append(ran[0])
            finished = bench.deploy(new)
            assert finished.ok, finished
            assert bench.ran() == NEW
            assert bench.deploy(old, start=False).ok
    assert seen == sorted(seen) and set(seen) == {"one", "two"}, seen


@pytest.mark.slow
def test_what_has_arrived_before_the_cut_is_not_sent_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = project(tmp_path / "one", "one"), _large_project(tmp_path / "two", "two")
    real = deploy_send.BoardLink.send
    sent: list[bytes] = []

    def three_blocks(link: deploy_send.BoardLink, data: bytes) -> None:
        sent.append(data)
        if len(sent) > 3:
            bench.board.unplug()
        real(link, data)

    with Bench(tmp_path) as bench:
        whole = bench.deploy(new, start=False)
        assert bench.deploy(old, start=False).ok
        with monkeypatch.context() as patched:
            patched.setattr(deploy_send.BoardLink, "send", three_blocks)
            assert not bench.deploy(new).ok
        bench.board.plug_in()
        assert bench.ran() == OLD
        second = bench.deploy(new)
        assert second.ok and "the rest had arrived before" in second.text, second
        assert second.sent["firmware.pack"] < whole.sent["firmware.pack"] - 2000
        assert bench.ran() == NEW


@pytest.mark.slow
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
                patched.setattr(bring, "complete", interrupt)
            with pytest.raises(KeyboardInterrupt):
                bench.deploy(new)
        assert bench.ran() == (OLD if step == "send" else NEW)
        assert bench.deploy(new).ok
        assert bench.ran() == NEW


@pytest.mark.slow
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
            patched.setattr(bring, "complete", fail)
            assert not bench.deploy(new, start=False).ok
        commit = bench.folder / ".deploy" / "commit"
        assert commit.exists()
        done = bench.deploy(newest)
        assert done.ok, done
        assert not commit.exists()
        assert bench.ran() == ["three"] * 5


@pytest.mark.slow
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
    root = _large_project(tmp_path / "one", "one")
    with Bench(tmp_path) as bench:
        monkeypatch.setattr(bring, "_free", lambda *_: 40960)
        done = bench.deploy(root)
        assert not done.ok and "40 KiB free" in done.text and "fieldpost pull" in done.text
        assert json.loads((bench.folder / "config.json").read_text())
        assert set(bench.files()) == {"config.json"}
