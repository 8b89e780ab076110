"""The files for TLS: by option, by variable, and never a certificate with another one's key."""

from pathlib import Path

import pytest

from fieldpost.mqtt import url
from fieldpost.mqtt.tls import ClientFiles

ADDRESS = "mqtts://broker.lan"


@pytest.fixture(autouse=True)
def variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CA", "CERT", "KEY"):
        monkeypatch.setenv(f"FIELDPOST_{name}", f"{name.lower()}.pem")


def test_what_is_not_given_comes_from_the_variables() -> None:
    everything = ClientFiles(Path("ca.pem"), Path("cert.pem"), Path("key.pem"))
    assert url.parse(ADDRESS).tls == url.parse(ADDRESS, ClientFiles()).tls == everything
    other = url.parse(ADDRESS, ClientFiles(ca=Path("other.crt"))).tls
    assert other == ClientFiles(Path("other.crt"), Path("cert.pem"), Path("key.pem"))


def test_a_certificate_that_is_given_does_not_get_another_ones_key() -> None:
    given = ClientFiles(cert=Path("mine.crt"))
    assert url.parse(ADDRESS, given).tls == ClientFiles(Path("ca.pem"), Path("mine.crt"), None)


def test_variables_are_no_error_for_a_broker_without_tls() -> None:
    assert url.parse("mqtt://broker.lan").tls is None
