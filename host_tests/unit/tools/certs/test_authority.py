"""`fieldpost certs`: what it makes, guards and refuses, and what Mosquitto then lets through."""

from __future__ import annotations

import json
import os
import queue
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_private_key
from rigs.tls import HOST, TlsBroker
from typer.testing import CliRunner

from fieldpost.certs.authority import Authority
from fieldpost.certs.command import app
from fieldpost.certs.mosquitto import write_configuration
from fieldpost.errors import CommandError
from fieldpost.mqtt import url as mqtt_url
from fieldpost.mqtt.client import Connection
from fieldpost.mqtt.tls import ClientFiles
from fieldpost.paths import ROOT


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    made = Authority(tmp_path / "certs")
    made.create("Test CA")
    return made


def certs(*arguments: str) -> tuple[int, str]:
    """Status and output of `fieldpost certs …`; an error's text counts as output."""
    result = CliRunner().invoke(app, list(arguments))
    if result.exception and not isinstance(result.exception, (SystemExit, CommandError)):
        raise result.exception
    told = str(result.exception) if isinstance(result.exception, CommandError) else ""
    return result.exit_code, result.output + told


# What is made ----------------------------------------------------------------------------------


def test_each_file_is_its_owners_alone_and_git_sees_none(authority: Authority) -> None:
    authority.issue_server([HOST])
    authority.issue_node("kitchen")
    authority.issue_person("alice")
    write_configuration(authority)
    for path in (authority.folder, *authority.folder.rglob("*")):
        allowed = 0o700 if path.is_dir() else 0o600
        assert stat.S_IMODE(path.stat().st_mode) == allowed, path
    subprocess.run(["git", "init", "-q", str(authority.folder.parent)], check=True)
    command = ["git", "-C", str(authority.folder.parent), "status", "--porcelain"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == ""


def test_umask_does_not_open_what_is_private(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        made = Authority(tmp_path / "certs")
        made.create("Test CA")
    finally:
        os.umask(before)
    assert stat.S_IMODE((made.folder / "ca.key").stat().st_mode) == 0o600
    assert stat.S_IMODE(made.folder.stat().st_mode) == 0o700


def test_a_nodes_files_are_der_with_p256_for_a_client_alone(authority: Authority) -> None:
    folder = authority.issue_node("kitchen").path.parent
    certificate = x509.load_der_x509_certificate((folder / "cert.der").read_bytes())
    key = load_der_private_key((folder / "key.der").read_bytes(), None)
    ca = x509.load_der_x509_certificate((folder / "ca.der").read_bytes())
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    assert isinstance(key.curve, ec.SECP256R1)
    assert key.public_key() == certificate.public_key()
    certificate.verify_directly_issued_by(ca)
    assert certificate.subject.rfc4514_string() == "CN=kitchen"
    extensions = certificate.extensions
    purpose = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(purpose) == [x509.oid.ExtendedKeyUsageOID.CLIENT_AUTH]
    assert not extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert {file.name for file in folder.iterdir()} == {"ca.der", "cert.der", "key.der"}


def test_names_and_addresses_of_the_broker_are_told_apart(authority: Authority) -> None:
    made = authority.issue_server(["broker.lan", "192.168.1.4", "fd00::4"])
    certificate = x509.load_pem_x509_certificate(made.path.read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["broker.lan"]
    addresses = [str(one) for one in names.get_values_for_type(x509.IPAddress)]
    assert addresses == ["192.168.1.4", "fd00::4"]
    assert made.names == ("broker.lan", "192.168.1.4", "fd00::4")


def test_nothing_outlives_the_authority(tmp_path: Path) -> None:
    made = Authority(tmp_path)
    ca = made.create("Short CA", days=10)
    assert made.issue_node("kitchen", days=3650).expires == ca.expires


@pytest.mark.parametrize("name", ["Kitchen", "a b", "", "../x", "n" * 33, "a/b", "+", "#"])
def test_what_is_no_nodes_name_gets_no_certificate(authority: Authority, name: str) -> None:
    with pytest.raises(CommandError, match="is no name"):
        authority.issue_node(name)
    assert not (authority.folder / "nodes").exists()


@pytest.mark.parametrize("name", ["mqtts://h", "h:8883", "a b", "-a", "UPPER", "1.2.3.4/24", ""])
def test_what_is_no_host_gets_no_certificate(authority: Authority, name: str) -> None:
    with pytest.raises(CommandError, match="is no host name"):
        authority.issue_server([name])


def test_no_node_has_the_name_by_which_it_could_slow_the_fleet(authority: Authority) -> None:
    with pytest.raises(CommandError, match="no node can be called pace"):
        authority.issue_node("pace")
    authority.issue_person("pace")


def test_a_name_is_a_nodes_or_a_persons_never_both(authority: Authority) -> None:
    """The ACL knows names alone: a node called as a person would have the person's rights."""
    authority.issue_person("alice")
    authority.issue_node("kitchen")
    with pytest.raises(CommandError, match="one of the people"):
        authority.issue_node("alice")
    with pytest.raises(CommandError, match="one of the nodes"):
        authority.issue_person("kitchen")


# What is guarded -------------------------------------------------------------------------------


def test_an_authority_is_not_overwritten_without_force(authority: Authority) -> None:
    key = (authority.folder / "ca.key").read_bytes()
    status, told = certs("ca", "--dir", str(authority.folder))
    assert status == 1 and "--force" in told
    assert (authority.folder / "ca.key").read_bytes() == key
    status, _ = certs("ca", "--dir", str(authority.folder), "--force")
    assert status == 0
    assert (authority.folder / "ca.key").read_bytes() != key


def test_a_folder_without_an_authority_says_how_to_make_one(tmp_path: Path) -> None:
    for command in (["server", "h"], ["node", "n"], ["show"], ["mosquitto"], ["renew"]):
        status, told = certs(*command, "--dir", str(tmp_path))
        assert status == 1 and "fieldpost certs ca" in told


def test_a_key_that_is_not_the_authoritys_is_noticed(authority: Authority, tmp_path: Path) -> None:
    other = Authority(tmp_path / "other")
    other.create("Other")
    (authority.folder / "ca.key").write_bytes((other.folder / "ca.key").read_bytes())
    with pytest.raises(CommandError, match="is not the key of"):
        authority.issue_node("kitchen")


def test_no_command_prints_a_key(authority: Authority) -> None:
    folder = str(authority.folder)
    told = ""
    for command in (
        ["server", HOST],
        ["node", "kitchen", "cellar"],
        ["person", "alice"],
        ["mosquitto"],
        ["show"],
        ["show", "--json"],
        ["renew", "kitchen"],
    ):
        status, said = certs(*command, "--dir", folder)
        assert status == 0, said
        told += said
    assert "PRIVATE" not in told
    for path in authority.folder.rglob("*.key"):
        assert path.read_text().splitlines()[1] not in told


# Expiry ----------------------------------------------------------------------------------------


def test_show_tells_what_expires_and_fails_when_something_has(authority: Authority) -> None:
    authority.issue_server([HOST], days=20)
    authority.issue_node("kitchen")
    status, told = certs("show", "--dir", str(authority.folder))
    assert status == 0
    assert "(19 days)" in told and "fieldpost certs renew" in told
    authority.issue_node("cellar", days=-3)
    status, told = certs("show", "--dir", str(authority.folder))
    assert status == 1 and "(EXPIRED)" in told
    status, told = certs("show", "--json", "--dir", str(authority.folder))
    rows = {row["name"]: row for row in json.loads(told)["certificates"]}
    assert status == 1
    assert rows["cellar"]["days_left"] < 0 < rows["kitchen"]["days_left"]
    assert rows[HOST]["names"] == [HOST]


def test_renew_takes_what_expires_soon_and_keeps_its_names(authority: Authority) -> None:
    authority.issue_server(["broker.lan", "10.0.0.1"], days=20)
    kitchen = authority.issue_node("kitchen").path
    before = kitchen.read_bytes()
    status, told = certs("renew", "--dir", str(authority.folder))
    assert status == 0 and "server broker.lan" in told and "kitchen" not in told
    assert kitchen.read_bytes() == before
    found = {one.name: one for one in authority.certificates()}
    assert found["broker.lan"].days_left() > 600
    assert found["broker.lan"].names == ("broker.lan", "10.0.0.1")
    status, told = certs("renew", "kitchen", "--dir", str(authority.folder))
    assert status == 0 and kitchen.read_bytes() != before
    status, told = certs("renew", "nobody", "--dir", str(authority.folder))
    assert status == 1 and "nobody" in told


# Mosquitto -------------------------------------------------------------------------------------


def test_the_configuration_names_where_its_files_will_be(authority: Authority) -> None:
    with pytest.raises(CommandError, match="fieldpost certs server"):
        write_configuration(authority)
    authority.issue_server([HOST])
    made = write_configuration(authority, at=PurePosixPath("/etc/mosquitto/fieldpost"))
    text = made.read_text()
    assert "keyfile /etc/mosquitto/fieldpost/server.key" in text
    assert str(authority.folder) not in text
    for line in ("require_certificate true", "allow_anonymous false"):
        assert line in text
    with pytest.raises(CommandError, match="spaces"):
        write_configuration(authority, base="a b")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    authority = Authority(tmp_path_factory.mktemp("certs"))
    authority.create("Test CA")
    authority.issue_server([HOST])
    for name in ("alice", "kitchen2"):
        authority.issue_person(name)
    return authority


@pytest.fixture(scope="module")
def broker(made: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsBroker]:
    # kitchen2 is no person to the ACL, but a node whose files are PEM, as the host's client wants.
    (made.folder / "people" / "kitchen2").rename(made.folder / "kitchen2")
    with TlsBroker(made, tmp_path_factory.mktemp("broker")) as running:
        yield running


def client_files(authority: Authority, name: str) -> ClientFiles:
    own = authority.folder / "people" / name
    return ClientFiles(own / "ca.crt", own / "client.crt", own / "client.key")


class Client:
    """One that connects with the certificate of `name`, and keeps what it is sent."""

    def __init__(self, broker: TlsBroker, files: ClientFiles) -> None:
        self.messages: queue.SimpleQueue[tuple[str, bytes]] = queue.SimpleQueue()
        address = mqtt_url.parse(f"mqtts://{HOST}:{broker.port}", files)
        self.connection = Connection(
            address, on_message=lambda m: self.messages.put((m.topic, bytes(m.payload)))
        )

    def __enter__(self) -> Client:
        self.connection.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()


def test_a_node_writes_below_its_own_topic_alone_and_reads_its_own_commands_alone(
    made: Authority, broker: TlsBroker
) -> None:
    node = client_files(made, "../kitchen2")
    with Client(broker, client_files(made, "alice")) as alice, Client(broker, node) as kitchen:
        alice.connection.subscribe("fieldpost/#", 1)
        # Mosquitto grants any subscription, and then sends what the ACL allows.
        kitchen.connection.subscribe("fieldpost/#", 1)
        for topic in (
            "fieldpost/cellar/telemetry",
            "fieldpost/cellar/cmd",
            "fieldpost/kitchen2x/telemetry",
            "other/kitchen2/telemetry",
            "homeassistant/device/kitchen2/config",
            "fieldpost/pace",
            "$SYS/x",
            "fieldpost/kitchen2/telemetry",
        ):
            # In MQTT 3.1.1 an acknowledgement says nothing of the ACL: see docs/tls.md.
            kitchen.connection.publish(topic, b"from the node", qos=1, retain=False)
        alice.connection.publish("fieldpost/cellar/cmd", b"not yours", qos=1, retain=False)
        alice.connection.publish("fieldpost/kitchen2/cmd", b"yours", qos=1, retain=False)
        alice.connection.publish("fieldpost/pace", b"all of you", qos=1, retain=False)
        seen = [alice.messages.get(timeout=5) for _ in range(4)]
        assert seen == [
            ("fieldpost/kitchen2/telemetry", b"from the node"),
            ("fieldpost/cellar/cmd", b"not yours"),
            ("fieldpost/kitchen2/cmd", b"yours"),
            ("fieldpost/pace", b"all of you"),
        ]
        assert kitchen.messages.get(timeout=5) == ("fieldpost/kitchen2/cmd", b"yours")
        assert kitchen.messages.get(timeout=5) == ("fieldpost/pace", b"all of you")
        assert kitchen.messages.empty()


def test_nobody_can_take_anothers_client_id(made: Authority, broker: TlsBroker) -> None:
    node = client_files(made, "../kitchen2")
    with Client(broker, client_files(made, "alice")) as alice:
        address = mqtt_url.parse(f"mqtts://{HOST}:{broker.port}", node)
        thief = Connection(address, client_id="alice")
        thief.open()
        thief.publish("fieldpost/kitchen2/telemetry", b"x", qos=1, retain=False)
        alice.connection.publish("fieldpost/a/cmd", b"still here", qos=1, retain=False)
        thief.close()


# The host's own commands -----------------------------------------------------------------------


def fieldpost(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "fieldpost", *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT / "tools"), **environment},
        capture_output=True,
        text=True,
        timeout=30,
    )


def test_publish_goes_over_tls_with_files_from_the_environment(
    made: Authority, broker: TlsBroker
) -> None:
    own = client_files(made, "alice")
    environment = {
        "FIELDPOST_CA": str(own.ca),
        "FIELDPOST_CERT": str(own.cert),
        "FIELDPOST_KEY": str(own.key),
    }
    url = f"mqtts://{HOST}:{broker.port}"
    done = fieldpost("publish", "fieldpost/x/cmd", "--qos", "1", "--broker", url, **environment)
    assert done.returncode == 0, done.stderr
    assert f"connected to {url}" in done.stdout
    # Without TLS they are of no use, and no harm.
    done = fieldpost("publish", "t", "--broker", "mqtt://127.0.0.1:9", **environment)
    assert "nothing listens" in done.stderr


@pytest.mark.slow
def test_publish_and_listen_take_the_files_as_options(made: Authority, broker: TlsBroker) -> None:
    own = client_files(made, "alice")
    files = ("--ca", str(own.ca), "--cert", str(own.cert), "--key", str(own.key))
    address = ("--broker", f"mqtts://{HOST}:{broker.port}", *files)
    done = fieldpost("publish", "fieldpost/kept/status", "hello", "--retain", *address)
    assert done.returncode == 0, done.stderr
    done = fieldpost("listen", "fieldpost/kept/#", "--count", "1", "--timeout", "10", *address)
    assert (done.returncode, done.stdout) == (0, "fieldpost/kept/status hello\n"), done.stderr


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("no authority", "is not signed by anybody this machine trusts: give its --ca"),
        ("another authority", "is not signed by "),
        ("another name", "has the certificate of another"),
        ("no client certificate", "it may want a client certificate: --cert and --key"),
        ("no key", "--cert and --key need each other"),
        ("no file", "there is no file"),
        ("no certificate", "is no certificate in PEM"),
        ("no pair", "are not a certificate in PEM and its key"),
        ("not tls", "are for TLS: write mqtts://"),
    ],
)
def test_each_refusal_says_what_to_do(
    made: Authority,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    change: str,
    expected: str,
) -> None:
    own = client_files(made, "alice")
    # What is wrong with the files is told before a broker is asked, so these need none.
    asks = change in ("no authority", "another authority", "another name", "no client certificate")
    port = request.getfixturevalue("broker").port if asks else 9
    other = Authority(tmp_path / "other")
    other.create("Other CA")
    host, scheme, files = HOST, "mqtts", own
    if change == "no authority":
        files = ClientFiles(None, own.cert, own.key)
    elif change == "another authority":
        files = ClientFiles(other.folder / "ca.crt", own.cert, own.key)
    elif change == "another name":
        host = "127.0.0.1"
    elif change == "no client certificate":
        files = ClientFiles(own.ca)
    elif change == "no key":
        files = ClientFiles(own.ca, own.cert)
    elif change == "no file":
        files = ClientFiles(tmp_path / "none")
    elif change == "no certificate":
        files = ClientFiles(made.folder / "broker" / "server.key")
    elif change == "no pair":
        files = ClientFiles(own.ca, own.cert, other.folder / "ca.key")
    else:
        scheme = "mqtt"
    with pytest.raises(CommandError) as refused:
        address = mqtt_url.parse(f"{scheme}://{host}:{port}", files)
        Connection(address).open(5)
    assert expected in str(refused.value)
