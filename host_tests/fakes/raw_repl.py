"""A board at the end of a cable: real MicroPython behind what looks like a serial port.

The unix port speaks the REPL and the raw REPL as a board does. What it lacks is put around it: a
port that stays when the interpreter restarts, soft and hard reset, a file system of its own at
`/`, `machine`, and a cable to pull out. Raw paste is declined, as a board may: the unix port does
not hear Ctrl-C in a program that came that way. Needs Linux or macOS.

    tool  <->  pseudo-terminal `port`  <->  this thread  <->  pseudo-terminal  <->  MicroPython
"""

import os
import pty
import select
import signal
import subprocess
import termios
import threading
import time
import tty
from pathlib import Path

_RAW_PASTE = b"\x05A\x01"
_NO_RAW_PASTE = b"R\x00"
_BOOTED = b"\0booted\0"
_RAW_PROMPT = b"raw REPL; CTRL-B to exit\r\n>"
_POLL_S = 0.02
# machine.reset_cause() as the ESP32 port has it.
_POWER_ON, _HARD, _DEEP_SLEEP = 1, 2, 4
# Far more than it takes: what came after it would be taken for something else.
_START_S = 60.0
_INTERRUPT_S = 0.2
# What `machine` was asked for: the interpreter writes it, and this side pulls the plug.
_WISH = ".wish"

# Runs in the interpreter before anything of the board's. Modules are stood in for, as the real
# ones can't be written to.
_BOOT = """
import sys, os, vfs
vfs.umount("/")
vfs.mount(vfs.VfsPosix({folder!r}), "/")
os.chdir("/")
sys.path[:] = ["", ".frozen", "/lib"]
def _stand_in():
    import sys, os, vfs, machine, time
    from collections import namedtuple
    class Other:
        def __init__(self, real):
            self.real = real
        def __getattr__(self, name):
            return getattr(self.real, name)
    names = ("name", "version", "_machine", "_build", "_mpy")
    kind = namedtuple("implementation", names)
    was = sys.implementation
    other = Other(sys)
    version = {version!r} or was.version
    other.implementation = kind(was.name, version, {machine!r}, {build!r}, was._mpy)
    other.platform = {platform!r}
    def wish(text):
        def ask(*_):
            with open("/{wish}", "w") as f:
                f.write(text)
            while True:
                time.sleep(1)
        return ask
    # VfsPosix with a root forgets the first of two paths: rename goes by one without.
    posix = vfs.VfsPosix()
    def real(path):
        here = os.getcwd().rstrip("/")
        return {folder!r} + (path if path.startswith("/") else here + "/" + path)
    files = Other(os)
    files.rename = lambda old, new: posix.rename(real(old), real(new))
    chip = Other(machine)
    chip.reset = wish("reset")
    chip.bootloader = wish("bootloader")
    chip.deepsleep = lambda ms: wish("sleep %d" % ms)()
    chip.reset_cause = lambda: {cause}
    class RealTimeClock:
        def memory(self):
            return b""
    chip.RTC = RealTimeClock
    class Registers:
        def __getitem__(self, at):
            return 0
        def __setitem__(self, at, value):
            pass
    chip.mem32 = Registers()
    chip.WDT = lambda timeout: None
    chip.unique_id = lambda: bytes.fromhex({uid!r})
    clock = Other(time)
    if {stuck}:
        def sleep_ms(_):
            while True:
                time.sleep(1)
        clock.sleep_ms = sleep_ms
    modules = ("os", files), ("uos", files), ("sys", other), ("time", clock)
    for name, module in (("machine", chip), ("umachine", chip)) + modules:
        sys.modules[name] = module
_stand_in()
print({booted!r}, end="")
del _stand_in, sys, os, vfs
for _name in {start!r}:
    try:
        _source = open(_name).read()
    except OSError:
        continue
    exec(compile(_source, _name, "exec"))
"""


class RawReplBoard:
    """One board. `folder` is its file system; `link` a path that its port keeps when replugged.

    deaf_s: how long after plugging in it loses what is sent to it, as a booting board does.
    cut_after: pull the cable once so many bytes came from the tool; None: never.
    version: of MicroPython, as it is to say; None: its own.
    stuck: no sleep of its programs ends before a hard reset, as on a Pico W whose program was
    interrupted while it started the radio.
    vanishes: its port is its chip's own USB, which is away while the chip sleeps; else it is a
    bridge's, which stays. rom: what its chip prints as it starts, before MicroPython hears.
    """

    def __init__(
        self,
        folder: Path,
        link: Path,
        micropython: str,
        *,
        machine: str = "Raspberry Pi Pico W with RP2040",
        build: str = "RPI_PICO_W",
        platform: str = "rp2",
        uid: str = "e6614104035f8a2c",
        deaf_s: float = 0.0,
        cut_after: int | None = None,
        version: tuple[int, int, int] | None = None,
        stuck: bool = False,
        vanishes: bool = False,
        rom: bytes = b"",
    ) -> None:
        self.folder = folder.resolve()
        self.port = str(link)
        self.deaf_s = deaf_s
        self.cut_after = cut_after
        self.version = version
        self.stuck = stuck
        self.vanishes = vanishes
        self.rom = rom
        self.sleeps = 0
        # One that is awake for less than a try takes loses all that is sent to it.
        self.hears = True
        self.is_asleep = threading.Event()
        self._wakes_at: float | None = None
        self._cause = _POWER_ON
        self._is_held = self._is_let_go = False
        self.bytes_received = 0
        self.soft_resets = 0
        self.hard_resets = 0
        self.in_bootloader = threading.Event()
        self._link = link
        self._micropython = micropython
        self._names = {"machine": machine, "build": build, "platform": platform, "uid": uid}
        self._thread: threading.Thread | None = None
        self._unplugged = threading.Event()
        self._child: subprocess.Popen[bytes] | None = None
        self._inner = self._outer = self._outer_slave = -1
        self._raw = False

    def __enter__(self) -> "RawReplBoard":
        self.plug_in()
        return self

    def __exit__(self, *_: object) -> None:
        self.unplug()

    def plug_in(self) -> None:
        """Power it up, and let its port appear."""
        self._unplugged.clear()
        self.in_bootloader.clear()
        self._wakes_at, self._cause = None, _POWER_ON
        self._show_port()
        self._start(main=True)
        self._thread = threading.Thread(target=self._pump, daemon=True)
        self._thread.start()

    def _show_port(self) -> None:
        self._outer, self._outer_slave = pty.openpty()
        tty.setraw(self._outer_slave)
        self._link.unlink(missing_ok=True)
        self._link.symlink_to(os.ttyname(self._outer_slave))
        self._plugged_at = time.monotonic()

    def _hide_port(self) -> None:
        self._link.unlink(missing_ok=True)
        os.close(self._outer_slave)
        os.close(self._outer)
        self._outer = -1

    def hold(self) -> None:
        """EN is low: the chip is in reset."""
        self._is_held = True

    def let_go(self) -> None:
        """EN is high again: the chip starts, if it was held."""
        self._is_let_go, self._is_held = self._is_held, False

    def unplug(self) -> None:
        """Pull the cable: power and port are gone at once."""
        self._unplugged.set()
        if self._thread and self._thread is not threading.current_thread():
            self._thread.join(_START_S)

    def be_busy(self, duration_s: float) -> None:
        """From now on, for so long, answer nothing; then all that has been sent meanwhile."""
        assert self._child
        self._child.send_signal(signal.SIGSTOP)
        threading.Timer(duration_s, self._child.send_signal, [signal.SIGCONT]).start()

    def _start(self, *, main: bool) -> None:
        """Start the interpreter; a soft reset in the raw REPL does so without main.py."""
        boot = _BOOT.format(
            folder=str(self.folder),
            wish=_WISH,
            booted=_BOOTED.decode(),
            stuck=self.stuck,
            version=self.version,
            start=("boot.py", "main.py") if main else ("boot.py",),
            cause=self._cause,
            **self._names,
        )
        self._inner, slave = pty.openpty()
        mode = termios.tcgetattr(slave)
        mode[1] &= ~termios.OPOST
        mode[3] &= ~(termios.ECHO | termios.ICANON)
        termios.tcsetattr(slave, termios.TCSANOW, mode)
        self._raw = False
        os.write(self._outer, self.rom)
        self._child = subprocess.Popen(
            [self._micropython, "-i", "-c", boot],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)
        said = self._read_until(_BOOTED)
        os.write(self._outer, said.partition(_BOOTED)[2])

    def _read_until(self, marker: bytes) -> bytes:
        said = b""
        end = time.monotonic() + _START_S
        while marker not in said and time.monotonic() < end:
            if select.select([self._inner], [], [], _POLL_S)[0]:
                said += os.read(self._inner, 4096)
        return said

    def _stop(self) -> None:
        assert self._child
        self._child.send_signal(signal.SIGKILL)
        self._child.wait()
        if self._inner >= 0:
            os.close(self._inner)
            self._inner = -1

    def _pump(self) -> None:
        try:
            while not self._unplugged.is_set():
                self._sleep_or_wake()
                watched = [one for one in (self._outer, self._inner) if one >= 0]
                ready, _, _ = select.select(watched, [], [], _POLL_S)
                if self._outer in ready:
                    self._from_tool(os.read(self._outer, 4096))
                if self._inner in ready:
                    self._from_interpreter()
                self._grant_wish()
        finally:
            self._stop()
            if self._outer >= 0:
                self._hide_port()

    def _sleep_or_wake(self) -> None:
        is_reset = self._is_let_go
        if is_reset:
            self._is_let_go = False
            self.hard_resets += 1
            self._stop()
            self._wakes_at = 0.0
        if self._wakes_at is None or time.monotonic() < self._wakes_at:
            return
        self._cause = _POWER_ON if is_reset else _DEEP_SLEEP
        self._wakes_at = None
        self.is_asleep.clear()
        if self._outer < 0:
            self._show_port()
        self._start(main=True)

    def _from_tool(self, data: bytes) -> None:
        self.bytes_received += len(data)
        if self.cut_after is not None and self.bytes_received >= self.cut_after:
            self.cut_after = None
            self._unplugged.set()
            return
        is_booting = time.monotonic() < self._plugged_at + self.deaf_s
        if not self.hears or is_booting or self._inner < 0:
            return
        if _RAW_PASTE in data:
            data = data.replace(_RAW_PASTE, b"")
            os.write(self._outer, _NO_RAW_PASTE)
        if b"\x01" in data:
            self._raw = True
        elif b"\x02" in data:
            self._raw = False
        _, ctrl_c, after = data.partition(b"\x03")
        if ctrl_c and self._program_runs():
            self._interrupt()
            os.write(self._inner, after)
        else:
            os.write(self._inner, data)

    def _program_runs(self) -> bool:
        """The REPL takes Ctrl-C as a byte; while a program runs, the terminal would signal it."""
        return bool(termios.tcgetattr(self._inner)[3] & termios.ISIG)

    def _interrupt(self) -> None:
        assert self._child
        self._child.send_signal(signal.SIGINT)
        # As the REPL comes back it discards what was typed ahead; a board's does not.
        end = time.monotonic() + _INTERRUPT_S
        while self._program_runs() and time.monotonic() < end:
            time.sleep(_POLL_S / 10)

    def _from_interpreter(self) -> None:
        try:
            data = os.read(self._inner, 4096)
        except OSError:  # EIO: the interpreter has ended
            data = b""
        if data:
            os.write(self._outer, data)
            return
        raw = self._raw
        self._stop()
        self.soft_resets += 1
        os.write(self._outer, b"MPY: soft reboot\r\n")
        self._start(main=not raw)
        if raw:
            self._enter_raw()

    def _enter_raw(self) -> None:
        """A soft reset in the raw REPL ends in the raw REPL, with boot.py's output before it."""
        os.write(self._inner, b"\x01")
        said = self._read_until(_RAW_PROMPT)
        self._raw = True
        banner = said.find(b"MicroPython ")
        os.write(self._outer, said[: max(banner, 0)] + _RAW_PROMPT)

    def _grant_wish(self) -> None:
        wish = self.folder / _WISH
        if not wish.exists() or not (wanted := wish.read_text()):
            return
        wish.unlink()
        self._stop()
        if wanted == "bootloader":
            self._unplugged.set()
            self.in_bootloader.set()
            return
        if wanted.startswith("sleep"):
            self.sleeps += 1
            self._wakes_at = time.monotonic() + int(wanted.split()[1]) / 1000
            if self.vanishes:
                self._hide_port()
            self.is_asleep.set()
            return
        self.hard_resets += 1
        self._cause = _HARD
        self.stuck = False
        self._start(main=True)
