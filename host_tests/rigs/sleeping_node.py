"""The program of a stand-in board that sleeps, as a node on a battery does."""

_NODE = """
import machine, time
try:
    with open("/starts", "a") as f:
        f.write(str(machine.reset_cause()))
    print("       0.0 Fieldpost 0.1.0 on MicroPython, reset: %d" % machine.reset_cause())
    if machine.reset_cause() != 4:
        print("       0.0 starting in 3 s: Ctrl-C for the REPL")
        time.sleep({window})
    time.sleep({awake})
except KeyboardInterrupt:
    with open("/saved", "a") as f:
        f.write("x")
    print("       0.5 stopped by hand")
else:
    print("       0.5 asleep for 2.5 s")
    machine.deepsleep({asleep_ms})
"""


def sleeping_node(window: float = 0.2, awake: float = 1.0, asleep_ms: int = 3000) -> str:
    """window: seconds for Ctrl-C at a cold start. awake: seconds of each wake."""
    return _NODE.format(window=window, awake=awake, asleep_ms=asleep_ms)
