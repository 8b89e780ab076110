"""The drivers say in MicroPython what they say in CPython, down to the last digit."""

import os
import subprocess
import sys

from rigs.port import micropython

from fieldpost.paths import DESK_PATH, ROOT

WALK = ROOT / "host_tests" / "port" / "sensors_walk.py"
FOLDERS = [ROOT, ROOT / "lib", ROOT / "host_tests", DESK_PATH]


def run(command, variable, folders):
    environment = dict(os.environ)
    environment[variable] = os.pathsep.join(str(folder) for folder in folders)
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=60, cwd=ROOT / "lib"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_every_sensor_type_reads_and_fails_alike_in_micropython_and_cpython():
    shims = ROOT / "tools" / "fieldpost" / "cpython"
    cpython = run([sys.executable, str(WALK)], "PYTHONPATH", [*FOLDERS, shims])
    port = run([micropython(), str(WALK)], "MICROPYPATH", [*FOLDERS, ".frozen"])
    assert port == cpython
    # It did walk: a bad time, and the way back.
    assert cpython.count("\n  {") == 7
    for text in ("held low", "timed out", "bad checksum", "chip id 0x61", "no such device"):
        assert text in cpython
    back = cpython.partition("all back")[2]
    assert "ValueError" not in back
    assert {line for line in back.splitlines() if "OSError" in line} == {
        "  simulated: OSError 110 simulated failure"
    }


def test_every_value_to_a_hundredth_is_written_as_short_in_micropython():
    script = """
from firmware.readings.sensors import format_value
for hundredths in range(-12600, 120001):
    sign, whole = ("-", -hundredths) if hundredths < 0 else ("", hundredths)
    text = sign + "%d.%02d" % divmod(whole, 100)
    text = text.rstrip("0").rstrip(".")
    if format_value(hundredths / 100) != text:
        print(text, format_value(hundredths / 100))
values = (True, False, 0, -0.0, 0.1 + 0.2, 1e-7, 100653.27, 1 << 40)
print([format_value(value) for value in values])
for value in (float("nan"), float("inf"), -float("inf"), None, "1"):
    try:
        print(format_value(value))
    except ValueError as error:
        print(error)
"""
    expected = (
        "['true', 'false', '0', '0', '0.3', '1e-07', '100653', '1099511627776']\n"
        "is not finite\nis not finite\nis not finite\nis no number\nis no number\n"
    )
    assert run([sys.executable, "-c", script], "PYTHONPATH", FOLDERS) == expected
    port = run([micropython(), "-c", script], "MICROPYPATH", [*FOLDERS, ".frozen"])
    assert port == expected


def test_what_is_built_into_the_port_is_no_driver_and_is_not_called():
    """CPython gives most of its modules a file; MicroPython gives none to what is compiled in."""
    script = """
from firmware.readings.sensors import Sensors
plain = {"prefix": "", "every": 1, "median": 1, "fields": [], "calibration": []}
plain["ranges"] = {"*": (-1e9, 1e9)}
names = ("sys:exit", "os:remove", "io:BytesIO", "socket:socket", "simulated:Simulated")
configs = [dict(plain, name=name, recipe=[name, 1]) for name in names]
layer = Sensors(configs, None)
layer.start()
for name, text in layer.collect()[1]:
    print(name, text)
"""
    said = run([micropython(), "-c", script], "MICROPYPATH", [*FOLDERS, ".frozen"]).splitlines()
    assert said[:4] == [
        f"{name} ValueError no driver"
        for name in ("sys:exit", "os:remove", "io:BytesIO", "socket:socket")
    ]
    # A driver of ours is built, and wants a clock in place of that number.
    assert said[4:] == ["simulated:Simulated AttributeError 'int' object has no attribute 'time'"]


def test_half_a_character_in_a_command_is_refused_in_micropython():
    script = """
from firmware.remote.commands import Commands
for text in ('"\\\\uD83d\\\\ude00"', '"\\\\udfff"', '"\\\\ud7ff"', '"\\U0001f600"'):
    try:
        print(Commands._parse(('{"id":%s}' % text).encode(), False)["id"].encode())
    except ValueError as error:
        print(error)
"""
    said = run([micropython(), "-c", script], "MICROPYPATH", [*FOLDERS, ".frozen"]).splitlines()
    assert ["two escapes" in line for line in said] == [True, True, False, False]
    assert said[2:] == [str("\ud7ff".encode()), str("\U0001f600".encode())]
