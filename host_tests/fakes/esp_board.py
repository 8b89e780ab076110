"""An Espressif board in its bootloader: the packaged mock of the ROM, behind a line that may fail.

esptool  <->  this proxy (`url`)  <->  esp32-mock-bootloader, or what it runs once it is flashed
"""

import contextlib
import json
import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

import serial

# How two commands begin.
_CHANGE_BAUD = b"\xc0\x00\x0f"
_MD5_OF_FLASH = b"\xc0\x00\x13"
# Runs the packaged mock with another answer to what esptool asks of flash and fuses.
_MOCK = """
import json, sys
from esp32_mock_bootloader import cli, protocol, registers
from esptool.targets import CHIP_DEFS
flash_mb, cores, is_octal, chip = json.loads(sys.argv.pop(1))
protocol.MOCK_FLASH_ID = (0x13 + flash_mb.bit_length()) << 16 | 0x4020
rom, fuses = CHIP_DEFS[chip], registers.rom_profile(chip)
if cores == 1:
    fuses[rom.EFUSE_RD_REG_BASE + 12] = 1
if is_octal:
    mask = rom.EFUSE_RD_REPEAT_DATA3_REG_FLASH_TYPE_MASK
    fuses[rom.EFUSE_RD_REPEAT_DATA3_REG] = mask
cli.main()
"""
_START_S = 20.0
_READ_S = 60.0


class EspBoard:
    """`chip` as esptool names it ("esp32c3").

    good_baud: above this rate nothing arrives, as on a long cable. cut_after: the port goes away
    for good after so many bytes from the tool. hold_after: after so many it takes no more, until
    the tool lets go; `is_held` is set then. runs: the path of the port behind which there is what
    the chip runs, once an image was written to it and verified. flash_mb, cores, is_octal: what
    its flash and fuses tell.
    """

    def __init__(
        self,
        chip: str,
        *,
        good_baud: int | None = None,
        cut_after: int | None = None,
        hold_after: int | None = None,
        runs: str | None = None,
        flash_mb: int = 4,
        cores: int = 2,
        is_octal: bool = False,
    ) -> None:
        self.chip = chip
        self.good_baud = good_baud
        self.cut_after = cut_after
        self.hold_after = hold_after
        self.is_held = threading.Event()
        self.runs = runs
        self._told = json.dumps([flash_mb, cores, is_octal, chip])
        self.is_written = False
        self.bauds: list[int] = []
        self.received = 0

    def __enter__(self) -> "EspBoard":
        self._mock_port = _free_port()
        self._mock = subprocess.Popen(
            [
                *(sys.executable, "-c", _MOCK, self._told, "run", "--chip", self.chip),
                *("--port", str(self._mock_port), "--timeout", "120"),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        end = time.monotonic() + _START_S
        while True:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", self._mock_port), 1).close()
                break
            assert time.monotonic() < end, "the mock bootloader did not start"
            time.sleep(0.05)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"socket://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._close()
        self._mock.kill()
        self._mock.wait()

    def read_back(self, address: int, size: int, file: Path) -> bytes:
        """What is in its flash, read by esptool: some kilobytes, for that is slow."""
        self._esptool("--no-stub", "read-flash", hex(address), hex(size), str(file))
        return file.read_bytes()

    def verify(self, address: int, file: Path) -> bool:
        """Whether all of `file` is in its flash, by the hash that the chip makes of it."""
        return "erification successful" in self._esptool("verify-flash", hex(address), str(file))

    def _esptool(self, *arguments: str) -> str:
        url = f"socket://127.0.0.1:{self._mock_port}"
        command = [sys.executable, "-m", "esptool", "--chip", self.chip, "--port", url]
        done = subprocess.run(
            [*command, *arguments], capture_output=True, text=True, timeout=_READ_S
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def _close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes who waits in accept()
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                tool, _ = self._listener.accept()
            except OSError:
                return
            self._connect(tool)

    def _connect(self, tool: socket.socket) -> None:
        if self.is_written and self.runs:
            _join(tool, self.runs)
            return
        rom = socket.create_connection(("127.0.0.1", self._mock_port))
        back = threading.Thread(target=_pump, args=(rom, tool), daemon=True)
        back.start()
        baud = 115_200
        with contextlib.suppress(OSError):
            while data := tool.recv(4096):
                self.received += len(data)
                self.is_written = self.is_written or _MD5_OF_FLASH in data
                if self.cut_after is not None and self.received >= self.cut_after:
                    self._close()
                    break
                if self.hold_after is not None and self.received >= self.hold_after:
                    self.hold_after = None
                    self.is_held.set()
                    while tool.recv(4096):
                        pass
                    break
                if not (self.good_baud and baud > self.good_baud):
                    rom.sendall(data)
                at = data.find(_CHANGE_BAUD)
                if at >= 0:
                    (baud,) = struct.unpack_from("<I", data, at + 9)
                    self.bauds.append(baud)
        for end in (tool, rom):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(4096):
            target.sendall(data)


def _join(tool: socket.socket, port: str) -> None:
    """The tool with a serial port, until it lets go."""
    with tool, serial.Serial(port, 115_200, timeout=0.02) as board:
        tool.settimeout(0.02)
        with contextlib.suppress(OSError):
            while True:
                if data := board.read(max(1, board.in_waiting)):
                    tool.sendall(data)
                try:
                    data = tool.recv(4096)
                except TimeoutError:
                    continue
                if not data:
                    return
                board.write(data)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]
