"""Which supported sensor answers at an address, by what it says when it is asked.

Addresses are those of the declarations in `firmware/sensor_types/`. A question changes nothing in
the device, and is harmless to any other that could sit at the same address: it reads a register
that names the chip, or an answer with a checksum. Sensors that have neither can only be guessed by
address.
"""

from collections.abc import Callable
from dataclasses import dataclass

# Through the module that knows where the firmware lies.
from firmware.config import keys_sensors

# A 1-Wire family code: what it is, and the sensor type that reads it.
FAMILIES = {
    0x10: ("DS18S20", "ds18x20"),
    0x22: ("DS1822", "ds18x20"),
    0x28: ("DS18B20", "ds18x20"),
    0x01: ("DS2401 serial number", None),
    0x26: ("DS2438 battery monitor", None),
    0x29: ("DS2408 switch", None),
    0x3B: ("MAX31850 thermocouple amplifier", None),
}
# Of Bosch's chips at 0x76 and 0x77, by register 0xD0: those that nothing here reads.
_BOSCH_OTHER = {0x61: "BME680 or BME688", 0x55: "BMP180"}


@dataclass(frozen=True)
class Question:
    """Write, wait, read `count` bytes; `judge` names the chip, "" for perhaps, None for no."""

    write: bytes
    wait_ms: int
    count: int
    judge: Callable[[bytes], str | None]


@dataclass(frozen=True)
class Verdict:
    """kind: the sensor type, None if nothing here reads it. others: types it could be as well."""

    kind: str | None
    what: str
    sure: bool
    others: tuple[str, ...] = ()


def _sensirion(name: str) -> Callable[[bytes], str | None]:
    """Words of 16 bits, each with its CRC-8 (polynomial 0x31, from 0xFF)."""

    def judge(answer: bytes) -> str | None:
        for at in range(0, len(answer), 3):
            crc = 0xFF
            for byte in answer[at : at + 2]:
                crc ^= byte
                for _ in range(8):
                    crc = (crc << 1 ^ 0x31 if crc & 0x80 else crc << 1) & 0xFF
            if crc != answer[at + 2]:
                return None
        return name

    return judge


def _questions() -> dict[str, Question]:
    """By type, of those whose declaration has one."""
    found = {}
    for kind in keys_sensors.NAMES:
        scan = getattr(keys_sensors.declaration(kind), "SCAN", None)
        if scan:
            write, wait_ms, count, who = scan
            judge = _sensirion(who) if isinstance(who, str) else who
            found[kind] = Question(write, wait_ms, count, judge)
    return found


QUESTIONS = _questions()


def candidates(address: int) -> list[str]:
    """The sensor types that can have this address."""
    found = []
    for kind in keys_sensors.NAMES:
        rows = keys_sensors.declaration(kind).KEYS
        allowed = next((row[3] for row in rows if row[1] == "address"), ())
        if address in allowed:
            found.append(kind)
    return found


def judge(address: int, answers: dict[str, bytes | None]) -> Verdict:
    """What sits there. answers: by type, what it said to that type's question; None: nothing."""
    perhaps = []
    for kind in candidates(address):
        if kind not in QUESTIONS:
            perhaps.append(kind)
            continue
        answer = answers.get(kind)
        name = None if answer is None else QUESTIONS[kind].judge(answer)
        if name:
            return Verdict(kind, name, True)
        if name is not None:
            perhaps.append(kind)
    other = _BOSCH_OTHER.get((answers.get("bme280") or b"\0")[0])
    if other:
        return Verdict(None, f"{other}, for which Fieldpost has no driver", True)
    if perhaps:
        return Verdict(perhaps[0], f"perhaps {perhaps[0]}", False, tuple(perhaps[1:]))
    return Verdict(None, "nothing that Fieldpost has a driver for", False)
