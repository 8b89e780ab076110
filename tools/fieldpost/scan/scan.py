"""What answers on a board's I2C and 1-Wire, and the configuration for it.

Unasked, pins are only looked at with the chip's own weak resistors first, and buses are tried
where something outside holds the lines up, as every such bus does. The board's files stay as they
are, and a program that ran is started again.
"""

import contextlib
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fieldpost.board import said
from fieldpost.board.errors import BoardError
from fieldpost.board.find import chip_of
from fieldpost.board.said import TEXT_OR_NONE
from fieldpost.errors import Usage
from fieldpost.scan import pins as scan_pins
from fieldpost.scan.sensors import FAMILIES, QUESTIONS, candidates, judge

if TYPE_CHECKING:
    from fieldpost.board.link import BoardLink

_SOURCE = Path(__file__).with_name("probe.py")
_LEVELS_S = 10.0
_BUS_S = 20.0
# Real buses have a few devices: when everybody answers, nobody does.
_NOISE = 40
_I2C = {"freed": bool, "state": str, "addresses": [int]}
_ONEWIRE = {"state": str, "roms": [str]}
_ROM_BYTES = 8
_REMEDY = (
    "Take the power from the sensors, not just from the board's chip, and scan again. If it is "
    "still low: look for a short circuit, swapped wires, or a module without its own supply."
)


@dataclass
class Device:
    """One that answers. address: as "0x76", or a 1-Wire id as "28-00000a1b2c3d"."""

    address: str
    what: str
    type: str | None
    sure: bool = True
    or_type: tuple[str, ...] = ()


@dataclass
class Bus:
    """kind: "i2c" or "1-wire". state: "ok", or what is wrong, with `remedy`. freed: SDA was held
    low, and nine clocks ended that."""

    kind: str
    pins: dict[str, int]
    state: str = "ok"
    remedy: str = ""
    freed: bool = False
    devices: list[Device] = field(default_factory=list)


@dataclass
class Found:
    """looked_at: pins that were read with the chip's own resistors, and nothing more."""

    port: str
    chip: str | None
    looked_at: list[int]
    buses: list[Bus]

    def sensors(self) -> list[dict[str, Any]]:
        """Entries for `sensors` in config.json, which pass its check together."""
        entries: list[dict[str, Any]] = []
        for bus in self.buses:
            if bus.kind == "i2c":
                for device in bus.devices:
                    if device.type:
                        entry = {"type": device.type, **bus.pins, "address": device.address}
                        entries.append(entry)
            elif any(device.type for device in bus.devices):
                entries.append({"type": "ds18x20", **bus.pins})
        return named(entries, set())

    def as_json(self) -> dict[str, Any]:
        """Everything, for a script."""
        return {**asdict(self), "sensors": self.sensors()}


def named(entries: list[dict[str, Any]], names: set[str]) -> list[dict[str, Any]]:
    """`entries` with a name and a prefix where they need one; names: of other sensors."""
    for entry in entries:
        kind = entry["type"]
        name, number = kind, 1
        while name in names:
            number += 1
            name = f"{kind}_{number}"
        # What several publish needs a prefix; the first keeps the plain names.
        if names:
            if name != kind:
                entry["name"] = name
            entry["prefix"] = True
        names.add(name)
    return entries


def scan(
    link: "BoardLink",
    *,
    pair: tuple[int, int] | None = None,
    onewire: tuple[int, ...] = (),
) -> Found:
    """Look, on `pair` (scl, sda) and the pins `onewire` alone if either is given.

    Raises CommandError for pins that cannot be used, BoardError if the board does not keep up.
    """
    machine = link.eval("__import__('sys').implementation._machine")
    chip = chip_of(machine if isinstance(machine, str) else None)
    for pin in (*(pair or ()), *onewire):
        scan_pins.check(chip, pin)
    if pair:
        scan_pins.bus_of(chip, *pair)
    link.exec(_SOURCE.read_text())
    try:
        if pair or onewire:
            buses = [_i2c(link, chip, *pair)] if pair else []
            buses += [_onewire(link, pin) for pin in onewire]
            return Found(link.port, chip, [], buses)
        return _unasked(link, chip)
    finally:
        with contextlib.suppress(BoardError):
            link.exec("del _probe")


def _unasked(link: "BoardLink", chip: str | None) -> Found:
    pairs, free = scan_pins.pairs(chip), scan_pins.free(chip)
    if not pairs:
        raise Usage(
            f"no usual pins are known for {chip or 'this chip'}: say where to look, such as "
            "--scl 22 --sda 21, or --onewire 4"
        )
    looked_at = sorted({*(pin for pair in pairs for pin in pair), *free})
    told = _call(link, _LEVELS_S, {str: str}, "levels", looked_at)
    level = {pin: told.get(str(pin), "free") for pin in looked_at}
    buses: list[Bus] = []
    used: set[int] = set()
    for scl, sda in pairs:
        # A stuck bus shows by its clock, which still has its resistor.
        if level[scl] == "up" and level[sda] in ("up", "low") and not used & {scl, sda}:
            bus = _i2c(link, chip, scl, sda)
            # Two pins that are up need be no bus; one on which somebody answers is.
            if bus.devices or (bus.state == "sda low"):
                buses.append(bus)
                used |= {scl, sda}
    for pin in free:
        if level[pin] == "up" and pin not in used:
            bus = _onewire(link, pin)
            if bus.devices:
                buses.append(bus)
    return Found(link.port, chip, looked_at, buses)


def _i2c(link: "BoardLink", chip: str | None, scl: int, sda: int) -> Bus:
    number = scan_pins.bus_of(chip, scl, sda)
    bus = Bus("i2c", {"bus": number, "scl": scl, "sda": sda})
    told = _call(link, _BUS_S, _I2C, "i2c", scl, sda)
    bus.freed = told["freed"]
    if told["state"] != "ok":
        line, pin = ("SDA", sda) if told["state"] == "sda low" else ("SCL", scl)
        bus.state = told["state"]
        bus.remedy = f"{line} (pin {pin}) is held low, after nine clocks, too. {_REMEDY}"
        if line == "SCL":
            bus.remedy = f"SCL (pin {pin}) is held low. {_REMEDY}"
        return bus
    addresses = sorted({one for one in told["addresses"] if 0 <= one < 128})
    if len(addresses) > _NOISE:
        bus.state = "noise"
        bus.remedy = (
            f"{len(addresses)} addresses answer on pins {scl} and {sda}: that is no I2C bus, or "
            "one without resistors to 3.3 V (4.7 kOhm at both lines)."
        )
        return bus
    asked = [(a, kind) for a in addresses for kind in candidates(a) if kind in QUESTIONS]
    questions = [
        [a, QUESTIONS[kind].write.hex(), QUESTIONS[kind].wait_ms, QUESTIONS[kind].count]
        for a, kind in asked
    ]
    answers = _call(link, _BUS_S, [TEXT_OR_NONE], "ask", scl, sda, questions) if questions else []
    if len(answers) != len(asked):
        raise said.senseless(link.port)
    for address in addresses:
        heard = {
            kind: None if text is None else _bytes(link, text, QUESTIONS[kind].count)
            for (a, kind), text in zip(asked, answers, strict=True)
            if a == address
        }
        verdict = judge(address, heard)
        bus.devices.append(
            Device(f"0x{address:02x}", verdict.what, verdict.kind, verdict.sure, verdict.others)
        )
    return bus


def _onewire(link: "BoardLink", pin: int) -> Bus:
    bus = Bus("1-wire", {"pin": pin})
    told = _call(link, _BUS_S, _ONEWIRE, "onewire", pin)
    if told["state"] != "ok":
        bus.state = "low"
        bus.remedy = (
            f"pin {pin} is held low: look for a short circuit, or a device with its wires swapped."
        )
    for rom in (_bytes(link, text, _ROM_BYTES) for text in told["roms"]):
        what, kind = FAMILIES.get(rom[0], (f"family {rom[0]:#04x}, unknown here", None))
        bus.devices.append(Device(f"{rom[0]:02x}-{rom[6:0:-1].hex()}", what, kind))
    return bus


def _bytes(link: "BoardLink", text: str, count: int) -> bytes:
    try:
        found = bytes.fromhex(text)
    except ValueError:
        found = b""
    if len(found) != count:
        raise said.senseless(link.port)
    return found


def _call(link: "BoardLink", limit_s: float, shape: Any, do: str, *arguments: Any) -> Any:
    """What `_probe` says. A call that does not end in time is stopped, so that the board's own
    program can be started again."""
    heard: list[bytes] = []
    link.converse(f"_probe({', '.join(map(repr, (do, *arguments)))})", heard.append, limit_s)
    return said.last_line(link.port, b"".join(heard), shape)
