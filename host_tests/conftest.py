"""What all tests share: the path to the firmware, one broker, and which tests are long."""

import gc
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

import firmware_paths as _paths  # noqa: F401  found by the line above

from fieldpost.mqtt.brokers import Broker

if TYPE_CHECKING:
    from rigs.rabbitmq import RabbitMq

_HERE = Path(__file__).resolve().parent
_LONG = {
    "unit/tools/battery/test_command.py",
    "whole/test_sabotage.py",
    "whole/test_secrets.py",
    "whole/test_tls_node.py",
    "whole/test_wear.py",
}


def pytest_configure() -> None:
    """Whoever starts the tests in the background may have Ctrl-C ignored, and what tests start
    would ignore it as well."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Twice as many as cores: the default run waits for brokers and processes half of its time.
    The longer proofs wait for a third of theirs, so that half as many again as cores suit them."""
    cores = os.cpu_count() or 1
    is_default = "not slow" in config.option.markexpr
    return 2 * cores if is_default else cores + cores // 2


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What boots the emulated board, or waits for real time-outs, is among the longer proofs."""
    for item in items:
        if item.get_closest_marker("board") or _place(item) in _LONG:
            item.add_marker(pytest.mark.slow)


def pytest_collection_finish() -> None:
    """What is there by now stays until the end: thousands of tests, and all that they import. The
    firmware often has its memory swept, which would look through all of that each time."""
    gc.collect()
    gc.freeze()


def _place(item: pytest.Item) -> str:
    return item.path.relative_to(_HERE).as_posix()


@pytest.fixture(scope="session", autouse=True)
def _no_emulated_board_of_others(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What another test, or a person, emulates on this machine is not found as a board here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("running")))
        yield


@pytest.fixture(scope="module")
def broker() -> Iterator[Broker]:
    """A broker for the tests of one file: Mosquitto where it is installed, else amqtt."""
    with Broker() as one:
        yield one


@pytest.fixture(scope="module")
def rabbit_server() -> Iterator["RabbitMq"]:
    """A RabbitMQ for the tests of one file, where it is installed."""
    from rigs.rabbitmq import RabbitMq  # Few tests need all that this imports.

    with RabbitMq() as one:
        yield one


@pytest.fixture
def rabbit(rabbit_server: "RabbitMq") -> Iterator["RabbitMq"]:
    """The same, without what the test before left in its queue."""
    yield rabbit_server
    rabbit_server.forget()
