"""The drive that a Raspberry Pi chip shows in its bootloader, where it waits for a UF2 file."""

import errno
import getpass
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from fieldpost.errors import NotFlashed, SeveralBoards

_INFO = "INFO_UF2.TXT"
# What the ROM writes into INFO_UF2.TXT (RP2040 datasheet 2.8.4, RP2350 datasheet 5.5).
_CHIPS = {"RPI-RP2": "RP2040", "RP2350": "RP2350"}
_LABELS = ("RPI-RP2", "RP2350")
_POLL_S = 0.2
_MOUNT_S = 10.0
_UNLISTED_S = 5.0
_GONE = (errno.EIO, errno.ENODEV, errno.ENXIO)


@dataclass(frozen=True)
class Volume:
    """A UF2 volume. chip: "RP2040", "RP2350", or None for a bootloader of another maker."""

    folder: Path
    model: str
    board_id: str

    @property
    def chip(self) -> str | None:
        return _CHIPS.get(self.board_id)


def find(folders: Iterable[Path] | None = None) -> list[Volume]:
    """Every volume with an INFO_UF2.TXT: in `folders`, or wherever drives are mounted here."""
    found = {volume.folder: volume for folder in folders or _mounted() if (volume := read(folder))}
    return sorted(found.values(), key=lambda volume: str(volume.folder))


def read(folder: Path) -> Volume | None:
    """The volume mounted there, None if there is none (any more)."""
    try:
        text = (folder / _INFO).read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    fields = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    board_id = fields.get("Board-ID", "").strip()
    return Volume(folder, fields.get("Model", "UF2 bootloader").strip(), board_id)


def wait_for(
    limit_s: float,
    *,
    besides: Iterable[Path] = (),
    folders: Iterable[Path] | None = None,
    ends: Callable[[float], bool] = lambda _: False,
) -> Volume | None:
    """The volume that appears within the limit, other than at the folders `besides`.

    ends: gets the seconds that are left, and says whether the wait is over.
    Raises CommandError if several appear: which one is meant can't be told.
    """
    known = set(besides)
    places = None if folders is None else list(folders)
    end = time.monotonic() + limit_s
    tried_to_mount = False
    while True:
        new = [volume for volume in find(places) if volume.folder not in known]
        if len(new) > 1:
            listed = ", ".join(str(volume.folder) for volume in new)
            raise SeveralBoards(
                f"several boards are in their bootloader: {listed}. Name one with --volume."
            )
        if new:
            return new[0]
        if time.monotonic() > end or ends(end - time.monotonic()):
            return None
        if places is None and not tried_to_mount and time.monotonic() > end - limit_s + 2:
            # No desktop has mounted it by now.
            tried_to_mount = mount_unmounted() is not None
        time.sleep(_POLL_S)


def wait_until_gone(volume: Volume, limit_s: float) -> bool:
    """Whether the volume vanishes within the limit, as it does when the board has the image."""
    end = time.monotonic() + limit_s
    while read(volume.folder) is not None:
        if time.monotonic() > end:
            return False
        time.sleep(_POLL_S)
    return True


def copy(image: Path, volume: Volume) -> None:
    """Copy the image there and flush it. The board restarts when the last block has arrived.

    Raises CommandError if the copy failed and the volume stayed.
    """
    target = volume.folder / image.name
    try:
        # Not copy2: the volume vanishes with the last block, before times could be set.
        shutil.copyfile(image, target)
        with target.open("rb+") as file:
            os.fsync(file.fileno())
    except OSError as error:
        # The drive may go with the last block, and the system list it for a while: then the board
        # has the image, and what it answers tells.
        late_s = _UNLISTED_S if error.errno in _GONE else 0.0
        if not wait_until_gone(volume, late_s):
            raise NotFlashed(
                f"copying to {volume.folder} failed: {error.strerror or error}. Unplug the board, "
                "hold its BOOTSEL button while plugging it in again, and repeat the command."
            ) from None


def mount_unmounted() -> str | None:
    """Mount a bootloader's volume on a Linux without a desktop; None if there is none to mount.

    Raises CommandError with the command to type, where this user may not.
    """
    if sys.platform != "linux":
        return None
    for label in _LABELS:
        device = Path("/dev/disk/by-label") / label
        if not device.exists() or _is_mounted(device.resolve()):
            continue
        by_hand = (
            f"the board's volume {device} is not mounted. Mount it and repeat the command: "
            f"sudo mkdir -p /mnt/uf2 && sudo mount -o uid=$(id -u) {device} /mnt/uf2"
        )
        tool = shutil.which("udisksctl")
        if not tool:
            raise NotFlashed(by_hand)
        command = [tool, "mount", "--no-user-interaction", "--block-device", str(device)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=_MOUNT_S)
        except subprocess.TimeoutExpired:
            raise NotFlashed(by_hand) from None
        if done.returncode:
            raise NotFlashed(by_hand)
        return str(device)
    return None


def _is_mounted(device: Path) -> bool:
    import psutil  # It takes a moment to load, and few look for a drive.

    return any(Path(part.device) == device for part in psutil.disk_partitions(all=True))


def _mounted() -> Iterator[Path]:
    """Where drives are mounted. psutil knows the letters of Windows and the mounts elsewhere."""
    import psutil

    seen: set[Path] = set()
    for part in psutil.disk_partitions(all=False):
        # A network drive that is away can hang whoever looks at it; a bootloader's is FAT.
        if part.fstype.lower() in ("vfat", "msdos", "fat", "fat16", "fat32", "exfat", ""):
            seen.add(Path(part.mountpoint))
    if sys.platform == "darwin":
        seen.update(_folders_in(Path("/Volumes")))
    elif sys.platform == "linux":
        user = getpass.getuser()
        for base in (f"/media/{user}", f"/run/media/{user}"):
            seen.update(_folders_in(Path(base)))
    yield from sorted(seen)


def _folders_in(base: Path) -> list[Path]:
    try:
        return list(base.iterdir())
    except OSError:
        return []
