"""A real browser without a window: Chromium, driven over its DevTools protocol.

It reaches the loopback alone: every name but localhost is mapped to one port there, as a captive
portal does.
"""

from __future__ import annotations

import base64
import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import pytest
from websockets.sync.client import ClientConnection, connect

from fieldpost.processes import programs

_LIMIT_S = 20.0
_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-port=0",
)
_KEY_CODES = {
    "Tab": 9,
    "Enter": 13,
    "Escape": 27,
    "ArrowLeft": 37,
    "ArrowUp": 38,
    "ArrowRight": 39,
    "ArrowDown": 40,
}


def find_chromium() -> str | None:
    """The program's path, None where it is not installed."""
    return programs.find("chromium", "chromium-browser")


class Browser:
    """One page, as large as a phone's. profile: a folder of its own. port: where all names lead.

    without_script: pages may run no JavaScript; `evaluate` still looks into them.
    """

    def __init__(self, profile: Path, port: int, without_script: bool = False) -> None:
        program = find_chromium()
        if program is None:
            pytest.skip("Chromium is not installed")
        self._profile = profile
        self._without_script = without_script
        self._command = [
            program,
            *_FLAGS,
            f"--user-data-dir={profile}",
            f"--host-resolver-rules=MAP * 127.0.0.1:{port}, EXCLUDE localhost",
            "about:blank",
        ]
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: ClientConnection | None = None
        self._session: str | None = None
        self._number = 0

    def __enter__(self) -> Self:
        with (self._profile.parent / "chromium.log").open("wb") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        try:
            self._attach()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._socket:
            self._socket.close()
        if self._process:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def _attach(self) -> None:
        address = self._profile / "DevToolsActivePort"
        self._wait(lambda: address.exists() and address.read_text().count("\n"), "Chromium starts")
        port, path = address.read_text().split("\n")[:2]
        self._socket = connect(f"ws://127.0.0.1:{port}{path}", proxy=None, max_size=1 << 24)
        targets = self._call("Target.getTargets")["targetInfos"]
        target = next(one["targetId"] for one in targets if one["type"] == "page")
        attached = self._call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        self._call(
            "Emulation.setDeviceMetricsOverride",
            width=390,
            height=844,
            deviceScaleFactor=1.5,
            mobile=True,
        )
        self._call("Emulation.setScriptExecutionDisabled", value=self._without_script)

    def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        assert self._socket
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        self._socket.send(json.dumps(message))
        while True:
            answer = json.loads(self._socket.recv(_LIMIT_S))
            if answer.get("id") == self._number:
                assert "error" not in answer, (method, answer["error"])
                return answer["result"]

    def _wait(self, reached: Any, what: str) -> None:
        end = time.monotonic() + _LIMIT_S
        while not reached():
            assert time.monotonic() < end, f"not within {_LIMIT_S:g} s: {what}"
            time.sleep(0.02)

    # What a person does -----------------------------------------------------------------------

    def open(self, url: str) -> None:
        """Go there, and wait until the page has loaded."""
        self._leaving()
        self._call("Page.navigate", url=url)
        self._arrived()

    def type(self, name: str, text: str) -> None:
        """Replace what the field of that name holds."""
        self._press(f'input[name="{name}"]')
        self.evaluate("document.activeElement.select()")
        self._call("Input.insertText", text=text)

    def choose(self, name: str, value: str) -> None:
        """Press the radio button with that value."""
        self._press(f'input[name="{name}"][value="{value}"]')

    def press(self, selector: str) -> None:
        """Press a button, and wait for the page that it leads to."""
        self._leaving()
        self._press(selector)
        self._arrived()

    def enter(self) -> None:
        """Press Enter in the field that has the cursor, and wait for the page that it leads to."""
        self._leaving()
        for kind in ("keyDown", "keyUp"):
            self._call(
                "Input.dispatchKeyEvent",
                type=kind,
                key="Enter",
                code="Enter",
                text="\r",
                windowsVirtualKeyCode=13,
            )
        self._arrived()

    def click(self, selector: str) -> None:
        """Press something that stays on this page."""
        self._press(selector)

    def key(self, key: str, *, shift: bool = False) -> None:
        """Press a key, as "Tab", "ArrowLeft" or "u", where the focus is."""
        text = {"text": "\r" if key == "Enter" else key} if len(key) == 1 or key == "Enter" else {}
        for kind in ("keyDown", "keyUp"):
            given = text if kind == "keyDown" else {}
            self._call(
                "Input.dispatchKeyEvent",
                type=kind,
                key=key,
                code=key,
                modifiers=8 if shift else 0,
                windowsVirtualKeyCode=_KEY_CODES.get(key, ord(key[0].upper())),
                **given,
            )

    def drag(self, selector: str, begin: float, end: float) -> None:
        """With the mouse over an element, from one part of its width to another."""
        left, top, width, height = self.evaluate(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)});"
            "e.scrollIntoView({block: 'center'}); const r = e.getBoundingClientRect();"
            "return [r.x, r.y, r.width, r.height] })()"
        )
        for kind, part in (
            ("mouseMoved", begin),
            ("mousePressed", begin),
            ("mouseMoved", (begin + end) / 2),
            ("mouseMoved", end),
            ("mouseReleased", end),
        ):
            self._call(
                "Input.dispatchMouseEvent",
                type=kind,
                x=left + width * part,
                y=top + height / 2,
                button="none" if kind == "mouseMoved" and part == begin else "left",
                buttons=0 if kind == "mouseReleased" else 1,
                clickCount=1,
            )

    def before_each_page(self, script: str) -> None:
        """Run that JavaScript before a page's own, and without its security policy."""
        self._call("Page.enable")
        self._call("Page.setBypassCSP", enabled=True)
        self._call("Page.addScriptToEvaluateOnNewDocument", source=script)

    def downloads_to(self, folder: Path) -> None:
        """Where files go that a page gives."""
        folder.mkdir(exist_ok=True)
        self._call(
            "Page.setDownloadBehavior", behavior="allow", downloadPath=str(folder.resolve())
        )

    def choose_file(self, selector: str, file: Path) -> None:
        """In a field for files."""
        found = self._call(
            "Runtime.evaluate", expression=f"document.querySelector({json.dumps(selector)})"
        )
        element = found["result"]["objectId"]
        self._call("DOM.setFileInputFiles", files=[str(file.resolve())], objectId=element)

    def wait_for(self, reached: Callable[[], bool], what: str) -> None:
        """Something that is not on the page."""
        self._wait(reached, what)

    def be(self, width: int, height: int, *, is_dark: bool = False) -> None:
        """Another window: below 800 that of a phone."""
        self._call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1.5 if width < 800 else 1,
            mobile=width < 800,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if is_dark else "light"}
        self._call("Emulation.setEmulatedMedia", features=[scheme])

    # What a person sees -----------------------------------------------------------------------

    def until(self, script: str, limit_s: float = _LIMIT_S) -> None:
        """Wait until that JavaScript expression is true, or an element that is there."""
        end = time.monotonic() + limit_s
        while not self.evaluate(f"Boolean({script})"):
            assert time.monotonic() < end, f"not within {limit_s:g} s: {script}\n{self.text()}"
            time.sleep(0.05)

    def evaluate(self, script: str) -> Any:
        """The value of a JavaScript expression."""
        answer = self._call(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def text(self) -> str:
        """All text that is shown."""
        return self.evaluate("document.body.innerText")

    def source(self) -> str:
        """The page's HTML as it is now, with what was typed in no attribute."""
        return self.evaluate("document.documentElement.outerHTML")

    def value(self, name: str) -> str:
        """What the field of that name holds."""
        return self.evaluate(f"document.querySelector('input[name=\"{name}\"]').value")

    def url(self) -> str:
        """Where it is."""
        return self.evaluate("location.href")

    def screenshot(self, path: Path) -> None:
        """The whole page as a PNG file."""
        taken = self._call("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(taken["data"]))

    # Inside -----------------------------------------------------------------------------------

    def _press(self, selector: str) -> None:
        place = self.evaluate(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)});"
            "e.scrollIntoView({block: 'center'}); const r = e.getBoundingClientRect();"
            "return [r.x + r.width / 2, r.y + r.height / 2] })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self._call(
                "Input.dispatchMouseEvent",
                type=kind,
                x=place[0],
                y=place[1],
                button="left",
                clickCount=1,
            )

    def _leaving(self) -> None:
        self.evaluate("document.left = true")

    def _arrived(self) -> None:
        self._wait(
            lambda: self.evaluate("!document.left && document.readyState == 'complete'"),
            "the next page",
        )
