"""A release as it lies in a folder, and whether all of it is as it was made.

fieldpost-0.2.0-17/rp2.pack rp2.manifest rp2.signature esp32.pack …
micropython-1.27.0-18/esp32c3.image esp32c3.manifest esp32c3.signature
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fieldpost.errors import BadFile, FileKept, NotSigned, NotWritten
from fieldpost.keys.public import SIGNATURE_BYTES, PublicKey
from fieldpost.release import manifest
from fieldpost.release.manifest import Manifest

OFFER_MAGIC = b"FPU1"
OFFER_HEAD_BYTES = len(OFFER_MAGIC) + 1 + SIGNATURE_BYTES
ATTEMPT_MAX = 255
_MANIFEST, _SIGNATURE = ".manifest", ".signature"
_FILE_MAX = 16 * 1024 * 1024


@dataclass(frozen=True)
class Artefact:
    """One pack or image. name: of its file, such as "rp2.pack"."""

    name: str
    manifest: Manifest
    signature: bytes
    data: bytes = field(repr=False)

    def offer(self, attempt: int) -> bytes:
        """The message that a node is offered it with. attempt: another one has a node that has
        judged it look at it again."""
        assert 0 <= attempt <= ATTEMPT_MAX
        head = OFFER_MAGIC + bytes([attempt]) + self.signature
        return head + self.manifest.encoded()

    def files(self) -> dict[str, bytes]:
        """By the names that they have in the folder."""
        stem = Path(self.name).stem
        return {
            self.name: self.data,
            stem + _MANIFEST: self.manifest.encoded(),
            stem + _SIGNATURE: self.signature,
        }

    def is_for(self, platform: str, chip: str | None) -> bool:
        """Whether a node that tells these of itself could take it."""
        if self.manifest.kind == "image":
            return self.manifest.chip == chip
        return self.manifest.platform == platform


@dataclass(frozen=True)
class Release:
    """artefacts: one for each platform, or for each chip; all of one version and counter."""

    folder: Path
    artefacts: tuple[Artefact, ...]

    @property
    def version(self) -> str:
        """Fieldpost's; of an image, MicroPython's."""
        return self.artefacts[0].manifest.version

    @property
    def counter(self) -> int:
        """What a node takes it by."""
        return self.artefacts[0].manifest.counter

    @property
    def what(self) -> str:
        """For people: "Fieldpost 0.2.0 (17)"."""
        return f"{_name(self.artefacts).capitalize()} {self.version} ({self.counter})"

    def check_signed(self, keys: Sequence[PublicKey]) -> list[PublicKey]:
        """The key that signed each. Raises CommandError if it is none of these."""
        found = []
        for one in self.artefacts:
            data = one.manifest.encoded()
            by = [key for key in keys if key.verifies(data, one.signature)]
            if not by:
                raise NotSigned(f"{self.folder}: {one.name} is signed by none of these keys")
            found.append(by[0])
        return found


def load(folder: Path) -> Release:
    """Raises CommandError unless all is there, whole, and fits together."""
    try:
        stems = sorted(path.stem for path in folder.iterdir() if path.suffix == _MANIFEST)
        found = tuple(_load_artefact(folder, stem) for stem in stems)
    except OSError as error:
        raise BadFile(f"cannot read {error.filename or folder}: {error.strerror}") from None
    if not found:
        raise BadFile(f"{folder} is no release: fieldpost release makes one")
    if len({(one.manifest.kind, one.manifest.version, one.manifest.counter) for one in found}) > 1:
        raise BadFile(f"{folder} has parts of several releases")
    return Release(folder, found)


def name_of(artefacts: Sequence[Artefact]) -> str:
    """What the folder of these is called."""
    first = artefacts[0].manifest
    return f"{_name(artefacts)}-{first.version}-{first.counter}"


def save(release: Release) -> bool:
    """Write it; False if it is there already, byte for byte. Raises CommandError if something
    else is."""
    files = {name: data for one in release.artefacts for name, data in one.files().items()}
    folder = release.folder
    try:
        if folder.exists():
            there = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
            if there == files:
                return False
            raise FileKept(f"{folder} is there already, and is another: choose another --out")
        partial = folder.with_name(folder.name + ".partial")
        partial.mkdir(parents=True, exist_ok=True)
        for path in partial.iterdir():
            path.unlink()
        for name, data in files.items():
            (partial / name).write_bytes(data)
        partial.replace(folder)
    except OSError as error:
        raise NotWritten(f"cannot write {folder}: {error.strerror}") from None
    return True


def _name(artefacts: Sequence[Artefact]) -> str:
    return "fieldpost" if artefacts[0].manifest.kind == "pack" else "micropython"


def _load_artefact(folder: Path, stem: str) -> Artefact:
    path = folder / (stem + _MANIFEST)
    told = manifest.parse(_read(path, manifest.BYTES_MAX + 1), str(path))
    name = f"{stem}.{told.kind}"
    if stem != (told.platform if told.kind == "pack" else told.chip):
        raise BadFile(f"{path} is not for {stem}")
    signature = _read(folder / (stem + _SIGNATURE), SIGNATURE_BYTES + 1)
    if len(signature) != SIGNATURE_BYTES:
        raise BadFile(
            f"{folder / stem}{_SIGNATURE} is no signature: it has {len(signature)} bytes"
        )
    data = _read(folder / name, _FILE_MAX)
    if len(data) != told.size or hashlib.sha256(data).hexdigest() != told.sha256:
        raise BadFile(f"{folder / name} is not what its manifest says: make the release again")
    return Artefact(name, told, signature, data)


def _read(path: Path, most: int) -> bytes:
    with path.open("rb") as file:
        return file.read(most)
