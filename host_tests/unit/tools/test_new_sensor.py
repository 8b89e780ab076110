"""What `fieldpost new-sensor` writes works as it is, and what is made from others is current."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from fieldpost import generate
from fieldpost.errors import CommandError
from fieldpost.new_sensor.command import parts
from fieldpost.paths import ROOT


def copy_of_the_checkout(folder: Path) -> Path:
    """Its files as they are now, without what git ignores."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        timeout=30,
    ).stdout
    for name in listed.decode().split("\0"):
        if name and (ROOT / name).is_file() and not name.endswith((".png", ".svg")):
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes((ROOT / name).read_bytes())
    return folder


def run(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder / "tools")},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_a_new_type_has_four_hand_written_parts_and_passes_the_tests_as_it_is_written(
    tmp_path: Path,
) -> None:
    copy = copy_of_the_checkout(tmp_path)
    said = run(copy, "fieldpost", "new-sensor", "tmp999")
    assert said.count("wrote firmware") == said.count("wrote lib") == 1
    assert "FILL IN" in said
    assert '"tmp999"' in (copy / "firmware" / "sensor_types" / "names.py").read_text()
    assert "lib/tmp999.py" in (copy / "package.json").read_text()
    assert "Sensor type tmp999" in (copy / "docs" / "configuration.md").read_text("utf-8")
    tests = ("host_tests/unit/lib/test_tmp999.py", "host_tests/unit/firmware/sensor_types")
    documents = "host_tests/unit/tools/config/test_sensors_document.py"
    for path in (copy / "docs").rglob("*.md"):
        name = path.relative_to(copy).as_posix()
        if path.read_bytes() != (ROOT / name).read_bytes():
            assert f" {name}\n" in said, "changed, and not named"
    for name in ("firmware/sensor_types/names.py", "package.json", "manifest.py"):
        assert f"made {name}\n" in said
    assert "make test TESTS=" in said, "`make setup` alone installs no pytest"
    wired = {"type": "tmp999", "scl": 5, "sda": 4}
    (tmp_path / "config.json").write_text(json.dumps({"sensors": [wired]}))
    told = ("--count", "1", "--set", "tmp999.0x00=0x0865", "--json")
    reading = json.loads(run(copy, "fieldpost", "run", str(tmp_path), *told))
    assert reading["payload"]["temperature"] == 21.49
    assert "passed" in run(copy, "pytest", "-q", "-p", "no:cacheprovider", *tests, documents)


def test_a_type_that_is_there_or_a_name_that_cannot_be_is_refused() -> None:
    for name in ("bme280", "Tmp117", "x", "a/b", ""):
        with pytest.raises(CommandError):
            parts(name)


def test_the_list_and_the_table_of_types_are_as_they_are_made() -> None:
    assert (generate.TYPES / "names.py").read_text("utf-8") == generate.names_module()
    source = generate.DISCOVERY.read_text("utf-8")
    assert f"# {generate.MADE_FROM}\n{generate.quantities()}\n# {generate.MADE_END}" in source
    page = generate.SENSORS_PAGE.read_text("utf-8")
    assert f"{generate.BEGIN}\n{generate.sensors_table()}\n{generate.END}" in page
