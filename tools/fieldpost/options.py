"""Options that mean the same in every subcommand that has them."""

from pathlib import Path
from typing import Annotated, Any

import typer

JsonOption = Annotated[bool, typer.Option("--json", help="For scripts.")]
DriversOption = Annotated[
    Path | None,
    typer.Option(
        help="A folder of drivers of your own; docs/sensors.md says how to write one.",
        envvar="FIELDPOST_DRIVERS",
        metavar="DIR",
    ),
]
NodeKeysOption = Annotated[
    Path | None,
    typer.Option(
        "--keys",
        help="The folder of the keys whose updates over the air the node is to take; by itself, "
        "those that it has.",
        metavar="DIR",
    ),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="WHAT=VALUE",
        help="What is measured: temperature=21.5, indoor.humidity=40, indoor=absent, or a "
        "register of a driver's own chip, tmp117.0x00=0x0C80. May be given several times.",
    ),
]
ValuesOption = Annotated[
    Path | None,
    typer.Option(metavar="CSV", help="What is measured when: columns seconds, temperature, …"),
]
BrokerOption = Annotated[
    str,
    typer.Option(
        help="mqtt://\\[user:password@]host\\[:port], or mqtts:// for TLS. A password is safer "
        "in the variable, where other users of this machine do not see it.",
        envvar="FIELDPOST_BROKER",
        metavar="URL",
    ),
]
StoreOption = Annotated[
    str,
    typer.Option(
        help="sqlite:///FILE, or postgresql://\\[user:password@]host/database. A password is "
        "safer in the variable, where other users of this machine do not see it.",
        envvar="FIELDPOST_STORE",
        metavar="URL",
    ),
]


def optional_broker(purpose: str) -> Any:
    """The same where a command can do without one; `purpose` begins its help."""
    return typer.Option(
        help=f"{purpose}: mqtt[s]://\\[user:password@]host\\[:port].",
        envvar="FIELDPOST_BROKER",
        metavar="URL",
    )


# Not typer's own variables: for mqtt:// these files are no error as long as they are not given by
# hand, and a certificate from one place does not go with a key from another (ClientFiles).
CaOption = Annotated[
    Path | None,
    typer.Option(
        help="For mqtts://: who signed the broker's certificate, as PEM; FIELDPOST_CA does, too.",
    ),
]
CertOption = Annotated[
    Path | None,
    typer.Option(help="For mqtts://: our certificate, as PEM; FIELDPOST_CERT does, too."),
]
KeyOption = Annotated[
    Path | None, typer.Option(help="For mqtts://: its key; FIELDPOST_KEY does, too.")
]
