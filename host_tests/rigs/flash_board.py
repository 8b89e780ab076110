"""A board in MicroPython with real littlefs, that starts again as a board does; and the computer
that brings it its updates."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion
from rigs.port import SCRIPTS, micropython
from rigs.port_node import SECRETS, configuration

from fakes.releases import SignedPack, keys_file
from fieldpost.deploy.build import Build, build, find_umqtt
from fieldpost.paths import ROOT

NAME = "port"
_SCRIPT = str(SCRIPTS / "flash_board.py")
_RESTART, _DEEP_SLEEP = 3, 4
# machine.reset_cause()
_POWER_ON, _HARD, _WATCHDOG, _SLEPT = 1, 2, 3, 4
# A firmware on trial that is silent so long before it is ready has hung: its watchdog would bite.
_HUNG_S = 4.0


def built(folder: Path, platform: str = "linux", **changes: tuple[str, str]) -> Build:
    """The firmware for MicroPython here, or on a board. changes: of a module ("update__trial" for
    firmware/update/trial.py), a text that stands in it and what stands there instead."""
    umqtt = find_umqtt(ROOT, None)
    if not changes:
        return build(platform, ROOT, umqtt)
    root = folder / f"checkout-{time.monotonic_ns()}"
    root.mkdir(parents=True)
    for name in ("firmware", "lib"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("boot.py", "main.py", "pyproject.toml"):
        shutil.copy(ROOT / name, root / name)
    for name, (old, new) in changes.items():
        path = root / "firmware" / (name.replace("__", "/") + ".py")
        text = path.read_text()
        assert old in text, f"{old!r} is not in {path}"
        path.write_text(text.replace(old, new))
    return build(platform, root, umqtt)


def _tool(do: str, flash: Path, folder: Path) -> None:
    done = subprocess.run(
        [micropython(), _SCRIPT, do, str(flash), str(folder)],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == 0, done.stdout + done.stderr


class FlashBoard:
    """`lines`: what its console said. `causes`: of each start. `cut_at`: writes to flash after
    which the power fails, one for each of the next starts; 0: it does not."""

    def __init__(
        self,
        folder: Path,
        firmware: Build,
        port: int,
        *,
        keys: tuple[int, ...] = (0,),
        counter: int = 10,
        config: Mapping[str, Any] | None = None,
        heap: str = "384K",
    ) -> None:
        self.flash = folder / "flash"
        self.lines: list[str] = []
        self.causes: list[int] = []
        self.cut_at: list[int] = []
        self._folder = folder
        self._heap = heap
        files = folder / "files"
        files.mkdir(parents=True)
        for path, data in firmware.files.items():
            (files / path).write_bytes(data)
        settings = {**configuration(port), "node": NAME, **(config or {})}
        (files / "config.json").write_text(json.dumps(settings))
        (files / "secrets.json").write_text(json.dumps(SECRETS))
        if keys:
            (files / "update.keys").write_bytes(keys_file(keys, counter))
        _tool("make", self.flash, files)
        self._process: subprocess.Popen[str] | None = None
        self._thread = threading.Thread(target=self._live, daemon=True)
        self._ends = False

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ends = True
        self.cut_power()
        self._thread.join(10)
        if error is not None:
            print("\n".join(self.lines[-60:]))

    def cut_power(self) -> None:
        """It comes back at once."""
        if self._process:
            self._process.kill()

    def _live(self) -> None:
        cause = _POWER_ON
        while not self._ends:
            cause = self._start(cause)

    def _start(self, cause: int) -> int:
        self.causes.append(cause)
        environment = {
            "RESET_CAUSE": str(cause),
            "CUT_AT": str(self.cut_at.pop(0) if self.cut_at else 0),
            "FIELDPOST_UNIX_RESET_CAUSE": "deep-sleep" if cause == _SLEPT else "power-on",
        }
        self._process = process = subprocess.Popen(
            [micropython(), "-X", f"heapsize={self._heap}", _SCRIPT, "run", str(self.flash)],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        assert process.stdout
        hung = None
        was_cut = False
        for line in process.stdout:
            self.lines.append(line.rstrip("\n"))
            if "watchdog armed" in line:
                hung = threading.Timer(_HUNG_S, process.kill)
                hung.start()
            elif "ready:" in line and hung:
                hung.cancel()
            elif "power cut" in line:
                was_cut = True
                process.kill()
        status = process.wait()
        if hung:
            hung.cancel()
        if status == _RESTART:
            return _HARD
        if status == _DEEP_SLEEP:
            return _SLEPT
        if hung and not was_cut and status:
            self.lines.append(f"the watchdog bites: status {status}")
            return _WATCHDOG
        return _POWER_ON

    def says(self, text: str, times: int = 1, limit_s: float = 30) -> str:
        """The line in which it says `text` for the nth time; waits for it."""
        end = time.monotonic() + limit_s
        while True:
            found = [line for line in self.lines if text in line]
            if len(found) >= times:
                return found[times - 1]
            assert time.monotonic() < end, f"never {text!r}:\n" + "\n".join(self.lines[-40:])
            time.sleep(0.02)

    def files(self) -> dict[str, bytes]:
        """All that is on its flash, which must be at rest: call it after the end."""
        folder = self._folder / f"dump-{time.monotonic_ns()}"
        folder.mkdir()
        _tool("dump", self.flash, folder)
        return {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in folder.rglob("*")
            if path.is_file()
        }


class Release(SignedPack):
    """For the MicroPython here. changes: to its manifest."""

    def __init__(self, data: bytes, counter: int = 17, signer: int = 0, **changes: Any) -> None:
        board = {"least": [1, 23], "mpy": 6, "platform": "linux"}
        super().__init__(data, counter, board, signer, **changes)


class Computer:
    """Offers a release, answers what is asked for, and hears what the node tells.

    `answers`: what becomes of the pieces asked for, (offset, bytes); None: no answer.
    """

    def __init__(self, port: int, node: str = NAME) -> None:
        self.reports: list[dict[str, Any]] = []
        self.asked: list[tuple[int, int]] = []
        self.readings: list[dict[str, Any]] = []
        self.answers: Callable[[int, bytes], bytes | None] = lambda offset, data: data
        self.release: Release | None = None
        self.sent_bytes = 0
        self._root = f"fieldpost/{node}/"
        self._ready = threading.Event()
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id="computer")
        self._client.on_message = self._message
        self._client.on_subscribe = lambda *_: self._ready.set()
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        topics = ("update", "update/ask", "telemetry")
        self._client.subscribe([(self._root + name, 1) for name in topics])
        assert self._ready.wait(10)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def offer(self, release: Release, attempt: int = 0, payload: bytes | None = None) -> None:
        self.release = release
        payload = release.payload(attempt) if payload is None else payload
        self._client.publish(self._root + "update/offer", payload, 1, True).wait_for_publish(10)

    def withdraw(self) -> None:
        self._client.publish(self._root + "update/offer", b"", 1, True).wait_for_publish(10)

    def _message(self, _client: object, _data: object, message: paho.MQTTMessage) -> None:
        name = message.topic.removeprefix(self._root)
        told = json.loads(message.payload)
        if name == "update":
            self.reports.append(told)
        elif name == "telemetry":
            self.readings.append(told)
        elif self.release and self.release.sha.startswith(told["sha"]):
            for offset, size in told["at"]:
                self.asked.append((offset, size))
                data = self.answers(offset, self.release.data[offset : offset + size])
                if data is None:
                    continue
                start = bytes.fromhex(told["sha"]) + offset.to_bytes(4, "little")
                self.sent_bytes += len(data)
                self._client.publish(self._root + "update/piece", start + data, 0)

    def told(self, state: str, times: int = 1, limit_s: float = 40) -> dict[str, Any]:
        """The nth report of that state; waits for it."""
        end = time.monotonic() + limit_s
        while True:
            found = [one for one in self.reports if one["state"] == state]
            if len(found) >= times:
                return found[times - 1]
            assert time.monotonic() < end, f"never {state}: {self.reports[-3:]}"
            time.sleep(0.02)

    def keys(self) -> list[tuple[int, int]]:
        """(boot, seq) of the readings, as they came."""
        return [(one["boot"], one["seq"]) for one in self.readings]
