"""A signature is good in one form alone: the number below the modulus, in 384 bytes."""

from __future__ import annotations

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from fakes.releases import key, modulus
from firmware.update.signature import is_signed


def test_the_same_number_in_another_form_is_no_signature() -> None:
    """Or one release could be offered under more marks than a node keeps."""
    n = bytes.fromhex(modulus())
    text, signature, above = b"", b"", 1 << 3072
    while above >= 1 << 3072:  # With the modulus added it has to fit: that of one text in a few.
        text += b"."
        signature = key(0).sign(text, padding.PKCS1v15(), hashes.SHA256())
        above = int.from_bytes(signature, "big") + int.from_bytes(n, "big")
    assert is_signed(text, signature, n)
    assert not is_signed(text, above.to_bytes(384, "big"), n)
    assert not is_signed(text, b"\0" + signature, n)
    assert not is_signed(text + b".", signature, n)
