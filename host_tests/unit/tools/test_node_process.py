"""A node on this machine is a process that ends with whoever started it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

_START_AND_WAIT = """
import sys, time
from pathlib import Path
from fieldpost.node_process import NodeProcess
node = NodeProcess(Path(sys.argv[1]), lambda line: print(line, flush=True), "cpython")
node.write_files({"node": "n", "sensors": [{"type": "simulated"}]}, {})
node.start()
time.sleep(600)
"""


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_node_ends_with_whoever_started_it(how: signal.Signals, tmp_path: Path) -> None:
    path = os.pathsep.join(sys.path)
    starter = subprocess.Popen(
        [sys.executable, "-c", _START_AND_WAIT, str(tmp_path)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": path},
        text=True,
    )
    try:
        assert starter.stdout and starter.stdout.readline()
        started = psutil.Process(starter.pid).children(recursive=True)
        assert any("main.py" in " ".join(one.cmdline()) for one in started)
    finally:
        starter.send_signal(how)
        starter.wait()
    assert psutil.wait_procs(started, timeout=10)[1] == []


@pytest.mark.slow
def test_with_a_process_ends_the_group_that_it_leads() -> None:
    script = (
        "import subprocess, time; from fieldpost.processes.programs import Watchdog\n"
        "two = 'sleep 600 & sleep 600'\n"
        "leader = subprocess.Popen(['sh', '-c', two], start_new_session=True)\n"
        "watchdog = Watchdog(leader)\n"
        "print('up', flush=True)\n"
        "time.sleep(600)"
    )
    starter = subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        text=True,
    )
    try:
        assert starter.stdout and starter.stdout.readline()
        started: list[psutil.Process] = []
        end = time.monotonic() + 20
        # A shell has another name until it has become what it is to run.
        while not any("sleep" in one.name() for one in started):
            assert time.monotonic() < end
            time.sleep(0.02)
            started = psutil.Process(starter.pid).children(recursive=True)
    finally:
        starter.kill()
        starter.wait()
    assert psutil.wait_procs(started, timeout=10)[1] == []
