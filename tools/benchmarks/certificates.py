"""Certificates of the kinds that brokers show: our own, and chains as of public authorities."""

import datetime
import ipaddress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from fieldpost.certs.authority import Authority
from fieldpost.mqtt.brokers import HOST, ServerTls

NODE = "bench"
OWN = "EC P-256, made by fieldpost certs"
MUTUAL = "the same, and the node's own"
_DAYS = datetime.timedelta(days=2)
_EXPONENT = 65537


@dataclass(frozen=True)
class Chain:
    """broker: what it is started with. asked: the files of a client, as its script takes them.

    shown_bytes: of the certificates that the broker sends, in DER.
    """

    name: str
    broker: ServerTls
    asked: dict[str, str]
    shown_bytes: int


def make(folder: Path, quick: bool, host: str = HOST) -> list[Chain]:
    """For a broker at `host`: all kinds, in folders of their own; for a quick run the first."""
    own, mutual = _own(folder / "own", host)
    if quick:
        return [own]
    return [own, mutual, *(_of_rsa(folder / f"rsa{bits}", bits, host) for bits in (2048, 4096))]


def _own(folder: Path, host: str) -> tuple[Chain, Chain]:
    authority = Authority(folder)
    authority.create("Bench")
    authority.issue_server([host])
    authority.issue_node(NODE)
    names = ("ca.crt", "server.crt", "server.key")
    ours, cert, key = (authority.broker / name for name in names)
    node = folder / "nodes" / NODE
    ca = {"ca": str(node / "ca.der")}
    shown = len(x509.load_pem_x509_certificate(cert.read_bytes()).public_bytes(Encoding.DER))
    one = Chain(OWN, ServerTls(ours, cert, key), ca, shown)
    theirs = ServerTls(ours, cert, key, acl="topic readwrite #\n")
    own = {"cert": str(node / "cert.der"), "key": str(node / "key.der")}
    return one, Chain(MUTUAL, theirs, ca | own, shown)


def _of_rsa(folder: Path, bits: int, host: str) -> Chain:
    """The client has the root; the broker shows the authority below it with its own."""
    folder.mkdir(parents=True)
    keys = _keys(bits)
    names = [_name(one) for one in ("Bench root", "Bench authority", host)]
    root = _certificate(names[0], keys[0], names[0], keys[0])
    authority = _certificate(names[1], keys[1], names[0], keys[0])
    server = _certificate(names[2], keys[2], names[1], keys[1], host)
    ca, cert, key = (folder / name for name in ("ca.crt", "server.crt", "server.key"))
    ca.write_bytes(root.public_bytes(Encoding.PEM))
    cert.write_bytes(b"".join(one.public_bytes(Encoding.PEM) for one in (server, authority)))
    key.write_bytes(keys[2].private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    der = folder / "ca.der"
    der.write_bytes(root.public_bytes(Encoding.DER))
    shown = sum(len(one.public_bytes(Encoding.DER)) for one in (server, authority))
    return Chain(f"RSA {bits}, a chain of two", ServerTls(ca, cert, key), {"ca": str(der)}, shown)


@cache
def _keys(bits: int) -> list[rsa.RSAPrivateKey]:
    """Of a root, an authority and a broker; they take seconds, so once in a run."""
    return [rsa.generate_private_key(_EXPONENT, bits) for _ in range(3)]


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _certificate(
    subject: x509.Name,
    key: rsa.RSAPrivateKey,
    issuer: x509.Name,
    signer: rsa.RSAPrivateKey,
    host: str | None = None,
) -> x509.Certificate:
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _DAYS)
        .not_valid_after(now + _DAYS)
        .add_extension(x509.BasicConstraints(ca=host is None, path_length=None), critical=True)
    )
    if host:
        names = [x509.IPAddress(ipaddress.ip_address(host))]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(signer, hashes.SHA256())
