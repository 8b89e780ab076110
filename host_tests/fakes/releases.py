"""A release as its owner signs and offers it, and the start of a board that has it on trial."""

from __future__ import annotations

import functools
import hashlib
import json
import sys
from collections.abc import Callable, Mapping
from types import CodeType, ModuleType
from typing import TYPE_CHECKING, Any
from unittest import mock

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from fieldpost.paths import ROOT

if TYPE_CHECKING:
    from fakes.flash import FakeFlash

_PACK_TRIAL = ROOT / "lib" / "pack_trial.py"
_STARTS_MAX = "_STARTS_MAX = const({})"


@functools.cache
def key(number: int = 0) -> rsa.RSAPrivateKey:
    """One of the owner's keys; 9 is somebody else's."""
    return rsa.generate_private_key(65537, 3072)


def modulus(number: int = 0) -> str:
    """As update.keys has it."""
    return f"{key(number).public_key().public_numbers().n:0768x}"


def keys_file(numbers: tuple[int, ...] = (0,), counter: int = 0) -> bytes:
    """A node's update.keys."""
    keys = [modulus(number) for number in numbers]
    return json.dumps({"counter": counter, "keys": keys}).encode()


class SignedPack:
    """board: `least`, `mpy` and `platform` of those that may run it. changes: to its manifest;
    None: that key is left out."""

    def __init__(
        self, data: bytes, counter: int, board: Mapping[str, Any], signer: int = 0, **changes: Any
    ) -> None:
        self.data = data
        self.sha = hashlib.sha256(data).hexdigest()
        manifest = {
            "counter": counter,
            "format": 1,
            "kind": "pack",
            "sha256": self.sha,
            "size": len(data),
            "version": f"0.{counter}.0",
            **board,
            **changes,
        }
        manifest = {name: value for name, value in manifest.items() if value is not None}
        self.manifest = json.dumps(manifest, sort_keys=True, separators=(",", ":")).encode()
        self.signature = key(signer).sign(self.manifest, padding.PKCS1v15(), hashes.SHA256())

    def payload(self, attempt: int = 0) -> bytes:
        """The offer of it."""
        return b"FPU1" + bytes((attempt,)) + self.signature + self.manifest


def least_board(told: Mapping[str, Any]) -> dict[str, Any]:
    """Of a pack for a board that tells this of itself (firmware/update/report.py)."""
    return {
        "least": told["micropython"][:2],
        "mpy": told["mpy"],
        "platform": told["platform"],
    }


def choose(
    flash: FakeFlash, reset_cause: int, arm: Callable[[int], None], starts: str | None = None
) -> tuple[str, str]:
    """Which pack a start runs, and where it is mounted: what boot.py asks lib/pack_trial.py.

    arm: what becomes of a watchdog, in ms. starts: how many a pack on trial has, instead of what
    stands there.
    """

    def watchdog(timeout: int) -> None:
        arm(timeout)

    machine, uos = ModuleType("umachine"), ModuleType("uos")
    machine.reset_cause = lambda: reset_cause  # type: ignore[attr-defined]
    machine.WDT = watchdog  # type: ignore[attr-defined]
    for name in ("remove", "rename", "stat"):
        setattr(uos, name, getattr(flash, name))
    own: dict[str, Any] = {"open": flash.open, "__name__": "pack_trial"}
    with mock.patch.dict(sys.modules, {"umachine": machine, "uos": uos}):
        exec(_pack_trial(starts), own)
    return own["choose"]()


@functools.cache
def _pack_trial(starts: str | None) -> CodeType:
    text = _PACK_TRIAL.read_text(encoding="utf-8")
    if starts is not None:
        assert _STARTS_MAX.format(3) in text
        text = text.replace(_STARTS_MAX.format(3), _STARTS_MAX.format(starts))
    return compile(text, str(_PACK_TRIAL), "exec")
