"""What a check of a node's files has found, for people and as JSON: errors, cautions, its pins."""

import sys
from pathlib import Path
from typing import Any

from fieldpost.config import files, pins
from fieldpost.drivers import folder as own_drivers
from fieldpost.drivers import named
from fieldpost.errors import CommandError
from fieldpost.file_names import SECRETS
from fieldpost.terminal.console import Console
from fieldpost.terminal.result import result
from fieldpost.terminal.wrapping import fit
from firmware.config.check_network import is_loopback

# Errors of a folder that was made for the desk: what only a board needs is not there.
_OF_A_BOARD = ("node: missing", "mqtt.host: missing")
# No error: `config pull` leaves the secrets on the board.
_NO_SECRETS = f"{SECRETS}: missing"
_NO_PIN = ": missing, must be a GPIO number"


def check_and_tell(
    path: Path, as_json: bool, board: str | None = None, drivers: Path | None = None
) -> int:
    """Print what is wrong with a node's files, or what they come to; return the exit status.

    board: whose pins it is to be wired to; None: the one that the file names.
    drivers: a folder of drivers that it may name.
    """
    settings, found = files.load(path, board)
    errors = [error for error in found if not error.startswith(_NO_SECRETS)]
    has_secrets = len(errors) == len(found)
    lacking = errors if _lacks_a_board(errors) else []
    if lacking or (found and not errors):
        settings, errors = files.load_unfinished(path, board)
    if settings and not board:
        board = settings["board"]
    chip = pins.chip_named(board) if board else None
    warnings: list[str] = []
    if settings:
        warnings = [*([] if has_secrets else [_not_here(path)]), *cautions(settings)]
        if chip:
            errors, of_pins = pins.check(settings, chip)
            warnings += of_pins
    errors = lacking + errors + driver_errors(settings, drivers)
    if settings and not drivers:
        warnings += drivers_elsewhere(settings)
    shown = _without_secrets(settings, has_secrets) if settings and not errors else None
    if as_json:
        told: dict[str, Any] = {"errors": errors, "warnings": warnings}
        told |= {"secrets_checked": has_secrets, "settings": shown}
        print(result(told, ("bad_config", "\n".join(errors)) if errors else None))
        return 1 if errors else 0
    console = Console(highlight=False, markup=False, soft_wrap=True)

    def say(text: str, style: str | None = None) -> None:
        console.print(fit(text, sys.stdout), style=style)

    for error in errors:
        say("✗ " + error, "red")
    if shown is None:
        count = "1 error" if len(errors) == 1 else f"{len(errors)} errors"
        say(f"{count}. `fieldpost config show` lists every key and what it may be.")
        if _lacks_a_board(errors):
            say(_for_a_board(path))
        if not board and any(_NO_PIN in error for error in errors) and not _names_pins(errors):
            say('With "board": "pico-w" in the file, or --board, pins that fit are named.')
        return 1
    sensors = ", ".join(one["name"] for one in shown["sensors"]) or "none"
    broker = f"{shown['mqtt']['host']}:{shown['mqtt']['port']}"
    login = ", with a login" if shown["mqtt"]["user"] else ", without a login"
    networks = f"{shown['wifi']['networks']} network(s)"
    say(f"✓ node {shown['node']} is configured without errors", "green")
    say(f"  broker   {broker}{login if has_secrets else ''}")
    for line in warnings:
        say("! " + line, "yellow")
    say(f"  Wi-Fi    {networks if has_secrets else 'not checked'}")
    say(f"  sensors  {sensors}, every {shown['sample_s']} s")
    known = (
        f"fit the {chip.name}"
        if chip
        else 'not checked: name the --board, or say "board": "pico-w" in the file'
    )
    say(f"  pins     {known}")
    return 0


def _lacks_a_board(errors: list[str]) -> bool:
    """Whether all that is wrong with it is that it was never brought to a board."""
    return all(error.startswith(_OF_A_BOARD) for error in errors)


def _for_a_board(path: Path) -> str:
    return (
        f"All else in it is right, and `fieldpost run {path}` runs it on this computer as it is. "
        f"For a new board `fieldpost provision --config {path}` asks for what is missing."
    )


def _not_here(path: Path) -> str:
    return (
        f"{SECRETS} is not here, and was not checked: `fieldpost config push {path}` leaves a "
        f"board those that it has, and `fieldpost provision --config {path}` asks for them for a "
        "new one"
    )


def _names_pins(errors: list[str]) -> bool:
    return any(error.endswith(", for instance") for error in errors)


def driver_errors(settings: dict[str, Any] | None, folder: Path | None) -> list[str]:
    """What is wrong with the folder's drivers, or with those that are named."""
    found = None
    if folder:
        try:
            found = own_drivers.find(folder)
            found.files()
        except CommandError as error:
            return [f"--drivers: {error}"]
    return named.errors(settings["sensors"], found) if settings else []


def drivers_elsewhere(settings: dict[str, Any]) -> list[str]:
    """Of checked settings, those drivers that do not come with the firmware."""
    return [
        f"sensors: the driver {module} is none of Fieldpost's; the folder that it is in can be "
        "checked, too: --drivers DIR"
        for module in named.elsewhere(settings["sensors"])
    ]


def cautions(settings: dict[str, Any]) -> list[str]:
    """What is allowed, and yet keeps a node from its broker or its broker from being checked."""
    tls = settings["mqtt"]["tls"]
    host = settings["mqtt"]["host"]
    found = []
    if is_loopback(host):
        found = [f"mqtt.host: {host} is the board itself; a broker has an address on the network"]
    if not tls:
        return found
    if tls["insecure_skip_verify"]:
        return [*found, "mqtt.tls.insecure_skip_verify: the broker's certificate is NOT checked"]
    if settings["ntp"]["host"] is None:
        what = "without the time a board can't check the broker's certificate"
        return [*found, f"ntp.host: null; {what}"]
    return found


def _without_secrets(settings: dict[str, Any], has_secrets: bool) -> dict[str, Any]:
    networks = len(settings["wifi"]["networks"]) if has_secrets else None
    wifi = settings["wifi"] | {"networks": networks}
    login = {key: settings["mqtt"][key] and "(set)" for key in ("user", "password")}
    return settings | {"wifi": wifi, "mqtt": settings["mqtt"] | login}
