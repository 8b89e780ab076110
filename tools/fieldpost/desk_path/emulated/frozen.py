"""The frozen modules under the drivers, led to emulated wires. Runs in CPython and MicroPython."""

import sys


def stand_in_modules():
    """The frozen modules that drivers import, by name: genuine in MicroPython, else emulated."""
    names = ("onewire", "ds18x20", "dht")
    modules = {}
    for name in names:
        try:
            modules[name] = __import__(name)
        except ImportError:
            __import__("emulated." + name)
            modules[name] = sys.modules["emulated." + name]
    return modules


class _OnTheWire:
    """The C module under the genuine `onewire`, led to the emulated wire."""

    def __getattr__(self, name):
        if name == "crc8":
            from emulated.onewire import crc8

            return crc8
        return lambda wire, *arguments: getattr(wire, name)(*arguments)


def install():
    """Put those modules in place, on the emulated wires and pins."""
    modules: dict = sys.modules
    modules.update(stand_in_modules())
    modules["onewire"]._ow = _OnTheWire()
    __import__("emulated.dht")
    modules["dht"].dht_readinto = modules["emulated.dht"].dht_readinto
