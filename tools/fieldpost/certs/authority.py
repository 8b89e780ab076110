"""A certificate authority of one's own, in a folder: for a broker, its nodes and its people.

    ca.crt ca.key                       the authority; its key never leaves this folder
    broker/ca.crt server.crt server.key what Mosquitto loads, beside its configuration
    nodes/NAME/ca.der cert.der key.der  what a node loads
    people/NAME/ca.crt client.crt client.key

Keys are ECDSA P-256: a board verifies them in a fraction of the time of RSA. Nodes get DER, which
every port of MicroPython reads; PEM only some do. Everything is readable by its owner alone, and
git ignores the folder by a file in it.
"""

import datetime
import ipaddress
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from fieldpost.certs.private_files import make_private_folder, write_private
from fieldpost.errors import BadFile, FileKept, Usage

Kind = Literal["ca", "server", "node", "person"]
CA_DAYS = 20 * 365
SERVER_DAYS = 2 * 365
# A node is not easily visited.
NODE_DAYS = 10 * 365
PERSON_DAYS = 2 * 365
# As firmware/config/keys.py has it for the key `node`, and for what may stand in an ACL.
_NAME = re.compile(r"[a-z0-9_-]{1,32}")
# `<base>/pace` is no node's topic, and one of this name could publish there.
_PACE = "pace"
_HOST = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)(\.(?!-)[a-z0-9_-]{1,63}(?<!-))*")
# A clock that is a little late must not refuse what was made a moment ago.
_BACKDATE = datetime.timedelta(hours=1)


@dataclass(frozen=True)
class Certificate:
    """One that was issued here. `names`: what it is valid for; `expires` in UTC."""

    kind: Kind
    name: str
    names: tuple[str, ...]
    expires: datetime.datetime
    path: Path

    def days_left(self) -> int:
        """Whole days until it expires; negative afterwards."""
        return (self.expires - _now()).days


class Authority:
    """The folder and what is in it. `create` makes one, everything else needs one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.broker = folder / "broker"

    def create(self, name: str, days: int = CA_DAYS, *, force: bool = False) -> Certificate:
        """Make the authority. Raises CommandError if there is one, unless `force`: then all that
        the old one signed is refused by whoever trusts the new one.
        """
        if self._key_path.exists() and not force:
            raise FileKept(
                f"{self.folder} holds a certificate authority already. Replacing it makes every "
                "certificate that it signed useless; --force does it"
            )
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = (
            _builder(subject, subject, key.public_key(), _now() + datetime.timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .sign(key, hashes.SHA256())
        )
        make_private_folder(self.folder)
        write_private(self.folder / ".gitignore", b"*\n")
        write_private(self._key_path, _key_bytes(key, Encoding.PEM))
        write_private(self._certificate_path, certificate.public_bytes(Encoding.PEM))
        return _described("ca", self._certificate_path)

    def issue_server(self, names: Sequence[str], days: int = SERVER_DAYS) -> Certificate:
        """A certificate for the broker, for all host names and addresses by which nodes find it.

        The first is its common name. Replaces the one before.
        """
        if not names:
            raise Usage("under which host names or addresses do nodes find the broker?")
        found = [_server_name(name) for name in names]
        key, certificate = self._issue(names[0], days, ExtendedKeyUsageOID.SERVER_AUTH, found)
        self._write(self.broker, "server", Encoding.PEM, key, certificate)
        return _described("server", self.broker / "server.crt")

    def issue_node(self, name: str, days: int = NODE_DAYS) -> Certificate:
        """A client certificate whose common name is the node's, which brokers take as user."""
        return self._issue_client("node", name, days)

    def issue_person(self, name: str, days: int = PERSON_DAYS) -> Certificate:
        """A client certificate for somebody, or some program, that reads all and commands all."""
        return self._issue_client("person", name, days)

    def certificates(self) -> list[Certificate]:
        """All that are here, the authority's first."""
        self._loaded()
        return list(self._found())

    def renew(self, which: Certificate, days: int | None = None) -> Certificate:
        """The same names again, with a new key and a new term. Not for the authority itself."""
        if which.kind == "server":
            return self.issue_server(which.names, days or SERVER_DAYS)
        if which.kind == "node":
            return self.issue_node(which.name, days or NODE_DAYS)
        if which.kind == "person":
            return self.issue_person(which.name, days or PERSON_DAYS)
        raise Usage("an authority is not renewed but replaced: fieldpost certs ca --force")

    @property
    def _key_path(self) -> Path:
        return self.folder / "ca.key"

    @property
    def _certificate_path(self) -> Path:
        return self.folder / "ca.crt"

    def _issue_client(self, kind: Literal["node", "person"], name: str, days: int) -> Certificate:
        if not _NAME.fullmatch(name):
            raise Usage(f"{name!r} is no name: 1 to 32 characters of a-z, 0-9, _ and -")
        if kind == "node" and name == _PACE:
            raise Usage(
                f"no node can be called {name}: what it may publish would be heard by the whole "
                "fleet (docs/scale.md)"
            )
        other = "people" if kind == "node" else "nodes"
        if (self.folder / other / name).exists():
            raise Usage(f"{name} is the name of one of the {other}: choose another")
        key, certificate = self._issue(name, days, ExtendedKeyUsageOID.CLIENT_AUTH, [])
        if kind == "node":
            folder = self.folder / "nodes" / name
            self._write(folder, "", Encoding.DER, key, certificate)
            return _described(kind, folder / "cert.der")
        folder = self.folder / "people" / name
        self._write(folder, "client", Encoding.PEM, key, certificate)
        return _described(kind, folder / "client.crt")

    def _issue(
        self,
        name: str,
        days: int,
        purpose: x509.ObjectIdentifier,
        names: Sequence[x509.GeneralName],
    ) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
        ca_key, ca = self._loaded()
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        # What outlives its authority would be valid on paper only.
        end = min(_now() + datetime.timedelta(days=days), ca.not_valid_after_utc)
        issuer_id = ca.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        builder = (
            _builder(subject, ca.subject, key.public_key(), end)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer_id),
                critical=False,
            )
        )
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return key, builder.sign(ca_key, hashes.SHA256())

    def _write(
        self,
        folder: Path,
        stem: str,
        encoding: Encoding,
        key: ec.EllipticCurvePrivateKey,
        certificate: x509.Certificate,
    ) -> None:
        """Key, certificate, and the authority's certificate: all that one party needs."""
        ca = self._loaded()[1]
        is_pem = encoding == Encoding.PEM
        make_private_folder(folder.parent)
        make_private_folder(folder)
        write_private(folder / ("ca.crt" if is_pem else "ca.der"), ca.public_bytes(encoding))
        key_name, name = (f"{stem}.key", f"{stem}.crt") if is_pem else ("key.der", "cert.der")
        write_private(folder / key_name, _key_bytes(key, encoding))
        write_private(folder / name, certificate.public_bytes(encoding))

    def _loaded(self) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
        try:
            key = load_pem_private_key(self._key_path.read_bytes(), None)
            certificate = x509.load_pem_x509_certificate(self._certificate_path.read_bytes())
        except FileNotFoundError as error:
            raise BadFile(
                f"there is no certificate authority in {self.folder} ({error.filename} is "
                "missing): fieldpost certs ca makes one"
            ) from None
        except (ValueError, TypeError):
            raise BadFile(f"{self.folder}/ca.key or ca.crt is damaged") from None
        if not isinstance(key, ec.EllipticCurvePrivateKey) or (
            key.public_key() != certificate.public_key()
        ):
            raise BadFile(f"{self.folder}/ca.key is not the key of ca.crt")
        return key, certificate

    def _found(self) -> Iterator[Certificate]:
        yield _described("ca", self._certificate_path)
        server = self.broker / "server.crt"
        if server.exists():
            yield _described("server", server)
        for path in sorted((self.folder / "nodes").glob("*/cert.der")):
            yield _described("node", path)
        for path in sorted((self.folder / "people").glob("*/client.crt")):
            yield _described("person", path)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    public_key: ec.EllipticCurvePublicKey,
    end: datetime.datetime,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(min(_now(), end) - _BACKDATE)
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _server_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        pass  # Then it is a name.
    if not _HOST.fullmatch(name) or len(name) > 253:
        raise Usage(
            f"{name!r} is no host name and no address: lower case, without port or mqtts://"
        )
    return x509.DNSName(name)


def _key_bytes(key: ec.EllipticCurvePrivateKey, encoding: Encoding) -> bytes:
    return key.private_bytes(encoding, PrivateFormat.PKCS8, NoEncryption())


def _described(kind: Kind, path: Path) -> Certificate:
    data = path.read_bytes()
    try:
        load = x509.load_der_x509_certificate if path.suffix == ".der" else None
        certificate = load(data) if load else x509.load_pem_x509_certificate(data)
    except ValueError:
        raise BadFile(f"{path} is no certificate") from None
    name = str(certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)
    names = (name,)
    if kind == "server":
        alternative = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        names = tuple(str(one.value) for one in alternative.value)
    return Certificate(kind, name, names, certificate.not_valid_after_utc, path)


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)
