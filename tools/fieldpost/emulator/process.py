"""The process in which an emulated board runs: `python -m fieldpost.emulator.process SETUP`.

Started and spoken to by `fieldpost.emulator.emulator`. One JSON object to a line: the first on the
standard output says where the board's console is; after that every line on the standard input is
a request and is answered by a line. When the standard input ends, so does the emulator: it never
outlives whoever started it.
"""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from fieldpost.emulator import engines
from fieldpost.emulator.machine import Machine
from fieldpost.emulator.setup import Setup


def _say(value: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


async def _answer(machine: Machine, request: dict[str, Any]) -> dict[str, Any]:
    """Do what a request asks for."""
    what = request.get("do")
    network = machine.network
    if what == "stats":
        stats = {**network.as_json(), "resets": machine.resets}
        if request.get("forget"):
            network.forget()
        return stats
    if what == "network":
        if "ports" in request:
            network.ports = {int(k): v for k, v in request["ports"].items()}
        if "silent" in request:
            network.silent = bool(request["silent"])
        return {}
    if what == "reset":
        await machine.reset()
        return {}
    if what == "dump":
        machine.dump(Path(request["path"]))
        return {}
    return await machine.answer(request)


async def _requests(machine: Machine) -> None:
    """Answer one request after the other, until there are no more to come."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        try:
            _say({"ok": True, **await _answer(machine, json.loads(line))})
        except Exception as error:  # whatever it is, the one who asked has to know
            _say({"ok": False, "error": f"{type(error).__name__}: {error}"})


async def _signalled() -> None:
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    await told.wait()


async def _run(setup: Setup) -> int:
    machine = engines.of_board(setup.board).machine(setup)
    signalled = asyncio.create_task(_signalled())
    try:
        await machine.start()
        _say({"console": machine.console, "pid": os.getpid()})
        requests = asyncio.create_task(_requests(machine))
        ended = asyncio.create_task(machine.ended())
        watched = {signalled, requests, ended}
        await asyncio.wait(watched, return_when=asyncio.FIRST_COMPLETED)
        reason = ended.result() if ended.done() else None
        for one in watched:
            one.cancel()
    finally:
        await machine.stop()
    if reason:
        print(f"the emulated chip stopped: {reason}", file=sys.stderr)
    return 1 if reason else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(_run(Setup.from_json(sys.argv[1]))))
