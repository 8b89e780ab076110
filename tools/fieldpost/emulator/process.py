"""The process in which an emulated Pico W runs: `python -m fieldpost.emulator.process …`.

Started and spoken to by `fieldpost.emulator`. One JSON object to a line: the first on the
standard output says where the board's console is; after that every line on the standard input is
a request and is answered by a line. When the standard input ends, so does the emulator: it never
outlives whoever started it.
"""

import argparse
import asyncio
import dataclasses
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from rp2040py.boards import BOARDS, resolve_layout
from rp2040py.cli.pty_repl import PtyInteractiveRepl
from rp2040py.device.mp_device import MicroPythonDevice
from rp2040py.external.cyw43 import Cyw43439

from fieldpost.emulator import i2c
from fieldpost.emulator.network import Network

_BOOT_S = 30.0
_BOARD = "pico_w"


class _Board:
    """The device with its network and its console."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        spec = BOARDS[_BOARD]
        radio = Cyw43439()
        others = tuple(extra for extra in spec.extras if extra is not Cyw43439)
        # The image is a file, and the layout comes with the package: nothing is looked up.
        spec = dataclasses.replace(
            spec,
            extras=(*others, lambda: radio, *(lambda one=one: one for one in options.i2c)),
            image=options.image,
            layout=resolve_layout(spec, "micropython"),
            firmware=None,
        )
        self.device = MicroPythonDevice(board=spec, filesystem=options.littlefs)
        simulator = self.device.simulator
        # Unwired, a chip measures these: 27 degrees Celsius inside it (0.706 V: RP2040 datasheet
        # 4.9.5), and a third of the 5 V of USB on the input that a Pico W has for its supply.
        levels = self.device.mcu.adc.channel_values
        levels[4] = round(0.706 / 3.3 * 4095)
        levels[3] = round(5 / 3 / 3.3 * 4095)
        self.network = Network(
            simulator, radio.bus.queue_rx_ethernet_frame, options.port, options.open_network
        )
        radio.bus.nat_bridge = self.network  # type: ignore[assignment]
        self.stop = asyncio.Event()
        self.console = PtyInteractiveRepl(self.device.cdc, simulator, lambda _: self.stop.set())
        self.resets = 0
        self._real_time = False
        restart = self.device.mcu.watchdog.on_watchdog_trigger

        def on_watchdog_trigger() -> None:
            self.resets += 1
            self.network.lose()
            restart()

        self.device.mcu.watchdog.on_watchdog_trigger = on_watchdog_trigger

    def pace(self, real_time: bool) -> None:
        """Let the chip's clock run with the wall clock, or jump over what it sleeps through."""
        if real_time and not self._real_time:
            self.device.simulator.real_io_begin()
        elif self._real_time and not real_time:
            self.device.simulator.real_io_end()
        self._real_time = real_time

    async def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Do what a request asks for."""
        what = request.get("do")
        if what == "stats":
            stats = {**self.network.as_json(), "resets": self.resets}
            if request.get("forget"):
                self.network.forget()
            return stats
        if what == "network":
            if "ports" in request:
                self.network.ports = {int(k): v for k, v in request["ports"].items()}
            if "silent" in request:
                self.network.silent = bool(request["silent"])
            return {}
        if what == "reset":
            self.network.lose()
            await self.device.ahard_reset(_BOOT_S)
            return {}
        if what == "pace":
            self.pace(bool(request["real_time"]))
            return {}
        if what == "pin":
            # From outside: a contact that closes and opens, a sensor's output.
            self.device.mcu.gpio[request["number"]].set_input_value(bool(request["level"]))
            return {}
        if what == "dump":
            self.device.dump_flash_image(Path(request["path"]))
            return {}
        if what == "stop":
            self.stop.set()
            return {}
        raise ValueError(f"no such request: {what}")


def _say(value: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


async def _requests(board: _Board) -> None:
    """Answer one request after the other, until there are no more to come."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        try:
            _say({"ok": True, **await board.answer(json.loads(line))})
        except Exception as error:  # whatever it is, the one who asked has to know
            _say({"ok": False, "error": f"{type(error).__name__}: {error}"})
    board.stop.set()


async def _run(options: argparse.Namespace) -> int:
    board = _Board(options)
    simulator = board.device.simulator
    board.pace(options.real_time)
    # The console is there before the board starts: nothing that it prints is lost.
    await board.console.start()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, board.stop.set)
    try:
        await board.device.astart(_BOOT_S)
        _say({"console": board.console.slave_path, "pid": os.getpid()})
        requests = asyncio.create_task(_requests(board))
        stop = asyncio.create_task(board.stop.wait())
        watched = {stop, simulator._execute_task, requests}
        await asyncio.wait({one for one in watched if one}, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.sleep(0)
        requests.cancel()
        stop.cancel()
        if options.dump_fs:
            board.device.dump_flash_image(options.dump_fs)
    finally:
        board.device.stop()
        await board.console.stop()
    if simulator.engine_room_error:
        print(f"the emulated chip stopped: {simulator.engine_room_error!r}", file=sys.stderr)
        return 1
    return 0


def _port(text: str) -> tuple[int, int]:
    gateway, _, loopback = text.partition(":")
    return int(gateway), int(loopback or gateway)


def main() -> int:
    """See the module."""
    parser = argparse.ArgumentParser(prog="fieldpost.emulator.process")
    parser.add_argument("--image", type=Path, required=True)
    parser.add_argument("--littlefs", type=Path)
    parser.add_argument("--dump-fs", type=Path)
    parser.add_argument("--port", type=_port, action="append", default=[])
    parser.add_argument("--i2c", type=i2c.parse, action="append", default=[])
    parser.add_argument("--open-network", action="store_true")
    parser.add_argument("--real-time", action="store_true")
    return asyncio.run(_run(parser.parse_args()))


if __name__ == "__main__":
    sys.exit(main())
