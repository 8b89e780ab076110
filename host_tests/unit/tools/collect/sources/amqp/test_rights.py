"""What an account of RabbitMQ's must be allowed to, as docs/collect.md has it, and what is said
where it is not."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from rigs.rabbitmq import RabbitMq

from fieldpost.certs.authority import Authority
from fieldpost.collect.intake import Intake
from fieldpost.collect.message import Reader
from fieldpost.collect.sources.address import DEFAULT_QUEUE, ClusterAddress, parse
from fieldpost.collect.sources.amqp.source import AmqpSource
from fieldpost.errors import CommandError
from fieldpost.mqtt.brokers import HOST, free_port
from fieldpost.mqtt.tls import ClientFiles
from fieldpost.paths import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]
_PAGE = ROOT / "docs" / "collect.md"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    one = Authority(tmp_path_factory.mktemp("certs"))
    one.create("Test CA")
    one.issue_server([HOST])
    return one


@pytest.fixture(scope="module")
def tls_port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def rabbit_server(authority: Authority, tls_port: int) -> Iterator[RabbitMq]:
    lines = (
        f"listeners.ssl.1 = {HOST}:{tls_port}",
        f"ssl_options.cacertfile = {authority.broker}/ca.crt",
        f"ssl_options.certfile = {authority.broker}/server.crt",
        f"ssl_options.keyfile = {authority.broker}/server.key",
    )
    with RabbitMq(*lines) as one:
        add = 'rabbit_auth_backend_internal:add_user(<<"collector">>, <<"word">>, <<"test">>).'
        assert one.ask(add) == "ok"
        yield one


def opened(url: str, files: ClientFiles | None = None) -> list[str]:
    """What it says. Raises CommandError if it can't be opened."""
    told: list[str] = []
    address = parse(url, files)
    assert isinstance(address, ClusterAddress)
    one = AmqpSource(
        address, "me", Reader("fieldpost").topics(), DEFAULT_QUEUE, Intake(), told.append
    )
    try:
        one.open()
    finally:
        one.close()
    return told


def allow(rabbit: RabbitMq, configure: str, write: str, read: str, topics: str) -> str:
    """The collector's account. Gives its address."""

    def text(value: str) -> str:
        return '<<"' + value.replace("\\", "\\\\") + '">>'

    rights = ", ".join(text(one) for one in (configure, write, read))
    home = "rabbit_auth_backend_internal"
    asked = (
        f'{home}:set_permissions(<<"collector">>, <<"/">>, {rights}, <<"test">>).',
        f'{home}:set_topic_permissions(<<"collector">>, <<"/">>, <<"amq.topic">>, '
        f'<<"^$">>, {text(topics)}, <<"test">>).',
    )
    for one in asked:
        assert rabbit.ask(one) == "ok", one
    return rabbit.url.replace("amqp://", "amqp://collector:word@")


def of_the_page() -> tuple[str, str, str, str]:
    """Configure, write, read, and the topics that may be read."""
    page = _PAGE.read_text()
    rights = re.search(r"set_permissions collector '(.+)' '(.+)' '(.+)'", page)
    topics = re.search(r"set_topic_permissions collector amq.topic '\^\$' '(.+)'", page)
    assert rights and topics
    return rights[1], rights[2], rights[3], topics[1]


def test_the_rights_that_the_page_gives_are_enough(rabbit: RabbitMq) -> None:
    told = opened(allow(rabbit, *of_the_page()))
    assert [line.split(",")[0] for line in told[:-1]] == ["the queue fieldpost was made"]


def test_one_that_may_not_make_the_queue_says_so(rabbit: RabbitMq) -> None:
    url = allow(rabbit, "^$", "^fieldpost$", "^(fieldpost|amq\\.topic)$", ".*")
    with pytest.raises(CommandError, match="there is no queue fieldpost") as raised:
        opened(url)
    assert raised.value.code == "broker_denied"


def test_one_that_may_only_read_reads_what_others_have_made_and_bound(rabbit: RabbitMq) -> None:
    opened(rabbit.url)
    told = opened(allow(rabbit, "^$", "^$", "^fieldpost$", "^$"))
    assert told[0].startswith("the queue could not be bound to fieldpost/+/telemetry")
    assert told[-1].startswith("connected to")


def test_topics_that_may_not_be_read_are_told(rabbit: RabbitMq) -> None:
    configure, write, read, _ = of_the_page()
    told = opened(allow(rabbit, configure, write, read, r"^fieldpost\.[^.]+\.telemetry$"))
    left = [line for line in told if "could not be bound" in line]
    assert [re.findall(r"fieldpost/\+/[a-z/]+", line)[0] for line in left] == [
        "fieldpost/+/status",
        "fieldpost/+/health",
        "fieldpost/+/cmd/result",
        "fieldpost/+/update",
    ]


def test_one_that_may_not_read_the_queue_is_told_why(rabbit: RabbitMq) -> None:
    opened(rabbit.url)
    with pytest.raises(CommandError, match="access to queue 'fieldpost'") as raised:
        opened(allow(rabbit, "^$", "^$", "^$", "^$"))
    assert raised.value.code == "broker_denied"


@pytest.mark.parametrize(
    ("login", "path", "words"),
    [
        ("collector:wrong@", "", "wrong password, or no user collector"),
        ("", "/none", "there is no virtual host none"),
    ],
)
def test_one_that_is_not_let_in_is_told_why(
    rabbit: RabbitMq, login: str, path: str, words: str
) -> None:
    with pytest.raises(CommandError, match=words) as raised:
        opened(rabbit.url.replace("amqp://", f"amqp://{login}") + path)
    assert raised.value.code == "broker_refused"
    assert "wrong@" not in str(raised.value)


def test_over_tls_its_certificate_is_looked_at(
    rabbit: RabbitMq, authority: Authority, tls_port: int
) -> None:
    url = f"amqps://{HOST}:{tls_port}"
    told = opened(url, ClientFiles(ca=authority.broker / "ca.crt"))
    assert told[-1] == f"connected to {url}"
    with pytest.raises(CommandError, match="is not signed") as raised:
        opened(url, ClientFiles())
    assert raised.value.code == "broker_untrusted"


def test_tls_where_there_is_none_and_none_where_there_is_are_told(
    rabbit: RabbitMq, authority: Authority, tls_port: int
) -> None:
    files = ClientFiles(ca=authority.broker / "ca.crt")
    with pytest.raises(CommandError) as raised:
        opened(rabbit.url.replace("amqp://", "amqps://"), files)
    assert raised.value.code in ("broker_away", "broker_untrusted"), raised.value
    with pytest.raises(CommandError, match="does not answer as RabbitMQ does") as raised:
        opened(f"amqp://{HOST}:{tls_port}")
    assert raised.value.code == "broker_away"
