"""What `fieldpost doctor` looks at when it is given a broker: is it there, and its certificate."""

import datetime
import socket
import ssl
import time

from cryptography import x509

from fieldpost.doctor.as_node import try_out
from fieldpost.doctor.check import Check
from fieldpost.doctor.sessions import Account
from fieldpost.errors import CommandError
from fieldpost.mqtt.client import Connection
from fieldpost.mqtt.tls import ClientFiles
from fieldpost.mqtt.url import BrokerAddress, parse

_LIMIT_S = 5.0
_SOON_DAYS = 30


def broker(
    url: str,
    files: ClientFiles | None = None,
    *,
    owner: str | None = None,
    node: str | None = None,
    base: str = "fieldpost",
) -> list[Check]:
    """Whether it takes us in, with TLS what certificate it shows, and what a node gets of it.

    owner: the address with an account that sees everything. node: the name to do it under.
    """
    try:
        address = parse(url, files)
    except CommandError as error:
        return [Check("broker", "missing", str(error))]
    found = _certificate(address) if address.tls else []
    begin = time.monotonic()
    connection = Connection(address)
    try:
        connection.open(_LIMIT_S)
    except CommandError as error:
        return [Check("broker", "missing", str(error)), *found]
    took_ms = (time.monotonic() - begin) * 1000
    connection.close()
    found.insert(0, Check("broker", "ok", f"{address} took us in, in {took_ms:.0f} ms"))
    try:
        looks_on = parse(owner, files) if owner else None
        return found + try_out(Account(address, looks_on, node, base))
    except CommandError as error:
        return [*found, Check("owner", "missing", str(error))]


def _certificate(address: BrokerAddress) -> list[Check]:
    """What it shows, before anybody decides whether to trust it: so the check connects without
    verifying, and says nothing."""
    name = "certificate"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    tls = address.tls
    if tls and tls.cert and tls.key:
        try:
            context.load_cert_chain(tls.cert, tls.key, password="")
        except (OSError, ValueError):
            return []  # the broker's own check says why
    try:
        with (
            socket.create_connection((address.host, address.port), _LIMIT_S) as plain,
            context.wrap_socket(plain, server_hostname=address.host) as secured,
        ):
            shown = secured.getpeercert(binary_form=True)
    except OSError:
        return []  # the broker's own check says why
    if not shown:
        return [Check(name, "missing", f"{address} shows none")]
    return _judged(x509.load_der_x509_certificate(shown), address)


def _judged(certificate: x509.Certificate, address: BrokerAddress) -> list[Check]:
    name = "certificate"
    renew = "renew it on the broker: fieldpost certs renew, if it is of your own authority"
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    now = datetime.datetime.now(datetime.UTC)
    names = _names(certificate)
    text = f"for {', '.join(names) or 'no name'}, until {end:%Y-%m-%d}"
    if now < begin:
        fix = "set the clock of this machine, or wait"
        return [Check(name, "missing", f"not valid before {begin:%Y-%m-%d %H:%M} UTC", fix)]
    if now > end:
        return [Check(name, "missing", f"expired on {end:%Y-%m-%d}", renew)]
    if not _is_for(address.host, names):
        fix = f"connect by one of its names, or make one: fieldpost certs server {address.host}"
        return [Check(name, "missing", f"not for {address.host}, but {text}", fix)]
    left = (end - now).days
    if left < _SOON_DAYS:
        return [Check(name, "note", f"expires in {left} days: {text}", renew)]
    return [Check(name, "ok", text)]


def _names(certificate: x509.Certificate) -> list[str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return names.get_values_for_type(x509.DNSName) + [
        str(one) for one in names.get_values_for_type(x509.IPAddress)
    ]


def _is_for(host: str, names: list[str]) -> bool:
    """RFC 6125: a star stands for the first label, and only for a whole one."""
    wanted = host.lower().rstrip(".")
    for name in (one.lower() for one in names):
        if name == wanted:
            return True
        if name.startswith("*.") and wanted.partition(".")[2] == name[2:]:
            return True
    return False
