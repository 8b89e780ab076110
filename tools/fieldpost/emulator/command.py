"""`fieldpost emulate`: its command line."""

from pathlib import Path
from typing import Annotated

import typer

from fieldpost.board import names
from fieldpost.emulator.esp32_c3_facts import VARIABLE
from fieldpost.options import DriversOption, JsonOption, NodeKeysOption, SetOption, ValuesOption


def _boards() -> list[str]:
    from fieldpost.emulator import engines

    return [one.title.lower().replace(" ", "-") for one in engines.ALL]


def emulate(
    config: Annotated[
        Path | None, typer.Option(help="A node's config.json, or its folder; else an example.")
    ] = None,
    drivers: DriversOption = None,
    keys: NodeKeysOption = None,
    board: Annotated[
        str,
        typer.Option(
            help="pico-w or esp32-c3, or as the maker spells it.",
            metavar="NAME",
            autocompletion=names.completing(_boards),
        ),
    ] = "pico-w",
    image: Annotated[
        str | None,
        typer.Option(
            help="MicroPython for it: a file, or a version (1.25.0); else the newest there is "
            "here. One that is not here is fetched."
        ),
    ] = None,
    qemu: Annotated[
        str | None,
        typer.Option(
            help="For an ESP32-C3: a qemu-system-riscv32 that knows its Wi-Fi; else that on the "
            "PATH.",
            envvar=VARIABLE,
            metavar="PROGRAM",
        ),
    ] = None,
    broker: Annotated[
        str | None,
        typer.Option(metavar="URL", help="On this machine; else one is started."),
    ] = None,
    open_network: Annotated[
        bool,
        typer.Option("--open-network", help="Let the board reach all that this machine can."),
    ] = False,
    bare: Annotated[
        bool, typer.Option(help="Start no node: a board for mpremote, or fieldpost deploy.")
    ] = False,
    device: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TYPE[@ADDRESS]",
            help="A sensor to wire besides the configuration's: bme280, sht3x@0x45,scl=7,sda=6. "
            "May be given several times.",
        ),
    ] = None,
    settings: SetOption = None,
    values: ValuesOption = None,
    seconds: Annotated[float | None, typer.Option(min=1, help="End after so long.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Run this firmware on an emulated board that boots the genuine image, until Ctrl-C.

    It joins an emulated access point and reaches nothing but the broker on this machine, where
    the host and the networks of the configuration lead, too. The sensors of the configuration are
    emulated. Status 1 if it delivered nothing.
    """
    from fieldpost.emulator import run
    from fieldpost.emulator.sensors import Told

    run.run(
        run.Wish(
            board=board,
            config=config,
            drivers=drivers,
            keys=keys,
            image=image,
            qemu=qemu,
            broker=broker,
            open_network=open_network,
            bare=bare,
            told=Told(device or (), settings or (), values),
            seconds=seconds,
            as_json=as_json,
        )
    )
