"""The module `machine` of an emulated ESP32-C3, in MicroPython's unix port: it extends what stands
in for an image's own, and is answered by the emulator's own wires."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from rigs.port import micropython

from fieldpost.emulator.esp32_c3 import ON_BOARD
from fieldpost.emulator.esp32_c3_wiring.wires import Wires
from fieldpost.paths import LIB, ROOT
from fieldpost.wired import devices
from fieldpost.wired.plan import plan

_PROGRAMS = ROOT / "host_tests" / "port"
_DEVICES = ("bme280", "sht3x", "analog,pin=0,field=level", "internal")
_TOLD = (
    "bme280.temperature=-7.25",
    "pressure=1001.5",
    "humidity=40",
    "level=1.65",
    "die_temperature=-12",
)
_SAID = """
pulled up: [(4, (1, None)), (5, (1, None))]
the image's own: b'esp32-c3'
I2C(0, scl=5, sda=4, freq=400000) ['0x44', '0x76'] b'`'
[]
(-7.25, 1001.5, 40.0)
(21.5, 40.0)
True
b'\\x10'
OSError(19,)
ValueError("I2C(1) doesn't exist",)
ADC(Pin(0), atten=3) 1650000 32767 2047
-12 a partition
"""


@pytest.fixture
def port() -> Iterator[int]:
    """Where the emulated sensors answer."""
    wires = Wires(plan(devices.parse(_DEVICES), 1, _TOLD))
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(20)

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                while data := connection.recv(4096):
                    connection.sendall(wires.heard(data))

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        thread.join(20)


def test_drivers_measure_through_it_what_the_sensors_were_told(port: int, tmp_path: Path) -> None:
    image = tmp_path / "image"
    image.mkdir()
    shutil.copy(_PROGRAMS / "esp32_c3_image.py", image / "machine.py")
    (image / "esp32.py").write_text('Partition = "a partition"\n')
    text = ON_BOARD.read_text()
    frozen = '[".frozen"]'
    assert text.count(frozen) == 1
    (tmp_path / "machine.py").write_text(text.replace(frozen, f'["{image}", ".frozen"]'))
    done = subprocess.run(
        [micropython(), str(_PROGRAMS / "esp32_c3_sensors.py")],
        env={
            **os.environ,
            "MICROPYPATH": os.pathsep.join(map(str, (tmp_path, LIB, ".frozen"))),
            "WIRES_PORT": str(port),
        },
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines() == _SAID.strip().splitlines()
