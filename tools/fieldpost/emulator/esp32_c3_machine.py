"""An emulated ESP32-C3 as it runs: QEMU, with our network, a console and a flash of its own.

Sockets that only the two processes have connect them, so there is no port to be found: the frames
of its Wi-Fi, its serial line, QEMU's control channel, and the wires of its sensors.
"""

import asyncio
import contextlib
import socket
import subprocess
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import psutil

from fieldpost.emulator.esp32_c3_facts import FLASH_BYTES, MACHINE, RADIO
from fieldpost.emulator.esp32_c3_wiring.wires import Wires
from fieldpost.emulator.machine import Machine
from fieldpost.emulator.network import Network
from fieldpost.emulator.pty_console import PtyConsole
from fieldpost.emulator.qmp import Qmp
from fieldpost.emulator.setup import Setup
from fieldpost.flash import esp_image
from fieldpost.processes.programs import Watchdog

_FLASH = "flash.bin"
# The emulated access point hands the chip a frame each 5 ms. It has room for a few, and a frame
# that finds none is never asked for again.
_FRAME_S = 0.006
_FRAMES_MAX = 256
_ENDS_S = 3.0
_POLL_S = 0.1
_LOAD_S = 1.0
_READ_BYTES = 4096


class _Chip:
    """What the network needs of it: its clock is the wall clock."""

    def __init__(self) -> None:
        self._start = time.monotonic()
        self._work: set[asyncio.Task[Any]] = set()

    def schedule_threadsafe(self, work: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.ensure_future(work)
        self._work.add(task)
        task.add_done_callback(self._work.discard)

    def now_ms(self) -> float:
        return (time.monotonic() - self._start) * 1000

    def world_begins(self) -> None:
        pass

    def world_ends(self) -> None:
        pass


class Esp32C3(Machine):
    """QEMU's process. `cut_power` and `power`: without and with a start afterwards, on the same
    flash: RAM and RTC memory are lost. `load`: how busy the chip keeps this machine."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._flash = setup.folder / _FLASH
        self._terminal = PtyConsole()
        self._frames: asyncio.Queue[bytes] = asyncio.Queue(_FRAMES_MAX)
        self.network = Network(_Chip(), self._queue, dict(setup.ports), setup.open_network)
        self._process: subprocess.Popen[bytes] | None = None
        self._watchdog: Watchdog | None = None
        self._qmp = Qmp(self._heard)
        self._wires = Wires(setup.wired) if setup.wired else None
        self._wires_end: asyncio.StreamWriter | None = None
        self._radio: asyncio.StreamWriter | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._has_power = True

    async def start(self) -> None:
        if not self._flash.exists():
            self._flash.write_bytes(self._new_flash())
        self._terminal.open()
        self.console = self._terminal.path
        await self._switch_on()

    async def ended(self) -> str | None:
        while not self._has_power or (self._process and self._process.poll() is None):
            await asyncio.sleep(_POLL_S)
        return f"QEMU ended with status {self._process.returncode if self._process else None}"

    async def reset(self) -> None:
        await self._qmp.do("system_reset")

    async def stop(self) -> None:
        self._switch_off()
        self._terminal.close()

    def dump(self, target: Path) -> None:
        data = self._flash.read_bytes()
        address, size = esp_image.file_system(data, FLASH_BYTES)
        target.write_bytes(data[address : address + size])

    async def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        what = request["do"]
        if what == "pace":
            return {}  # Its clock always keeps to the wall clock.
        if what == "load":
            return await self._load()
        if what in ("cut_power", "power"):
            self._has_power = False
            self._switch_off()
            self.network.lose()
            if what == "power":
                await self._switch_on()
            return {}
        return await super().answer(request)

    # Inside ------------------------------------------------------------------------------------

    def _new_flash(self) -> bytes:
        image = self._setup.image.read_bytes()
        flash = bytearray(image.ljust(FLASH_BYTES, b"\xff"))
        if self._setup.littlefs:
            address, size = esp_image.file_system(image, FLASH_BYTES)
            flash[address : address + size] = self._setup.littlefs.read_bytes()
        return bytes(flash)

    async def _switch_on(self) -> None:
        assert self._setup.program
        ours, theirs = zip(*(socket.socketpair() for _ in range(4)), strict=True)
        radio, line, control, wires = (end.fileno() for end in theirs)
        command = [
            *(self._setup.program, "-machine", MACHINE, "-display", "none", "-monitor", "none"),
            *("-drive", f"file={self._flash},if=mtd,format=raw"),
            *("-nic", f"socket,model={RADIO},fd={radio}"),
            *("-chardev", f"socket,id=line,fd={line}", "-serial", "chardev:line"),
            *("-chardev", f"socket,id=control,fd={control}"),
            *("-mon", "chardev=control,mode=control"),
            # It takes the chip's own for a hang whenever this machine is late.
            *("-global", "driver=timer.esp32c3.timg,property=wdt_disable,value=true"),
            *self._setup.settings,
        ]
        if self._wires:
            command += ["-chardev", f"socket,id=wires,fd={wires}", "-serial", "chardev:wires"]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=2,  # where its errors are read
            pass_fds=(radio, line, control, wires),
            start_new_session=True,
        )
        self._watchdog = Watchdog(self._process)
        for end in theirs:
            end.close()
        self._terminal.plug(ours[1])
        self._terminal.last_said = time.monotonic()
        reader, self._radio = await asyncio.open_connection(sock=ours[0])
        self._tasks = [
            asyncio.create_task(self._from_radio(reader)),
            asyncio.create_task(self._to_radio(self._radio)),
        ]
        wires_reader, self._wires_end = await asyncio.open_connection(sock=ours[3])
        if self._wires:
            answering = self._answer_wires(self._wires, wires_reader, self._wires_end)
            self._tasks.append(asyncio.create_task(answering))
        self._qmp = Qmp(self._heard)
        await self._qmp.open(ours[2])
        self._has_power = True

    def _switch_off(self) -> None:
        for task in self._tasks:
            task.cancel()
        self._tasks = []
        self._qmp.close()
        for end in (self._radio, self._wires_end):
            if end:
                end.close()
        self._radio = self._wires_end = None
        process, self._process = self._process, None
        if process is None:
            return
        if self._watchdog:
            self._watchdog.close()
        process.kill()
        process.wait(_ENDS_S)

    def _heard(self, event: str, data: dict[str, Any]) -> None:
        if event == "RESET":
            self.resets += bool(data.get("guest"))
            self.network.lose()

    async def _from_radio(self, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, OSError):
            while True:
                size = int.from_bytes(await reader.readexactly(4), "big")
                self.network.handle_outbound_ethernet_frame(await reader.readexactly(size))

    async def _to_radio(self, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while True:
                frame = await self._frames.get()
                writer.write(len(frame).to_bytes(4, "big") + frame)
                await asyncio.sleep(_FRAME_S)

    async def _answer_wires(
        self, wires: Wires, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(_READ_BYTES):
                writer.write(wires.heard(data))

    def _queue(self, frame: bytes) -> None:
        with contextlib.suppress(asyncio.QueueFull):
            self._frames.put_nowait(frame)

    async def _load(self) -> dict[str, Any]:
        """busy: of a second of this machine's time, which part the chip took. silent_s: since its
        console last said something."""
        assert self._process
        process = psutil.Process(self._process.pid)
        before, start = process.cpu_times(), time.monotonic()
        await asyncio.sleep(_LOAD_S)
        after, took_s = process.cpu_times(), time.monotonic() - start
        used_s = after.user + after.system - before.user - before.system
        silent_s = time.monotonic() - self._terminal.last_said
        return {"busy": round(used_s / took_s, 2), "silent_s": round(silent_s, 1)}
