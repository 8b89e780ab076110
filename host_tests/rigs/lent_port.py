"""A browser's Web Serial that ends at a board of ours, and the set-up page as a person uses it."""

from __future__ import annotations

import json
import os
import re
import select
import socket
import threading
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Self

from rigs.browser import Browser
from rigs.emulated import PORT
from rigs.serving import Served
from websockets.sync.server import ServerConnection, serve

from fakes.esp_board import EspBoard
from fieldpost.emulator.emulator import GATEWAY, Emulator

# In the place of the browser's own: a port whose bytes go to the test. One that has gone comes
# back as another object, as Chrome has it: the old one can't be opened any more.
_SERIAL = """(() => {{
    let here = null;
    let granted = [];
    const events = new EventTarget();
    const plug = () => {{
        const port = here = make();
        if (!{is_other} || !window.asked) granted = [port];
        events.dispatchEvent(new Event("connect"));
        return port;
    }};
    const make = () => {{
        const port = {{
            connected: true,
            getInfo: () => ({{ usbVendorId: 0x2e8a, usbProductId: 5 }}),
            async open(options) {{
                const refused = new DOMException("Failed to open serial port.", "NetworkError");
                if (!port.connected) throw refused;
                window.opened = options;
                const socket = new WebSocket("ws://localhost:{port}/");
                socket.binaryType = "arraybuffer";
                await new Promise((done, failed) => {{
                    socket.onmessage = done;
                    socket.onclose = () => failed(refused);
                }});
                port.readable = new ReadableStream({{ start(way) {{
                    socket.onmessage = (event) => way.enqueue(new Uint8Array(event.data));
                    socket.onclose = () => {{
                        try {{ way.error(refused); }} catch {{}}
                        port.readable = port.writable = null;
                        if (!{goes} || port.isClosed) return;
                        port.connected = false;
                        granted = [];
                        setTimeout(plug, 300);
                    }};
                }} }});
                port.writable = new WritableStream({{ write(data) {{ socket.send(data); }} }});
                port.isClosed = false;
                port.socket = socket;
            }},
            async setSignals(lines) {{
                const was = port.lines || {{}};
                port.lines = {{ ...was, ...lines }};
                // EN rises: with BOOT held into the bootloader, else the chip starts.
                if (was.requestToSend && !port.lines.requestToSend) {{
                    const mode = port.lines.dataTerminalReady ? "boot" : "run";
                    window.modes = [...(window.modes || []), mode];
                    if (mode === "run") port.socket.close();
                }}
            }},
            async close() {{
                port.isClosed = true;
                port.socket?.close();
                port.readable = port.writable = null;
            }},
        }};
        return port;
    }};
    plug();
    Object.defineProperty(navigator, "serial", {{ value: Object.assign(events, {{
        getPorts: async () => granted,
        requestPort: async () => {{
            window.asked = (window.asked || 0) + 1;
            if (window.noBoard) throw new DOMException("none", "NotFoundError");
            granted = [here];
            return here;
        }},
    }}) }});
}})()"""

WRONG = "document.querySelector('.bring > .wrong').innerText"
STEPS = "document.querySelector('.bring .steps').innerText"
GO = ".set-up button.strong"
NAMES = {
    "node": "node",
    "ssid": "secrets.wifi[0].ssid",
    "password": "secrets.wifi[0].password",
    "broker": "mqtt.host",
}
_SECTION = "document.querySelector('[name=\"{name}\"]').closest('.field').innerText"


def serial(port: int, *, goes: bool = True, is_other: bool = False) -> str:
    """JavaScript, to be run before a page's own. port: of a Cable. goes: the browser's port is of
    the chip's own USB, and goes when the chip starts anew; else of a bridge, which stays.
    is_other: what comes then is another device, which the browser has not been let to."""
    told = {"goes": json.dumps(goes), "is_other": json.dumps(is_other)}
    return _SERIAL.format(port=port, **told)


class Cable:
    """A board's port for whoever connects by WebSocket, one at a time. open_port: gives its file
    descriptor. starts: counts the board's own; with each of them its port goes away."""

    def __init__(self, open_port: Callable[[], int], starts: Callable[[], int] = int) -> None:
        self._open_port = open_port
        self._starts = starts
        self._is_taken = threading.Lock()
        # A busy machine answers pings late: no port goes away for that.
        self._server = serve(self._carry, "127.0.0.1", 0, compression=None, ping_interval=None)
        self.port = self._server.socket.getsockname()[1]
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join(5)

    def _carry(self, connection: ServerConnection) -> None:
        if self._is_taken.acquire(blocking=False):
            try:
                self._carry_alone(connection, self._open_port())
            except OSError:  # There is no such port.
                pass
            finally:
                self._is_taken.release()

    def _carry_alone(self, connection: ServerConnection, board: int) -> None:
        is_over = threading.Event()
        starts = self._starts()

        def read() -> None:
            try:
                while not is_over.is_set() and self._starts() == starts:
                    if select.select([board], [], [], 0.05)[0]:
                        if not (data := os.read(board, 4096)):
                            break
                        connection.send(data)
            except Exception:
                pass  # It has gone.
            connection.close()

        connection.send("open")
        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        try:
            for data in connection:
                assert isinstance(data, bytes)
                while data:
                    data = data[os.write(board, data) :]
        finally:
            is_over.set()
            reader.join(2)
            os.close(board)


def terminal(path: object, starts: Callable[[], int] = int) -> Cable:
    """To a serial port of this computer. starts: as of Cable."""
    return Cable(lambda: os.open(str(path), os.O_RDWR | os.O_NOCTTY), starts)


def to_chip(chip: EspBoard) -> Cable:
    """To an Espressif chip in its bootloader."""
    place = ("127.0.0.1", int(chip.url.rpartition(":")[2]))
    return Cable(lambda: socket.create_connection(place).detach())


def press_with_flash(browser: Browser, page: Served, cable: Cable, **port: bool) -> None:
    """The form for an ESP32 without MicroPython, filled in and sent. port: as of `serial`."""
    browser.before_each_page(serial(cable.port, **{"goes": False, **port}))
    see_form(browser, page)
    fill_in(browser, node="bench-7", ssid="desk", password="", broker="mqtt://192.168.1.10")
    browser.click("[name=micropython][value=esp]")
    browser.click(GO)


def see_form(browser: Browser, page: Served) -> None:
    """The set-up page, as one comes to it."""
    # A page of its own each time, not only another place on the same.
    browser.open("about:blank")
    browser.open(f"{page.url}#/set-up")
    browser.until("document.querySelector('.config')")


def fill_in(browser: Browser, **answers: str) -> None:
    """What nobody can go without, by the names in NAMES."""
    for name, text in answers.items():
        browser.type(NAMES[name], text)


def at(name: str) -> str:
    """What stands around a field, as JavaScript."""
    return _SECTION.format(name=name)


def choose(browser: Browser, name: str, text: str) -> None:
    """In a list, what is called so."""
    selector = json.dumps(f'select[name="{name}"]')
    browser.evaluate(
        f"(() => {{ const e = document.querySelector({selector});"
        f"e.value = [...e.options].find((one) => one.text === {json.dumps(text)}).value;"
        "e.dispatchEvent(new Event('change')) })()"
    )


def is_for_everybody(browser: Browser) -> None:
    """What the page shows now, on a desk and on a phone, light and dark, keeps nobody out, and
    nothing of it is cut off on the right."""
    axe = resources.files("axe_core_python").joinpath("axe.min.js").read_text("utf-8")
    browser.evaluate(f"{axe}; true")
    # A theme that turns while one looks is half way between two colours.
    browser.evaluate(
        "document.head.append(Object.assign(document.createElement('style'),"
        "{textContent: '* { transition: none !important }'}))"
    )
    for size in ((1280, 900), (390, 844)):
        for is_dark in (False, True):
            browser.be(*size, is_dark=is_dark)
            found = browser.evaluate("axe.run().then((told) => told.violations)")
            bad = [
                (one["id"], one["help"], [node["html"][:200] for node in one["nodes"]][:3])
                for one in found
                if one["impact"] in ("serious", "critical")
            ]
            assert bad == [], (size, is_dark, bad)
            assert browser.evaluate("document.documentElement.scrollWidth <= innerWidth"), size


def sets_up(page: Served, board: Emulator, node: str, profile: Path) -> None:
    """A bare emulated board, on whose gateway the page's broker answers, becomes a node: its first
    reading is told, was delivered, and is on the node's own page."""
    engine = board.engine
    port = int(page.url.rstrip("/").rpartition(":")[2])
    with terminal(board.console) as cable, Browser(profile, port) as browser:
        browser.be(1280, 900)
        browser.before_each_page(serial(cable.port))
        see_form(browser, page)
        fill_in(browser, node=node, ssid=engine.ssid, password=engine.password)
        fill_in(browser, broker=f"mqtt://{GATEWAY}:{PORT}")
        browser.click("button.add-sensor")
        choose(browser, "sensors[0].type", "simulated")
        browser.click(GO)
        browser.until(f"{STEPS}.includes('First reading') || {WRONG}.length > 5", 150)
        said = f"{browser.evaluate(STEPS)}\n{browser.evaluate(WRONG)}".strip()
        assert "It was delivered to the broker." in said, said
        temperature = re.search(r"First reading: .*temperature ([-\d.]+)", said)
        assert temperature, said
        browser.evaluate("document.querySelector('.bring .steps a').click()")
        browser.until(f"document.body.innerText.includes('{float(temperature[1]):g} °C')", 30)
