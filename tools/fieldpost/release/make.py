"""Makes a release: builds what it holds, gives it its counter, and has it signed."""

import datetime
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from fieldpost.deploy import pack
from fieldpost.deploy.build import MPY_VERSION, build, find_umqtt, sha256
from fieldpost.errors import BadFile, Usage
from fieldpost.flash import esp_image
from fieldpost.keys.history import Entry, History
from fieldpost.keys.signer import Signer
from fieldpost.paths import ROOT
from fieldpost.release import folder
from fieldpost.release.folder import Artefact, Release
from fieldpost.release.manifest import LEAST, Manifest
from fieldpost.version import project_version

PLATFORMS = ("rp2", "esp32")
# Their images freeze umqtt.simple, which costs less heap than one in a pack.
_HAVE_UMQTT = ("esp32",)
_ESP32 = "esp32"


@dataclass(frozen=True)
class Draft:
    """What is to be signed. manifests: with their data, by the name of the file."""

    version: str
    counter: int
    manifests: Mapping[str, tuple[Manifest, bytes]]

    def entry(self) -> Entry:
        """What the history keeps of it."""
        today = datetime.datetime.now(datetime.UTC).date().isoformat()
        return Entry(self.counter, self.version, today, _hashes(self.manifests))


def draft_packs(
    platforms: Sequence[str],
    history: History,
    counter: int | None = None,
    *,
    root: Path = ROOT,
    umqtt: Path | None = None,
    on_build: Callable[[str], None] = lambda _: None,
) -> Draft:
    """The firmware of `root` for these platforms. counter: None takes the next one. umqtt: as of a
    deployment. on_build: told of each platform. Raises CommandError."""
    version = project_version(root)
    found = {}
    for platform in dict.fromkeys(platforms):
        on_build(platform)
        needs_umqtt = umqtt or platform not in _HAVE_UMQTT
        made = build(platform, root, find_umqtt(root, umqtt) if needs_umqtt else None)
        data = made.files[pack.PATH]
        found[f"{platform}.pack"] = (
            Manifest(
                kind="pack",
                platform=platform,
                version=version,
                counter=0,
                size=len(data),
                sha256=sha256(data),
                mpy=MPY_VERSION,
                least=LEAST,
            ),
            data,
        )
    return _numbered(version, found, history, counter)


def draft_images(
    images: Sequence[Path], chip: str | None, history: History, counter: int | None = None
) -> Draft:
    """All of MicroPython for ESP32 boards with room for two: the program of each image, or a file
    `.app-bin`. chip: what they must be for. Raises CommandError."""
    found: dict[str, tuple[Manifest, bytes]] = {}
    versions = set()
    for path in images:
        try:
            data = esp_image.application(path.read_bytes())
            facts = esp_image.describe(data)
        except OSError as error:
            raise BadFile(f"cannot read {path}: {error.strerror}") from None
        except esp_image.Broken as error:
            raise BadFile(f"{path} is {error}") from None
        name = plain_chip(facts.chip)
        if chip and plain_chip(chip) != name:
            raise BadFile(f"{path} is for an {facts.chip}, not for {chip}")
        if f"{name}.image" in found:
            raise Usage(f"two images for an {facts.chip}: a release has one for each chip")
        versions.add(facts.version)
        found[f"{name}.image"] = (
            Manifest(
                kind="image",
                platform=_ESP32,
                chip=name,
                version=facts.version,
                counter=0,
                size=len(data),
                sha256=sha256(data),
            ),
            data,
        )
    if len(versions) > 1:
        raise Usage(f"the images are of several versions: {', '.join(sorted(versions))}")
    return _numbered(versions.pop(), found, history, counter)


def sign(draft: Draft, signer: Signer, out: Path) -> Release:
    """The release, to be saved below `out`. Raises CommandError."""
    signed = {
        name: (replace(told, key=signer.key.node_id), data)
        for name, (told, data) in draft.manifests.items()
    }
    artefacts = tuple(
        Artefact(name, told, signer.sign(told.encoded()), data)
        for name, (told, data) in signed.items()
    )
    made = Release(out / folder.name_of(artefacts), artefacts)
    made.check_signed([signer.key])
    return made


def plain_chip(name: str) -> str:
    """ "ESP32-C3" as a manifest has it: "esp32c3"."""
    return name.lower().replace("-", "")


def _numbered(
    version: str,
    found: Mapping[str, tuple[Manifest, bytes]],
    history: History,
    wanted: int | None,
) -> Draft:
    counter = history.next_counter(version, _hashes(found), wanted)
    numbered = {
        name: (replace(told, counter=counter), data) for name, (told, data) in found.items()
    }
    return Draft(version, counter, numbered)


def _hashes(found: Mapping[str, tuple[Manifest, bytes]]) -> dict[str, str]:
    return {name: told.sha256 for name, (told, _) in found.items()}
