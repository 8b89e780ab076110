"""A release that takes no time to make: small packs, signed as real ones are."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from rigs.update_keys import PASSPHRASE

from fieldpost.deploy import pack
from fieldpost.keys.folder import KeyFolder
from fieldpost.keys.history import Entry
from fieldpost.release import folder
from fieldpost.release.folder import Release
from fieldpost.release.make import Draft, sign
from fieldpost.release.manifest import LEAST, Manifest


def small_pack(version: str, size: int = 9000) -> bytes:
    """One whose modules are nothing that runs."""
    bodies = {f"firmware/m{n}.mpy": f"{version} {n} ".encode() * (size // 40) for n in range(4)}
    return pack.make(bodies)


def make_release(
    keys: KeyFolder,
    to: Path | None = None,
    version: str = "0.2.0",
    size: int = 9000,
    platforms: tuple[str, ...] = ("rp2", "esp32"),
) -> Release:
    """With the next counter of these keys, at `to` or beside them."""
    past = keys.history()
    counter = past.counter + 1
    found = {}
    for platform in platforms:
        data = small_pack(f"{platform} {version}", size)
        digest = hashlib.sha256(data).hexdigest()
        told = Manifest("pack", platform, version, counter, len(data), digest, 6, LEAST)
        found[f"{platform}.pack"] = (told, data)
    draft = Draft(version, counter, found)
    made = sign(draft, keys.signer("update", PASSPHRASE), keys.folder.parent)
    past.add(
        Entry(counter, version, "2026-11-27", {name: one[0].sha256 for name, one in found.items()})
    )
    folder.save(made)
    if to:
        shutil.move(made.folder, to)
        return folder.load(to)
    return made
