"""MicroPython's `micropython` module, as far as the firmware uses it, for CPython."""


def const(value):
    """MicroPython folds a const() into the bytecode; CPython just takes the value."""
    return value


def kbd_intr(_character):
    """Which character interrupts a program: CPython leaves that to the terminal."""
