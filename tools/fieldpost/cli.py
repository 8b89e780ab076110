"""The command line: names every subcommand, and nothing of what it does."""

import errno
import os
import sys
import traceback
from typing import Annotated, Any, NoReturn

import typer

from fieldpost import version
from fieldpost.battery import command as battery_command
from fieldpost.bench_broker import command as broker_command
from fieldpost.certs import command as certs_command
from fieldpost.collect import command as collect_command
from fieldpost.config import command as config_command
from fieldpost.demo import command as demo_command
from fieldpost.deploy import command as deploy_command
from fieldpost.desk import command as run_command
from fieldpost.doctor import command as doctor_command
from fieldpost.emulator import command as emulate_command
from fieldpost.errors import CommandError
from fieldpost.flash import command as flash_command
from fieldpost.fleet import command as fleet_command
from fieldpost.home_assistant import command as home_assistant_command
from fieldpost.keys import command as keys_command
from fieldpost.messages import command as message_commands
from fieldpost.monitor import command as monitor_command
from fieldpost.new_sensor import command as new_sensor_command
from fieldpost.provision import command as provision_command
from fieldpost.push import command as push_command
from fieldpost.query import command as query_command
from fieldpost.release import command as release_command
from fieldpost.scan import command as scan_command
from fieldpost.serve import command as serve_command
from fieldpost.set_up import command as setup_command
from fieldpost.stores import command as stores_command
from fieldpost.swarm import command as swarm_command
from fieldpost.terminal.narrow_help import use_where_it_is_narrow
from fieldpost.terminal.result import result, status_of
from fieldpost.terminal.safe_text import TamedStream, tamed, tolerate
from fieldpost.terminal.wrapping import fit
from fieldpost.update import command as update_command
from fieldpost.upkeep import boards_command
from fieldpost.upkeep import command as board_commands

# The groups of the help: what one wants to do.
_BOARD = "A board on a cable"
_NODES = "Nodes and their messages"
_SETTINGS = "Configuration, sensors and batteries"
_HERE = "On this computer"

app = typer.Typer(
    help="Runs, watches and provisions Fieldpost nodes.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    # A traceback with local variables would print passwords.
    pretty_exceptions_enable=False,
)
# It needs a board or a broker, of which the check of a file knows nothing.
config_command.app.command()(push_command.push)
config_command.app.command()(push_command.pull)
app.add_typer(config_command.app, name="config", rich_help_panel=_SETTINGS)
app.add_typer(certs_command.app, name="certs", rich_help_panel=_NODES)
app.add_typer(keys_command.app, name="keys", rich_help_panel=_NODES)
app.add_typer(release_command.app, name="release", rich_help_panel=_NODES)
app.add_typer(stores_command.app, name="stores", rich_help_panel=_NODES)
app.add_typer(home_assistant_command.app, name="ha", rich_help_panel=_NODES)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"fieldpost {version.tools_version()}\n{version.in_use()}")
        raise typer.Exit


@app.callback()
def _common(
    context: typer.Context,
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
    use_where_it_is_narrow(context.command)
    if text := version.notice():
        typer.echo(fit(f"fieldpost: {text}", sys.stderr), err=True)


# In the order in which the help lists them.
for _panel, _commands in {
    _BOARD: (
        boards_command.boards,
        flash_command.flash,
        provision_command.provision,
        scan_command.scan,
        deploy_command.deploy,
        fleet_command.fleet,
        board_commands.shell,
        board_commands.reset,
        board_commands.pull,
        board_commands.erase,
    ),
    _NODES: (
        broker_command.broker,
        monitor_command.monitor,
        serve_command.serve,
        collect_command.collect,
        query_command.gaps,
        query_command.export,
        message_commands.publish,
        message_commands.listen,
        message_commands.cmd,
        message_commands.pace,
        update_command.update,
    ),
    _SETTINGS: (battery_command.battery, new_sensor_command.new_sensor),
    _HERE: (
        run_command.run,
        doctor_command.doctor,
        demo_command.demo,
        swarm_command.swarm,
        emulate_command.emulate,
        setup_command.setup,
    ),
}.items():
    for _command in _commands:
        app.command(rich_help_panel=_panel)(_command)


def main() -> None:
    """Run the command line; what a command cannot do ends in one sentence and a status.

    With --json that sentence is on standard output, too: fieldpost/terminal/result.py.
    """
    tolerate(sys.stdout, sys.stderr)
    with tamed() as output:
        try:
            try:
                app()
            finally:
                # What can't be written is known now, and not when Python ends.
                sys.stdout.flush()
        except CommandError as error:
            _fail(output, error.code, str(error))
        except SystemExit as ended:
            if ended.code not in (0, None):
                code, message = _ENDS.get(ended.code, _ENDS[1])
                # Typer has told people what is wrong with the line, and ended in doing so.
                typed = getattr(ended.__context__, "format_message", None)
                _tell_script(output, code, typed() if typed else message)
            raise
        except BrokenPipeError:
            # Whoever read us has gone, as `| head` does.
            _write_no_more()
            sys.exit(1)
        except Exception as error:
            if isinstance(error, OSError) and error.errno in _FULL:
                _write_no_more()
                _fail(output, "not_written", f"the output can't be written: {error.strerror}")
            # A fault of ours. Left to Python it would be printed by what is no longer tamed, and
            # an error's text often quotes what came from outside.
            traceback.print_exc()
            _tell_script(output, "fault", "a fault of Fieldpost")
            sys.exit(1)


# A command explains what its own files do not take. What is left is where its output goes.
_FULL = (errno.ENOSPC, errno.EFBIG, errno.EIO, getattr(errno, "EDQUOT", errno.ENOSPC))
# What is told of a command that has ended with such a status, and has said why to people alone.
_ENDS: dict[Any, tuple[str, str]] = {
    1: ("failed", "it failed; standard error says why"),
    2: ("usage", "what was typed makes no sense; standard error says why"),
    130: ("interrupted", "it was interrupted"),
}


def _fail(output: TamedStream, code: str, message: str) -> NoReturn:
    print(fit(f"fieldpost: {message}", sys.stderr), file=sys.stderr)
    _tell_script(output, code, message)
    sys.exit(status_of(code))


def _write_no_more() -> None:
    """Nor can Python flush at its exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _tell_script(output: TamedStream, code: str, message: str) -> None:
    """With --json, an error is told on standard output, too, unless a result says so."""
    if "--json" in sys.argv and not output.tells_failure:
        print(result({}, (code, message), None))
