"""Whether a release is signed by a key: RSA of 3,072 bits, PKCS #1 v1.5, SHA-256 (RFC 8017, 8.2).

330 ms and 3.5 kB on a Pico W, where ECDSA takes 1.2 s and Ed25519 2.9 s.
"""

import json
from hashlib import sha256

from micropython import const

from firmware import files as _files
from firmware.update.offer import parts

BYTES = const(384)
_EXPONENT = const(65537)
# DigestInfo of SHA-256 (RFC 8017, 9.2, note 1).
_DIGEST_INFO = bytes.fromhex("3031300d060960864801650304020105000420")


def is_signed(text, signature, modulus):
    """Whether `signature` is that of `text` by the key whose modulus is given, as bytes.

    The whole encoded block is compared. To parse what the signature holds is how such checks were
    broken (Bleichenbacher 2006).
    """
    modulus = int.from_bytes(modulus, "big")
    number = int.from_bytes(signature, "big")
    if len(signature) != BYTES or number >= modulus:
        return False
    digest = _DIGEST_INFO + sha256(text).digest()
    block = b"\0\1" + b"\xff" * (BYTES - 3 - len(digest)) + b"\0" + digest
    return pow(number, _EXPONENT, modulus).to_bytes(BYTES, "big") == block


def signed(offer, files):
    """(whether one of the node's keys has signed an offer, the counter that was the newest one's
    as the keys were brought)."""
    try:
        found = json.loads(_files.read(_files.UPDATE_KEYS, files) or b"{}")
        moduli = [bytes.fromhex(one) for one in found["keys"]]
        least = int(found["counter"])
        found = None  # Its memory is for what comes.
        _, signature, text = parts(offer)
    except (ValueError, KeyError, TypeError):
        return False, 0
    for modulus in moduli:
        if is_signed(text, signature, modulus):
            return True, least
    return False, least
