"""The command line: what can be asked, and nothing of how it is done."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from fieldpost import version
from fieldpost.battery import command as battery_command
from fieldpost.certs import command as certs_command
from fieldpost.deploy import command as deploy_command
from fieldpost.doctor import command as doctor_command
from fieldpost.emulator import command as emulate_command
from fieldpost.errors import CommandError
from fieldpost.flash import command as flash_command
from fieldpost.fleet import command as fleet_command
from fieldpost.messages.publish import DEFAULT_MESSAGE
from fieldpost.monitor import command as monitor_command
from fieldpost.mqtt.brokers import Program
from fieldpost.mqtt.tls import ClientFiles
from fieldpost.mqtt.url import DEFAULT_URL
from fieldpost.new_sensor import command as new_sensor_command
from fieldpost.node_process import Interpreter
from fieldpost.provision import command as provision_command
from fieldpost.scan import command as scan_command
from fieldpost.terminal import tolerate
from fieldpost.upkeep import boards_command
from fieldpost.upkeep import command as board_commands
from fieldpost.wrapping import fit

app = typer.Typer(
    help="Runs, watches and provisions Fieldpost nodes.",
    no_args_is_help=True,
    # A traceback with local variables would print passwords.
    pretty_exceptions_enable=False,
)
config_app = typer.Typer(help="A node's configuration.", no_args_is_help=True)
app.add_typer(config_app, name="config")
app.add_typer(certs_command.app, name="certs")
ha_app = typer.Typer(help="Home Assistant.", no_args_is_help=True)
app.add_typer(ha_app, name="ha")

BrokerOption = Annotated[
    str,
    typer.Option(
        help="mqtt://\\[user:password@]host\\[:port], or mqtts:// for TLS. A password is safer "
        "in the variable, where other users of this machine do not see it.",
        envvar="FIELDPOST_BROKER",
        metavar="URL",
    ),
]
CaOption = Annotated[
    Path | None,
    typer.Option(help="For mqtts://: the authority that signed the broker's certificate, as PEM."),
]
CertOption = Annotated[Path | None, typer.Option(help="For mqtts://: our certificate, as PEM.")]
KeyOption = Annotated[Path | None, typer.Option(help="Its key. docs/tls.md has the variables.")]
QosOption = Annotated[int, typer.Option(min=0, max=2, help="0 at most once, 1 at least once.")]
JsonOption = Annotated[bool, typer.Option("--json", help="For scripts.")]


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"fieldpost {version.tools_version()}\n{version.in_use()}")
        raise typer.Exit


@app.callback()
def _common(
    _version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=_print_version,
            is_eager=True,
            help="And of the firmware, with where it is.",
        ),
    ] = False,
) -> None:
    if text := version.notice():
        typer.echo(fit(f"fieldpost: {text}", sys.stderr), err=True)


@app.command()
def demo(
    keep: Annotated[bool, typer.Option(help="Run on afterwards, until Ctrl-C.")] = False,
    as_json: JsonOption = False,
    using: Annotated[
        Program | None, typer.Option(help="The broker; by itself, the first that is installed.")
    ] = None,
    interpreter: Annotated[
        Interpreter | None, typer.Option(help="For the node; by itself, the first there is.")
    ] = None,
    readings: Annotated[int, typer.Option(min=2, help="Before the outage.")] = 6,
    outage: Annotated[float, typer.Option(min=1, help="Seconds without a broker.")] = 6.0,
    picture: Annotated[Path | None, typer.Option(hidden=True)] = None,
) -> None:
    """Show a node live through an outage of its broker, and count what arrives.

    Status 0 only if nothing was lost, nothing duplicated, and the outage was real.
    """
    from fieldpost.demo.demo import Options, demo_command

    options = Options(
        keep=keep,
        as_json=as_json,
        using=using,
        interpreter=interpreter,
        readings=readings,
        outage_s=outage,
        picture=picture,
    )
    raise typer.Exit(demo_command(options))


@app.command()
def publish(
    topic: str,
    message: Annotated[str, typer.Argument()] = DEFAULT_MESSAGE,
    qos: QosOption = 0,
    retain: Annotated[bool, typer.Option(help="The broker keeps it for who comes later.")] = False,
    broker: BrokerOption = DEFAULT_URL,
    ca: CaOption = None,
    cert: CertOption = None,
    key: KeyOption = None,
) -> None:
    """Publish one message and wait until it is delivered."""
    from fieldpost.messages.publish import publish_command

    tls = ClientFiles(ca, cert, key)
    publish_command(topic, message, broker=broker, qos=qos, retain=retain, tls=tls)


@app.command()
def listen(
    topic: Annotated[
        str | None, typer.Argument(help="+ and # allowed; with --telemetry, all nodes' readings.")
    ] = None,
    telemetry: Annotated[
        bool, typer.Option(help="Judge readings by node, boot and seq: order, gaps, repeats.")
    ] = False,
    count: Annotated[int | None, typer.Option(min=1, help="End after so many messages.")] = None,
    timeout: Annotated[float | None, typer.Option(min=0.1, help="End after seconds.")] = None,
    qos: QosOption = 0,
    as_json: JsonOption = False,
    broker: BrokerOption = DEFAULT_URL,
    ca: CaOption = None,
    cert: CertOption = None,
    key: KeyOption = None,
) -> None:
    """Print each message that arrives, topic first. Status 1 if COUNT did not come in time.

    With --telemetry, status 1 if a reading is missing.
    """
    tls = ClientFiles(ca, cert, key)
    if telemetry:
        from fieldpost.messages.telemetry_command import verify_command

        wanted = topic or "fieldpost/+/telemetry"
        raise typer.Exit(
            verify_command(
                wanted, broker=broker, count=count, timeout_s=timeout, as_json=as_json, tls=tls
            )
        )
    if topic is None:
        raise typer.BadParameter("give a topic, or --telemetry for all nodes' readings")
    from fieldpost.messages.listen import listen_command

    listen_command(
        topic, broker=broker, qos=qos, count=count, timeout_s=timeout, as_json=as_json, tls=tls
    )


@app.command()
def cmd(
    node: Annotated[str, typer.Argument(help="Name of the node.")],
    do: Annotated[str, typer.Argument(help="get, set, sample, deliver, identify, restart, …")],
    arguments: Annotated[
        list[str] | None, typer.Argument(help="NAME=VALUE, such as key=sample_s value=60.")
    ] = None,
    timeout: Annotated[float | None, typer.Option(min=0.1, help="End after seconds.")] = None,
    as_json: JsonOption = False,
    broker: BrokerOption = DEFAULT_URL,
) -> None:
    """Tell a node something and print its answer; one that sleeps is waited for."""
    from fieldpost.messages.cmd import cmd_command

    raise typer.Exit(cmd_command(node, do, arguments or [], broker, timeout, as_json))


@app.command()
def setup(
    umqtt: Annotated[
        Path | None, typer.Option(help="A copy of umqtt.simple: its archive or its simple.py.")
    ] = None,
) -> None:
    """Fetch upstream's umqtt.simple to its place, unless it is there."""
    from fieldpost import umqtt as umqtt_module

    typer.echo(umqtt_module.install(umqtt))


app.command()(battery_command.battery)
app.command()(boards_command.boards)
app.command()(flash_command.flash)
app.command()(provision_command.provision)
app.command()(scan_command.scan)
app.command("new-sensor")(new_sensor_command.new_sensor)
app.command()(deploy_command.deploy)
app.command()(monitor_command.monitor)
app.command()(fleet_command.fleet)
app.command()(doctor_command.doctor)
app.command()(emulate_command.emulate)
for thin in (
    board_commands.shell,
    board_commands.reset,
    board_commands.pull,
    board_commands.erase,
):
    app.command()(thin)


@ha_app.command()
def remove(
    node: str,
    prefix: Annotated[str, typer.Option(help="Where Home Assistant looks.")] = "homeassistant",
    broker: BrokerOption = DEFAULT_URL,
) -> None:
    """Take a node out of Home Assistant: clears what it left with the broker."""
    from fieldpost.messages import home_assistant

    home_assistant.remove(node, broker=broker, prefix=prefix)
    typer.echo(f"{node} is removed; a node that still runs announces itself at its next start")


@config_app.command()
def check(
    file: Path,
    board: Annotated[
        str | None,
        typer.Option(help="pico_w, pico2_w, esp32, esp32-c3 …: check the pins against it, too."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Check a config.json, with the secrets.json beside it, as the node will."""
    from fieldpost.config import check_command

    raise typer.Exit(check_command.check_command(file, as_json, board))


@config_app.command()
def show(as_json: JsonOption = False) -> None:
    """Every key of config.json and secrets.json: type, range, default, meaning."""
    from fieldpost.config.reference import show_command

    raise typer.Exit(show_command(as_json))


def main() -> None:
    """Run the command line; what a command cannot do ends in one sentence and status 1."""
    tolerate(sys.stdout, sys.stderr)
    try:
        app()
    except CommandError as error:
        print(fit(f"fieldpost: {error}", sys.stderr), file=sys.stderr)
        sys.exit(1)
    except BrokenPipeError:
        # Whoever read us has gone, as `| head` does; nor can Python flush at its exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
