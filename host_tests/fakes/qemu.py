"""Stands in for a `qemu-system-riscv32`: answers what it is asked before a start, and runs a chip.

The chip says how often its flash was booted, echoes what is typed, and does what one letter tells
it: `d` ends it, `r` resets it, `s` keeps its host busy and says nothing more. Written by
`write(folder)` as a program of its own.
"""

import stat
import sys
from pathlib import Path

_PROGRAM = """#!{python}
import json, socket, sys, threading

MACHINES = {machines!r}
IS_WIFI = {is_wifi!r}
arguments = sys.argv[1:]
if arguments == ["-machine", "help"]:
    print("Supported machines are:")
    print("\\n".join(name + "  a machine" for name in MACHINES))
    sys.exit(0)
if arguments[:1] == ["-device"]:
    name = arguments[1].partition(",")[0]
    print(name + " options:\\n  netdev=<str>" if IS_WIFI else "Device not found")
    sys.exit(0)

options = dict(zip(arguments[::2], arguments[1::2]))
flash = options["-drive"].split("file=")[1].partition(",")[0]


def end(text):
    return socket.socket(fileno=int(text.partition("fd=")[2].partition(",")[0]))


chardevs = [one for name, one in zip(arguments, arguments[1:]) if name == "-chardev"]
line, control = (end(next(one for one in chardevs if "id=" + name in one))
                 for name in ("line", "control"))
radio = end(options["-nic"])
lock = threading.Lock()


def tell(value):
    with lock:
        control.sendall(json.dumps(value).encode() + b"\\r\\n")


def serve():
    tell({{"QMP": {{"version": {{}}, "capabilities": []}}}})
    for request in control.makefile():
        command = json.loads(request)["execute"]
        if command == "system_reset":
            boot()
            tell({{"event": "RESET", "data": {{"guest": False}}}})
        tell({{"return": {{}}}})


def boot():
    with open(flash, "r+b") as file:
        file.seek(-1, 2)
        count = (file.read(1)[0] + 1) % 256
        file.seek(-1, 2)
        file.write(bytes((count,)))
    line.sendall(b"boot %d\\r\\n" % count)


boot()
threading.Thread(target=serve, daemon=True).start()
while data := line.recv(4096):
    if data == b"d":
        sys.exit("it died")
    if data == b"r":
        tell({{"event": "RESET", "data": {{"guest": True, "reason": "guest-reset"}}}})
        boot()
    elif data == b"s":
        while True:
            pass
    else:
        line.sendall(data)
"""


def write(
    folder: Path, machines: tuple[str, ...] = ("esp32c3-picsimlab",), is_wifi: bool = True
) -> Path:
    """The program, which knows these machines."""
    path = folder / "qemu-system-riscv32"
    text = _PROGRAM.format(python=sys.executable, machines=machines, is_wifi=is_wifi)
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path
