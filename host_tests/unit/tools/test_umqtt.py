"""Set-up takes exactly the umqtt.simple that it should, and pins all that it installs."""

import hashlib
import io
import itertools
import re
import subprocess
import tarfile
import tomllib
from pathlib import Path
from typing import Any

import pytest

from fieldpost import umqtt
from fieldpost.errors import CommandError
from fieldpost.paths import ROOT

SOURCE = b"class MQTTClient:\n    pass\n"


@pytest.fixture
def target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """lib/umqtt/simple.py of an empty checkout, with an empty cache and no registry."""
    lib = tmp_path / "checkout" / "lib"
    monkeypatch.setattr(umqtt, "ROOT", lib.parent)
    monkeypatch.setattr(umqtt, "TARGET", lib / "umqtt" / "simple.py")
    monkeypatch.setenv("FIELDPOST_CACHE", str(tmp_path / "cache"))

    def no_registry(command: list[str], **_: Any) -> "subprocess.CompletedProcess[str]":
        return subprocess.CompletedProcess(command, 1, "", "ConnectError: no route to host\n")

    monkeypatch.setattr(umqtt.subprocess, "run", no_registry)
    return umqtt.TARGET


def archive(path: Path, source: bytes = SOURCE) -> bytes:
    """An archive such as the registry has it, at `path`; its bytes."""
    with tarfile.open(path, "w:gz") as tar:
        member = tarfile.TarInfo(umqtt._MEMBER)
        member.size = len(source)
        tar.addfile(member, io.BytesIO(source))
    return path.read_bytes()


def publish_archive(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    """Have a registry that sends `content`."""

    def registry(command: list[str], **_: Any) -> "subprocess.CompletedProcess[str]":
        folder = command[command.index("-d") + 1]
        (Path(folder) / "micropython-umqtt.simple-1.3.4.tar.gz").write_bytes(content)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(umqtt.subprocess, "run", registry)


def trust(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    """Take SOURCE and the archive `content` for the published ones."""
    monkeypatch.setattr(umqtt, "_ARCHIVE_SHA256", hashlib.sha256(content).hexdigest())
    monkeypatch.setattr(umqtt, "_FILE_SHA256", hashlib.sha256(SOURCE).hexdigest())


def test_it_is_fetched_once_then_taken_from_the_cache(
    target: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = archive(tmp_path / "published.tar.gz")
    trust(monkeypatch, content)
    publish_archive(monkeypatch, content)
    assert "fetched" in umqtt.install()
    assert target.read_bytes() == SOURCE
    publish_archive(monkeypatch, b"not asked again")
    assert "is in lib/umqtt/simple.py" in umqtt.install()
    target.unlink()
    assert "copied from" in umqtt.install()
    assert target.read_bytes() == SOURCE


def test_what_is_not_the_published_archive_is_never_unpacked(
    target: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_archive(monkeypatch, archive(tmp_path / "other.tar.gz"))
    with pytest.raises(CommandError, match="is not the published"):
        umqtt.install()
    with pytest.raises(CommandError, match="is not the published"):
        umqtt.install(tmp_path / "other.tar.gz")
    assert not target.exists()


def test_a_spoilt_cache_is_not_believed(target: Path, tmp_path: Path) -> None:
    cached = tmp_path / "cache" / "umqtt" / umqtt.VERSION / "simple.py"
    cached.parent.mkdir(parents=True)
    cached.write_bytes(b"class MQTTClient: ...  # somebody else's")
    with pytest.raises(CommandError, match="cannot fetch"):
        umqtt.install()
    assert not target.exists()


def test_without_a_network_it_says_what_to_do(target: Path) -> None:
    with pytest.raises(CommandError) as caught:
        umqtt.install()
    text = str(caught.value)
    assert "no route to host" in text
    assert "check the network" in text
    assert "fieldpost setup --umqtt FILE" in text


def test_a_copy_that_the_user_has_will_do(target: Path, tmp_path: Path) -> None:
    own = tmp_path / "simple.py"
    own.write_bytes(SOURCE + b"# of my own")
    assert "another version" in umqtt.install(own)
    assert target.read_bytes() == own.read_bytes()
    assert umqtt.install(), "and is left alone from then on"
    assert target.read_bytes() == own.read_bytes()


def test_a_file_that_is_no_umqtt_is_refused(target: Path, tmp_path: Path) -> None:
    page = tmp_path / "simple.py"
    page.write_text("<html>404</html>")
    with pytest.raises(CommandError, match="no class MQTTClient"):
        umqtt.install(page)
    with pytest.raises(CommandError, match="cannot read"):
        umqtt.install(tmp_path / "nothing.py")
    assert not target.exists()


def test_what_stands_in_this_checkout_is_what_was_published() -> None:
    here = ROOT / "lib" / "umqtt" / "simple.py"
    if not here.exists():
        pytest.skip("umqtt.simple has not been fetched: fieldpost setup")
    if umqtt.version_of(here.read_bytes()) != umqtt.VERSION:
        pytest.skip("lib/umqtt/simple.py is a copy of the user's own")


# What is installed -------------------------------------------------------------------------------

REQUIREMENTS = [ROOT / "tools" / "requirements.txt", ROOT / "tools" / "requirements-dev.txt"]


@pytest.mark.parametrize("path", REQUIREMENTS, ids=lambda path: path.stem)
def test_every_requirement_is_pinned_with_its_hashes_and_names_no_address(path: Path) -> None:
    text = path.read_text()
    assert "://" not in text
    entries = re.split(r"\n(?=\S)", text.strip())
    for entry in entries:
        assert re.match(r"[a-z0-9-]+==[^ ]+ ", entry), entry
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), entry
    assert len(entries) > 10


def test_the_requirement_files_are_those_of_pyproject() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    run, dev = (_pins(path) for path in REQUIREMENTS)
    for wanted in project["dependencies"] + extras["setup"] + extras["emulator"]:
        assert _name_and_version(wanted) in run, wanted
    for wanted in itertools.chain(*extras.values()):
        if not wanted.startswith("fieldpost["):
            assert _name_and_version(wanted) in dev, wanted
    assert run <= dev, "what runs and what is tested is the same"


def _pins(path: Path) -> set[tuple[str, str]]:
    return {
        _name_and_version(line) for line in path.read_text().splitlines() if line[:1].isalnum()
    }


def _name_and_version(requirement: str) -> tuple[str, str]:
    found = re.match(r"([A-Za-z0-9_.-]+)(?:\[.*?\])?==([^ ;\\]+)", requirement)
    assert found, f"{requirement} is not pinned"
    return found[1].lower(), found[2]
