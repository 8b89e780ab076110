"""A collector at NATS over TLS: whom it trusts, and what it says where it does not."""

from __future__ import annotations

from pathlib import Path

import pytest
from rigs.nats_server import configured

from fieldpost.certs.authority import Authority
from fieldpost.collect.intake import Intake
from fieldpost.collect.message import Reader
from fieldpost.collect.sources.address import ClusterAddress, parse
from fieldpost.collect.sources.nats.source import NatsSource
from fieldpost.errors import CommandError
from fieldpost.mqtt.brokers import HOST
from fieldpost.mqtt.tls import ClientFiles


def authority(folder: Path) -> Authority:
    made = Authority(folder)
    made.create("Fieldpost CA")
    made.issue_server(["localhost", HOST])
    return made


def failure(url: str, ca: Path | None = None) -> CommandError:
    address = parse(url, ClientFiles(ca) if ca else None)
    assert isinstance(address, ClusterAddress)
    topics = Reader("fieldpost").topics()
    source = NatsSource(address, "me", topics, "fieldpost", Intake(), lambda _told: None)
    with pytest.raises(CommandError) as raised:
        source.open()
    source.close()
    return raised.value


def test_a_server_is_trusted_by_its_authority_alone(tmp_path: Path) -> None:
    own = authority(tmp_path / "own")
    other = authority(tmp_path / "other")
    tls = f'tls {{ cert_file: "{own.broker}/server.crt", key_file: "{own.broker}/server.key" }}'
    with configured(tmp_path, tls) as port:
        inside = failure(f"tls://{HOST}:{port}", own.broker / "ca.crt")
        strange = failure(f"tls://{HOST}:{port}", other.broker / "ca.crt")
        plain = failure(f"nats://{HOST}:{port}")
    assert inside.code == "broker_denied"
    assert "has no stream $MQTT_msgs: its MQTT makes it" in str(inside)
    assert strange.code == "broker_untrusted"
    assert "is not signed by" in str(strange)
    assert plain.code == "broker_untrusted"
    assert "write tls:// in front" in str(plain)


def test_a_server_without_tls_is_not_spoken_to_in_the_clear(tmp_path: Path) -> None:
    own = authority(tmp_path / "own")
    with configured(tmp_path, "") as port:
        found = failure(f"tls://{HOST}:{port}", own.broker / "ca.crt")
    assert found.code == "broker_untrusted", found
