"""`fieldpost scan`: which sensors answer on a board, and the lines for its config.json."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fieldpost.board.choose import PortOption, WaitOption, the_board, told_of_restart
from fieldpost.errors import Usage
from fieldpost.file_names import CONFIG
from fieldpost.options import JsonOption
from fieldpost.terminal.result import result
from fieldpost.terminal.wrapping import fit

if TYPE_CHECKING:
    from fieldpost.scan.scan import Bus, Found

_NOTHING = """\
Nothing answers. What helps, in this order:
 - supply and ground of the sensor: 3V3 and GND, and the right way round;
 - the pins: --scl and --sda, or --onewire, with the GPIO numbers of your wiring (looked at were
   {looked_at});
 - resistors to 3V3: 4.7 kOhm at SCL and SDA (most modules have them), and at a 1-Wire line;
   without them a bus is only found when its pins are named.
DHT, HC-SR04, HX711, PMS5003, analogue and digital sensors do not answer to a scan."""


def scan(
    file: Annotated[
        Path | None,
        typer.Argument(metavar="FILE|DIR", help="With --save; by itself, ./config.json."),
    ] = None,
    save: Annotated[
        bool, typer.Option("--save", help="Add what is found to FILE's sensors.")
    ] = False,
    port: PortOption = None,
    scl: Annotated[int | None, typer.Option(min=0, help="I2C clock, as a GPIO number.")] = None,
    sda: Annotated[int | None, typer.Option(min=0, help="I2C data, as a GPIO number.")] = None,
    onewire: Annotated[
        list[int] | None, typer.Option(min=0, help="1-Wire data; may be repeated.")
    ] = None,
    wait: WaitOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find the sensors on I2C and 1-Wire, and print the configuration for them.

    By itself it looks at the usual pins of the chip: with the chip's own weak resistors, and more
    only where something holds a line up. Named pins are tried, and no other is touched. A node
    that runs is stopped for it and started again; nothing on the board is changed. Status 1 if a
    bus is stuck. With --save, what FILE says of other sensors stays.
    """
    from fieldpost.scan import scan as survey
    from fieldpost.scan.save import add, meant
    from fieldpost.terminal.progress import FlashScreen

    if (scl is None) != (sda is None):
        raise Usage("give both pins of the I2C bus: --scl and --sda")
    if file and not save:
        raise Usage("a file is for --save, which adds to it what is found")
    target = meant(file or Path(CONFIG)) if save else None
    pair = None if scl is None or sda is None else (scl, sda)
    with FlashScreen(steps=False) as screen, the_board(port, screen, wait) as link:
        screen.progress(link.port, "scanning", 0, None)
        found = survey.scan(link, pair=pair, onewire=tuple(onewire or ()))
        screen.finished(link.port)
    told = found.as_json()
    stuck = [bus.remedy for bus in found.buses if bus.state != "ok"]
    failure = ("bus_stuck", "\n".join(stuck)) if stuck else None
    if not as_json:
        typer.echo(_text(found))
    if target:
        with told_of_restart(link):
            path, added = add(target, found.sensors())
        told |= {"file": str(path), "added": added}
        if not as_json:
            _tell_saved(path, added, found)
    if as_json:
        typer.echo(result(told, failure))
    if stuck:
        raise typer.Exit(1)


def _tell_saved(path: Path, added: list[dict[str, Any]], found: "Found") -> None:
    def say(text: str) -> None:
        typer.echo(fit(text, sys.stdout))

    if not found.sensors():
        say(f"Nothing was found, so {path} is as it was.")
        return
    if not added:
        say(f"Nothing was added to {path}: it has all of it.")
        return
    say(f"Added to {path}:")
    for entry in added:
        typer.echo(f"    {json.dumps(entry)}")
    if prefixed := [str(one.get("name", one["type"])) for one in added if one.get("prefix")]:
        say(
            f'With "prefix": true the fields of {", ".join(prefixed)} carry its name, as in '
            f"{prefixed[0]}_temperature, for another sensor may publish the same."
        )
    port = f"--port {found.port}"
    say(
        f"Next: `fieldpost config push {path} {port}`, or "
        f"`fieldpost provision --config {path} {port}`"
    )


def _text(found: "Found") -> str:
    lines = [f"{found.port}: {found.chip or 'unknown chip'}"]
    for bus in found.buses:
        lines += _bus(bus)
    sensors = found.sensors()
    if sensors:
        lines += ["", "For config.json:", '  "sensors": [']
        lines.append(",\n".join(f"    {json.dumps(entry)}" for entry in sensors))
        lines.append("  ]")
    elif not any(bus.devices or bus.state != "ok" for bus in found.buses):
        lines.append(_NOTHING.format(looked_at=_pins(found)))
    return "\n".join(lines)


def _bus(bus: "Bus") -> list[str]:
    if bus.kind == "i2c":
        title = f"I2C {bus.pins['bus']}, SCL {bus.pins['scl']}, SDA {bus.pins['sda']}:"
    else:
        title = f"1-Wire, pin {bus.pins['pin']}:"
    lines = [title]
    if bus.freed:
        lines.append("  SDA was held low; nine clocks have freed it.")
    if bus.state != "ok":
        lines.append(f"  {bus.remedy}")
    elif not bus.devices:
        lines.append("  nothing answers")
    for device in bus.devices:
        others = "".join(f" or {one}" for one in device.or_type)
        lines.append(f"  {device.address}  {device.what}{others}")
    return lines


def _pins(found: "Found") -> str:
    named = {pin for bus in found.buses for name, pin in bus.pins.items() if name != "bus"}
    runs: list[list[int]] = []
    for pin in sorted(named.union(found.looked_at)):
        if runs and runs[-1][-1] == pin - 1:
            runs[-1].append(pin)
        else:
            runs.append([pin])
    return ", ".join(
        f"{run[0]}-{run[-1]}" if len(run) > 2 else ", ".join(map(str, run)) for run in runs
    )
