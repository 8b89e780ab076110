"""The public half of a key for updates: what a node keeps, and how a signature is checked.

RSA-3072, PKCS#1 v1.5, SHA-256 (RFC 8017, section 8.2): a node checks that with one `pow`.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_public_key,
)

from fieldpost.errors import BadFile

BITS = 3072
SIGNATURE_BYTES = BITS // 8
EXPONENT = 65537
# A node's: one that signs, and one that will or may.
KEYS_MAX = 2
_FINGERPRINT_DIGITS = 16
NODE_ID_DIGITS = 8


@dataclass(frozen=True)
class PublicKey:
    """An RSA key of 3,072 bits with the exponent 65537."""

    modulus: int

    def verifies(self, data: bytes, signature: bytes) -> bool:
        """Whether this key's private half has signed `data`."""
        try:
            self._rsa().verify(signature, data, padding.PKCS1v15(), hashes.SHA256())
        except InvalidSignature:
            return False
        return True

    @property
    def fingerprint(self) -> str:
        """What `openssl pkey -pubin -outform DER | sha256sum` begins with."""
        der = self._rsa().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return hashlib.sha256(der).hexdigest()[:_FINGERPRINT_DIGITS]

    @property
    def node_id(self) -> str:
        """By which a node tells of it (firmware/update/report.py)."""
        return hashlib.sha256(self.modulus.to_bytes(BITS // 8, "big")).hexdigest()[:NODE_ID_DIGITS]

    def pem(self) -> bytes:
        """As a file holds it."""
        return self._rsa().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def _rsa(self) -> rsa.RSAPublicKey:
        return rsa.RSAPublicNumbers(EXPONENT, self.modulus).public_key()


def of(key: object, where: Path) -> PublicKey:
    """That of `cryptography`'s key. Raises CommandError unless a node can check with it."""
    if not isinstance(key, rsa.RSAPublicKey):
        raise BadFile(f"{where} is no RSA key")
    numbers = key.public_numbers()
    if key.key_size != BITS or numbers.e != EXPONENT:
        raise BadFile(
            f"{where} has {key.key_size} bits and the exponent {numbers.e}: a node takes "
            f"{BITS} bits and {EXPONENT}"
        )
    return PublicKey(numbers.n)


def load(path: Path) -> PublicKey:
    """From a file in PEM. Raises CommandError."""
    try:
        return of(load_pem_public_key(path.read_bytes()), path)
    except OSError as error:
        raise BadFile(f"cannot read {path}: {error.strerror}") from None
    except ValueError:
        raise BadFile(f"{path} is no public key in PEM") from None


def for_node(keys: Sequence[PublicKey], counter: int) -> bytes:
    """What /update.keys holds. counter: a node takes releases above it alone."""
    assert 1 <= len(keys) <= KEYS_MAX
    told = {"counter": counter, "keys": [f"{key.modulus:0{SIGNATURE_BYTES * 2}x}" for key in keys]}
    return json.dumps(told, separators=(",", ":")).encode() + b"\n"
