"""An emulated Pico W as it runs: rp2040py's device, with our network and a console."""

import asyncio
import dataclasses
from pathlib import Path
from typing import Any

from rp2040py.boards import BOARDS, resolve_layout
from rp2040py.cli.pty_repl import PtyInteractiveRepl
from rp2040py.device.mp_device import MicroPythonDevice
from rp2040py.external.cyw43 import Cyw43439
from rp2040py.simulator import Simulator

from fieldpost.emulator.access_point import RadioBus
from fieldpost.emulator.addresses import PICO_W_SSID
from fieldpost.emulator.machine import Machine
from fieldpost.emulator.network import Network
from fieldpost.emulator.pico_w_wiring.wiring import Wiring
from fieldpost.emulator.setup import Setup

_BOOT_S = 30.0
_BOARD = "pico_w"


class _Chip:
    """What the network needs of it."""

    def __init__(self, simulator: Simulator) -> None:
        self.simulator = simulator
        self.schedule_threadsafe = simulator.rp2040.schedule_threadsafe

    def now_ms(self) -> float:
        return self.simulator.clock.nanos / 1e6

    def world_begins(self) -> None:
        self.simulator.real_io_begin()

    def world_ends(self) -> None:
        self.simulator.real_io_end()


class PicoW(Machine):
    """The device with its network and its console."""

    def __init__(self, setup: Setup) -> None:
        spec = BOARDS[_BOARD]
        radio = Cyw43439()
        radio.bus = RadioBus(PICO_W_SSID)
        others = tuple(extra for extra in spec.extras if extra is not Cyw43439)
        # The image is a file, and the layout comes with the package: nothing is looked up.
        spec = dataclasses.replace(
            spec,
            extras=(*others, lambda: radio),
            image=setup.image,
            layout=resolve_layout(spec, "micropython"),
            firmware=None,
        )
        self.device = MicroPythonDevice(board=spec, filesystem=setup.littlefs)
        simulator = self.device.simulator
        # Unwired, a chip measures these: 27 degrees Celsius inside it (0.706 V: RP2040 datasheet
        # 4.9.5), and a third of the 5 V of USB on the input that a Pico W has for its supply.
        levels = self.device.mcu.adc.channel_values
        levels[4] = round(0.706 / 3.3 * 4095)
        levels[3] = round(5 / 3 / 3.3 * 4095)
        Wiring(setup.wired).attach(self.device.mcu)
        self.network = Network(
            _Chip(simulator),
            radio.bus.queue_rx_ethernet_frame,
            dict(setup.ports),
            setup.open_network,
        )
        radio.bus.nat_bridge = self.network  # type: ignore[assignment]
        self._gone = asyncio.Event()
        self._repl = PtyInteractiveRepl(self.device.cdc, simulator, lambda _: self._gone.set())
        self._real_time = False
        self._starts_in_real_time = setup.real_time
        restart = self.device.mcu.watchdog.on_watchdog_trigger

        def on_watchdog_trigger() -> None:
            self.resets += 1
            self.network.lose()
            restart()

        self.device.mcu.watchdog.on_watchdog_trigger = on_watchdog_trigger

    async def start(self) -> None:
        self._pace(self._starts_in_real_time)
        # The console is there before the board starts: nothing that it prints is lost.
        await self._repl.start()
        self.console = self._repl.slave_path or ""
        await self.device.astart(_BOOT_S)

    async def ended(self) -> str | None:
        gone = asyncio.create_task(self._gone.wait())
        watched: set[asyncio.Future[Any]] = {gone}
        if executing := self.device.simulator._execute_task:
            watched.add(executing)
        await asyncio.wait(watched, return_when=asyncio.FIRST_COMPLETED)
        error = self.device.simulator.engine_room_error
        return repr(error) if error else None

    async def reset(self) -> None:
        self.network.lose()
        await self.device.ahard_reset(_BOOT_S)

    async def stop(self) -> None:
        self.device.stop()
        await self._repl.stop()

    def dump(self, target: Path) -> None:
        self.device.dump_flash_image(target)

    async def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        if request["do"] == "pace":
            self._pace(bool(request["real_time"]))
        elif request["do"] == "pin":
            # From outside: a contact that closes and opens, a sensor's output.
            self.device.mcu.gpio[request["number"]].set_input_value(bool(request["level"]))
        else:
            return await super().answer(request)
        return {}

    def _pace(self, real_time: bool) -> None:
        """Let the chip's clock run with the wall clock, or jump over what it sleeps through."""
        if real_time and not self._real_time:
            self.device.simulator.real_io_begin()
        elif self._real_time and not real_time:
            self.device.simulator.real_io_end()
        self._real_time = real_time
