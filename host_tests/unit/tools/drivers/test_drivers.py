"""A folder of drivers of one's own: what a board could not use is said before it gets it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from rigs.port import micropython, run_port
from typer.testing import CliRunner

from fieldpost import node_source
from fieldpost.cli import app
from fieldpost.deploy import tree
from fieldpost.drivers import folder, named
from fieldpost.errors import CommandError
from fieldpost.paths import ROOT

PAGE = (ROOT / "docs" / "sensors.md").read_text(encoding="utf-8")
SECTION = PAGE.partition("## A driver of your own\n")[2]
SOURCE = SECTION.partition("```python\n")[2].partition("```")[0]
EXAMPLE = json.loads(SECTION.partition("```json\n")[2].partition("```")[0])
CLASS = "class Probe:\n    FIELDS = ('x',)\n    def start(self): return 0\n"
PROBE = CLASS + "    def read(self): return (1,)\n"


def write(at: Path, **sources: str) -> Path:
    """A folder with these modules; two underscores stand for a slash."""
    for name, text in sources.items():
        path = at / (name.replace("__", "/") + ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return at


def sensor(driver: str, **keys: Any) -> list[dict[str, Any]]:
    return [{"type": "simulated"}, {"type": "driver", "driver": driver, **keys}]


def wrong(at: Path, driver: str, **keys: Any) -> str:
    """The one thing that is wrong with a sensor of this driver."""
    (error,) = named.errors(sensor(driver, **keys), folder.find(at))
    place, _, text = error.partition(": ")
    assert place == "sensors[1].driver"
    return text


def config_check(at: Path, sensors: Any, *options: str) -> tuple[int, str]:
    config = {"node": "n", "mqtt": {"host": "h"}, "sensors": sensors}
    secrets = {"wifi": [{"ssid": "s", "password": "12345678"}]}
    (at / "config.json").write_text(json.dumps(config))
    (at / "secrets.json").write_text(json.dumps(secrets))
    done = CliRunner().invoke(app, ["config", "check", str(at), *options])
    return done.exit_code, done.output


def test_the_pages_example_passes_the_check_and_becomes_a_file_for_the_board(
    tmp_path: Path,
) -> None:
    own = write(tmp_path / "drivers", greenhouse__tmp117=SOURCE)
    example = {**EXAMPLE, "prefix": True}
    status, said = config_check(tmp_path, [example], "--drivers", str(own))
    assert status == 0, said
    assert "--drivers" not in said  # nothing is left to be told
    found = node_source.read(tmp_path, own, {}, name="n", host="h").drivers
    assert found
    files = found.files()
    assert list(files) == ["lib/greenhouse/tmp117.mpy"]
    assert files["lib/greenhouse/tmp117.mpy"][:1] == b"M"


@pytest.mark.slow
def test_the_folder_may_stand_in_a_variable_and_without_it_the_check_says_what_it_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = write(tmp_path / "drivers", probe=PROBE)
    status, said = config_check(tmp_path, sensor("probe:Probe", prefix=True))
    assert status == 0 and "the driver probe is none of Fieldpost's" in said
    monkeypatch.setenv("FIELDPOST_DRIVERS", str(own))
    status, said = config_check(tmp_path, sensor("probe:Probe", prefix=True))
    assert status == 0 and "Fieldpost's" not in said
    status, said = config_check(tmp_path, sensor("probe:Prob", prefix=True), "--json")
    assert status == 1
    assert json.loads(said)["errors"] == [
        "sensors[1].driver: probe.py has no class Prob; classes in it: Probe"
    ]


@pytest.mark.parametrize(
    ("driver", "keys", "said"),
    [
        ("probe", {}, "must be a module and a class"),
        ("probe:", {}, "must be a module and a class"),
        ("a.probes:Probe", {}, "there is no a/probes.py in .*; did you mean a/probe.py?"),
        ("nothing.like.it:Probe", {}, "there is no nothing/like/it.py in [^;]*$"),
        ("a.probe:Other", {}, "a/probe.py has no class Other; classes in it: Probe, Half"),
        ("a.probe:Half", {}, r"a/probe.py: the class Half has no method read\(\)"),
        ("a.probe:Probe", {"pin": 4}, "takes 0 arguments, and .* gets 1: the bus or the pin"),
        ("a.bus:Probe", {"pin": 4}, r"takes 2 arguments, and .* gets 1"),
        ("a.bare:Probe", {}, "the class Probe has no FIELDS"),
        ("digital:Nothing", {}, "digital.py has no class Nothing"),
    ],
)
def test_a_driver_that_a_node_could_not_use_is_an_error_with_what_is_there(
    driver: str, keys: dict[str, Any], said: str, tmp_path: Path
) -> None:
    init = "    def __init__(self, i2c, address): pass\n"
    half = PROBE + CLASS.replace("Probe", "Half")
    bare = PROBE.replace("    FIELDS = ('x',)\n", "")
    write(tmp_path, a__probe=half, a__bus=PROBE + init, a__bare=bare)
    assert re.search(said, wrong(tmp_path, driver, **keys))


@pytest.mark.parametrize(
    ("keys", "where"),
    [
        ({"ranges": [{"field": "y", "lowest": 0}]}, "ranges"),
        ({"ranges": {"y": [0, 1], "*": [-1e30, 1e30]}}, "ranges"),
        ({"fields": ["x", "y"]}, "fields"),
        ({"calibration": [{"field": "y", "scale": 2}]}, "calibration"),
        ({"alarms": [{"field": "y", "above": 2}]}, "alarms"),
    ],
)
def test_a_name_that_is_none_of_the_drivers_fields_is_an_error(
    keys: dict[str, Any], where: str, tmp_path: Path
) -> None:
    """On a board a range or an alarm of it would have no effect, and nobody would be told."""
    own = write(tmp_path, probe=PROBE)
    said = wrong(own, "probe:Probe", **keys)
    assert said == f"probe.py: Probe.FIELDS has no 'y', which {where} names; it has x"


def test_a_drivers_own_ranges_name_its_own_fields(tmp_path: Path) -> None:
    ranges = "    RANGES = {'x': (0, 1), 'xx': (0, 1)}\n"
    own = write(tmp_path, probe=PROBE + ranges, fine=PROBE + ranges.replace("xx", "x"))
    assert "Probe.FIELDS has no 'xx', which RANGES names" in wrong(own, "probe:Probe")
    drivers = folder.find(own)
    right = [{"field": "x", "lowest": 0}]
    assert named.errors(sensor("fine:Probe", ranges=right, fields=["x"]), drivers) == []
    for odd in (5, "y", [5], [{}], None):
        assert isinstance(named.errors(sensor("fine:Probe", ranges=odd), drivers), list)


def test_what_only_a_run_can_tell_is_no_error(tmp_path: Path) -> None:
    init = "    def __init__(self, *parts): self.FIELDS = ('x',)\n"
    own_fields = PROBE.replace("    FIELDS = ('x',)\n", init)
    write(tmp_path, a=own_fields, b="from a import Probe as Named\nMade = object\n")
    write(tmp_path, c="import a\nclass Probe(a.Probe): pass\n")
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "__init__.py").write_text(PROBE)
    drivers = folder.find(tmp_path)
    for driver in ("a:Probe", "b:Named", "b:Made", "c:Probe"):
        one = sensor(driver, scl=5, sda=4, address=8)
        assert named.errors(one, drivers) == [], driver
    assert named.errors(sensor("d:Probe"), drivers) == []


@pytest.mark.parametrize("sensors", [None, 3, [None], [{"type": "driver"}], [{"driver": 3}]])
def test_what_is_no_list_of_sensors_is_left_to_the_schema(sensors: Any, tmp_path: Path) -> None:
    assert named.errors(sensors, folder.find(write(tmp_path, probe=PROBE))) == []


@pytest.mark.parametrize("name", ["firmware__app", "wire", "bh1750", "umqtt__x", "main", "time"])
def test_nothing_that_the_firmware_needs_is_replaced(name: str, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=f"take the place of '{name.split('_')[0]}'"):
        folder.find(write(tmp_path, **{name: PROBE}))


def test_every_module_of_ours_is_among_the_names_that_are_taken() -> None:
    ours = {name.removeprefix("lib/").split("/")[0] for name in tree.sources(*tree.FAMILIES)}
    assert {name.removesuffix(".py") for name in ours} <= folder.names_taken()


def test_a_folder_that_is_none_or_has_nothing_and_names_that_no_import_has_are_refused(
    tmp_path: Path,
) -> None:
    with pytest.raises(CommandError, match="there is no folder"):
        folder.find(tmp_path / "none")
    write(tmp_path, **{".hidden__probe": PROBE})
    with pytest.raises(CommandError, match="no Python file"):
        folder.find(tmp_path)
    with pytest.raises(CommandError, match="no import can name 'my-probe'"):
        folder.find(write(tmp_path, **{"my-probe": PROBE}))


def test_what_a_board_cannot_compile_is_told_with_its_line(tmp_path: Path) -> None:
    status, said = config_check(
        tmp_path,
        [{"type": "simulated"}],
        "--drivers",
        str(write(tmp_path / "own", a__new="x = 1\nmatch x:\n    case 1: pass\n")),
    )
    assert status == 1
    assert "--drivers: a/new.py, line 2 does not compile for a board" in " ".join(said.split())


def test_a_byte_order_mark_is_no_part_of_a_driver(tmp_path: Path) -> None:
    fast = "import micropython\n@micropython.viper\ndef f(a: int) -> int:\n    return a\n"
    files = folder.find(write(tmp_path, fast="\ufeff" + fast, helper="\ufeffX = 1\n")).files()
    assert files["lib/fast.py"] == fast.encode()
    assert set(files) == {"lib/fast.py", "lib/helper.mpy"}


def test_code_for_one_processor_is_sent_as_source_and_its_faults_are_told(tmp_path: Path) -> None:
    fast = "import micropython\n@micropython.viper\ndef f(a: int) -> int:\n    return a\n"
    drivers = folder.find(write(tmp_path, fast=fast, helper="X = 1\n"))
    files = drivers.files()
    assert files["lib/fast.py"] == fast.encode()
    assert set(files) == {"lib/fast.py", "lib/helper.mpy"}
    with pytest.raises(CommandError, match=r"fast.py.* does not compile"):
        folder.find(write(tmp_path, fast=fast + "def g(:\n")).files()


def test_a_node_on_a_desk_takes_a_driver_from_the_same_folder(tmp_path: Path) -> None:
    micropython()
    own = write(tmp_path / "own", greenhouse__probe=PROBE)
    config_check(tmp_path, sensor("greenhouse.probe:Probe", prefix="own"))
    said = run_port(
        "import json\n"
        "from firmware.app import read_settings\n"
        "from firmware.board import Board\n"
        "from firmware.readings.sensors import Sensors\n"
        "layer = Sensors(read_settings()[0]['sensors'], Board())\n"
        "layer.start(0)\n"
        "print(json.dumps(dict(layer.collect()[0])))\n",
        cwd=tmp_path,
        first=(own,),
    )
    assert json.loads(said.splitlines()[-1])["own_x"] == 1
