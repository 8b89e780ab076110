"""What `fieldpost battery` promises: each figure can be given, and no bad input gives a result."""

import json
import re
import shutil
from pathlib import Path
from typing import Any, get_args

import pytest
import typer
from typer.testing import CliRunner

from fieldpost.battery import command as battery_command
from fieldpost.battery import document as battery_document
from fieldpost.battery import measured as battery_measured
from fieldpost.battery.boards import BOARDS
from fieldpost.battery.cells import CELLS
from fieldpost.battery.model import JOINS
from fieldpost.battery.ranges import Range
from fieldpost.config import files as config_files
from fieldpost.errors import CommandError
from fieldpost.paths import ROOT

EXAMPLES = {"greenhouse": "esp32", "freezer": "pico-w", "weather": "esp32-c3"}
DOCUMENT = ROOT / "docs" / "battery.md"

app = typer.Typer()
app.command()(battery_command.battery)


def run(*arguments: object) -> str:
    """Run the command; return what it prints. A CommandError comes through."""
    result = CliRunner().invoke(app, [str(one) for one in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def run_json(*arguments: object) -> dict[str, Any]:
    return json.loads(run(*arguments, "--json"))


def error_of(*arguments: object) -> str:
    with pytest.raises(CommandError) as caught:
        run(*arguments)
    return str(caught.value)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A node in the duty cycle, without a secrets.json."""
    return write(tmp_path, {"mode": "duty_cycle", "sample_s": 300})


def write(folder: Path, keys: dict[str, Any]) -> Path:
    path = folder / "config.json"
    path.write_text(json.dumps({"node": "n", "mqtt": {"host": "10.0.0.1"}} | keys))
    return path


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_a_configuration_that_a_node_takes(name: str, tmp_path: Path) -> None:
    folder = ROOT / "examples" / name
    shutil.copy(folder / "config.json", tmp_path / "config.json")
    shutil.copy(folder / "secrets.json.example", tmp_path / "secrets.json")
    settings, errors = config_files.load(tmp_path)
    assert errors == []
    assert settings is not None
    assert settings["mode"] == "duty_cycle"
    pins = {
        str(sensor[key])
        for sensor in settings["sensors"]
        for key in ("pin", "scl", "sda")
        if sensor.get(key) is not None
    }
    text = (folder / "README.md").read_text(encoding="utf-8")
    assert [pin for pin in pins if not re.search(rf"\b(GPIO|GP) ?{pin}\b", text)] == []


@pytest.mark.parametrize(("name", "board"), EXAMPLES.items())
def test_an_example_gets_its_life_and_three_levers(name: str, board: str) -> None:
    folder = ROOT / "examples" / name
    found = run_json(folder, "--board", board, "--sleep-ua", "100")
    low, high = (found["cases"][case]["days"] for case in ("low", "high"))
    assert 0 < low < found["cases"]["middle"]["days"] < high
    assert len(found["levers"]) == 3
    printed = run(folder, "--board", board)
    assert "What would help most" in printed
    assert "guess until you measure" in printed


def test_days_can_be_worked_by_hand_from_what_is_printed(config: Path) -> None:
    found = run_json(config, "--board", "pico-w", "--set", "self_discharge=0")
    for case, usable in (("low", 0.8), ("high", 0.95)):
        one = found["cases"][case]
        wake = one["delivering_wake"]
        assert wake["mc"] == pytest.approx(
            sum(p["ms"] * p["ma"] / 1000 for p in wake["phases"]), rel=0.001
        )
        asleep_s = 300 - wake["ms"] / 1000
        board_ua = (wake["mc"] * 1000 + one["sleep_ua"] * asleep_s) / 300
        assert one["board_ua"] == pytest.approx(board_ua, rel=0.001)
        from_cell_ma = board_ua / 1000 * 5.0 / 3.7
        assert one["days"] == pytest.approx(2600 * usable / from_cell_ma / 24, rel=0.001)


def test_the_board_in_the_file_needs_no_option(config: Path) -> None:
    given = run_json(config, "--board", "esp32-c3")
    told = json.loads(config.read_text()) | {"board": "ESP32_GENERIC_C3"}
    config.write_text(json.dumps(told))
    assert run_json(config) == given


def test_without_a_board_anywhere_it_says_where_to_name_one(config: Path) -> None:
    done = CliRunner().invoke(app, [str(config)])
    assert done.exit_code == 1
    assert '"board": "esp32"' in str(done.exception) and "--board" in str(done.exception)


@pytest.mark.parametrize("board", ["esp32-s2", "ESP32_GENERIC_C6"])
def test_every_board_that_can_be_flashed_has_figures(config: Path, board: str) -> None:
    assert run_json(config, "--board", board)["cases"]["low"]["days"] > 1


def test_without_the_boards_own_sleep_current_it_says_so_first(config: Path) -> None:
    unknown = run_json(config, "--board", "esp32")
    assert unknown["sleep_current_known"] is False
    assert "66 and 15000 uA" in unknown["warnings"][0]
    known = run_json(config, "--board", "esp32", "--sleep-ua", "70")
    assert known["sleep_current_known"] is True
    assert not any("--sleep-ua" in warning for warning in known["warnings"])
    assert known["cases"]["low"]["sleep_ua"] == 70
    spread = run_json(config, "--board", "esp32", "--sleep-ua", "150:70")["cases"]
    assert (spread["high"]["sleep_ua"], spread["low"]["sleep_ua"]) == (70, 150)


def test_every_figure_of_board_and_cell_can_be_given(config: Path) -> None:
    plain = run_json(config, "--board", "esp32-s3", "--sleep-ua", 50)["cases"]["low"]["days"]
    for setting in ("boot_ms=2000", "rejoin_ms=9000", "miss_share=0.9", "radio_ma=400"):
        worse = run_json(config, "--board", "esp32-s3", "--sleep-ua", 50, "--set", setting)
        assert worse["cases"]["low"]["days"] < plain, setting
        assert worse["sources"][setting.partition("=")[0]] == "given"
    for setting in ("capacity_mah=9000", "usable=0.99", "self_discharge=0"):
        better = run_json(config, "--board", "esp32-s3", "--sleep-ua", 50, "--set", setting)
        assert better["cases"]["low"]["days"] > plain, setting


def test_each_way_to_join_and_the_cold_tell(config: Path) -> None:
    lives = [
        run_json(config, "--board", "esp32-c3", "--sleep-ua", 50, "--join", join)["cases"]["low"]
        for join in JOINS
    ]
    assert lives[0]["days"] > lives[1]["days"] > lives[2]["days"]
    cold = run_json(config, "--board", "esp32-c3", "--sleep-ua", 50, "--temperature", "-18")
    assert cold["cases"]["low"]["days"] < lives[0]["days"]
    assert cold["cell"]["share_at_temperature"] < 0.7


def test_a_node_that_is_always_on_is_told_to_use_the_duty_cycle(tmp_path: Path) -> None:
    path = write(tmp_path, {})
    found = run_json(path, "--board", "esp32")
    assert found["mode"] == "always_on"
    assert "always_on" in found["warnings"][0]
    assert found["levers"][0]["change"] == '"mode": "duty_cycle"'
    assert found["cases"]["high"]["days"] < 7
    assert "duty_cycle" in run(path, "--board", "esp32")


def test_it_warns_of_what_the_node_will_not_do(tmp_path: Path) -> None:
    path = write(tmp_path, {"mode": "duty_cycle", "sample_s": 4, "awake_limit_s": 3})
    found = run_json(path, "--board", "pico-w", "--sleep-ua", 1300, "--cell", "2xaa")
    assert any("awake_limit_s" in warning for warning in found["warnings"])
    assert any("longer than" in one and "sample_s" in one for one in found["warnings"])
    found = run_json(path, "--board", "esp32", "--sleep-ua", 70, "--cell", "2xaa")
    assert any("2 V" in one and "3 V" in one for one in found["warnings"])


# Measured ----------------------------------------------------------------------------------------

LOG = """boot: power-on
0.412 profile {"boot_ms":400,"sample_ms":12}
profile {"boot_ms":410,"sample_ms":14,"join_ms":600,"connect_ms":50,"deliver_ms":12,"readings":4}
n profile {"boot_ms":420,"sample_ms":9,"join_ms":800,"connect_ms":70,"deliver_ms":20,"readings":4}
profile {"boot_ms":405,"sample_ms":12,"join_ms":3000,"readings":0}
link: up
"""


def test_a_nodes_log_gives_its_own_times(config: Path, tmp_path: Path) -> None:
    log = tmp_path / "node.log"
    log.write_text(LOG)
    measured = battery_measured.read_log(log)
    assert (measured.wakes, measured.deliveries) == (4, 2)
    assert (measured.measuring_boot_ms, measured.boot_ms) == (Range(400, 400), Range(405, 420))
    # The join in vain took 3000 ms, which the two that succeeded bear.
    assert measured.join_ms == Range(600 + 1500, 800 + 1500)
    assert measured.reading_ms == Range(3, 5)
    found = run_json(config, "--board", "esp32", "--sleep-ua", 70, "--measured", log)
    low = {one["phase"]: one for one in found["cases"]["low"]["delivering_wake"]["phases"]}
    # 70 ms before any program can count, and the measured ones.
    assert low["boot"]["ms"] == 490
    assert low["join"]["ms"] == 2300
    assert (low["connect"]["ms"], low["deliver"]["ms"]) == (70, 5)
    assert "sample" not in low
    assert found["join"] == "measured"
    assert "4 wakes, 2 deliveries" in found["sources"]["boot_ms"]


def test_outliers_of_a_long_log_are_left_out() -> None:
    wakes = [{"boot_ms": float(ms)} for ms in range(100)]
    assert battery_measured.summarise(wakes).measuring_boot_ms == Range(10, 89)
    assert battery_measured.summarise(wakes).boot_ms is None, "none of them used the radio"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("nothing of this kind", "has no profile lines"),
        ('profile {"boot_ms":', "line 1: what follows `profile` is not JSON"),
        ('profile {"boot":1}', "unknown key 'boot'"),
        ('profile {"boot_ms":-1}', "boot_ms must be from 0"),
        ('profile {"boot_ms":"1"}', "boot_ms must be a number"),
        ('profile {"readings":true}', "readings must be a number"),
        ('profile {"boot_ms":NaN}', "boot_ms must be from 0"),
        ('profile {"boot_ms":1e99}', "boot_ms must be from 0"),
    ],
)
def test_a_log_that_says_nothing_clear_is_an_error(
    config: Path, tmp_path: Path, line: str, expected: str
) -> None:
    log = tmp_path / "node.log"
    log.write_text(line + "\n")
    assert expected in error_of(config, "--board", "esp32", "--measured", log)


# Bad input ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--sleep-ua", "low"], "sleep_ua: found 'low', must be a number"),
        (["--sleep-ua", "-5"], "found '-5'"),
        (["--sleep-ua", "nan"], "found 'nan'"),
        (["--sleep-ua", "1:2:3"], "found '1:2:3'"),
        (["--set", "boot"], "must be KEY=VALUE"),
        (["--set", "boot_m=5"], "did you mean boot_ms?"),
        (["--set", "usable=1.5"], "must be above 0, at most 1"),
        (["--set", "usable=0"], "must be above 0, at most 1"),
        (["--set", "self_discharge=100"], "must be less than 100"),
        (["--set", "miss_share=2"], "must be a share from 0 to 1"),
        (["--set", "capacity_mah=0"], "must be more than 0"),
        (["--measured", "missing.log"], "cannot read missing.log"),
        (["--plot", "life.pdf"], "must end in .png or .svg"),
        (["--plot", "nowhere/life.png"], "there is no folder nowhere"),
        (["--extra-ua", "inf"], "must be finite"),
    ],
)
def test_a_bad_option_is_named_with_what_is_allowed(
    config: Path, arguments: list[str], expected: str
) -> None:
    assert expected in error_of(config, "--board", "esp32", *arguments)


def test_a_bad_configuration_is_refused_with_all_its_errors(tmp_path: Path) -> None:
    path = write(tmp_path, {"sample_s": 0, "mode": "duty"})
    text = error_of(path, "--board", "esp32")
    assert "sample_s: found 0" in text
    assert 'mode: found "duty"' in text
    assert "secrets" not in error_of(tmp_path / "none.json", "--board", "esp32")


@pytest.mark.parametrize("arguments", [["--board", "esp8266"], ["--board", "esp32", "--cell=x"]])
def test_an_unknown_board_or_cell_is_a_usage_error(config: Path, arguments: list[str]) -> None:
    result = CliRunner().invoke(app, [str(config), *arguments])
    assert result.exit_code == 2


def test_the_options_offer_every_cell_and_join() -> None:
    assert get_args(battery_command.CellName) == tuple(CELLS)
    assert get_args(battery_command.JoinName) == JOINS


def test_the_document_lists_every_board_and_cell_and_figure() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    figures = set(next(iter(BOARDS.values())).sources) - {"supply_v"}
    named = [f"`{name}`" for name in (*BOARDS, *CELLS, *figures, *battery_measured.KEYS)]
    assert [name for name in named if name not in text] == []
    for number in ("578", "73.68", "15.19", "7.13", "106.0"):
        assert number in text, number


# Pictures ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("suffix", "magic"), [(".png", b"\x89PNG"), (".svg", b"<?xml")])
@pytest.mark.parametrize("mode", ["duty_cycle", "always_on"])
def test_a_picture_is_drawn_and_the_same_input_draws_it_again(
    tmp_path: Path, suffix: str, magic: bytes, mode: str
) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    path = write(tmp_path, {"mode": mode, "deliver_every": 4})
    pictures = []
    for name in ("one", "two"):
        picture = tmp_path / (name + suffix)
        assert str(picture.name) in run(path, "--board", "esp32", "--plot", picture).replace(
            "\n", ""
        )
        pictures.append(picture.read_bytes())
    assert pictures[0].startswith(magic)
    assert len(pictures[0]) > 10_000
    assert pictures[0] == pictures[1]


def test_without_matplotlib_it_says_how_to_get_it(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "matplotlib", None)
    text = error_of(config, "--board", "esp32", "--plot", config.with_name("life.png"))
    assert "-m pip install matplotlib" in text
    assert run_json(config, "--board", "esp32")["node"] == "n"


def test_the_documents_tables_are_current() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert battery_document.markdown() in text, (
        "run PYTHONPATH=tools python -m fieldpost.battery.document"
    )
    for name, (board, cell, sleep_ua) in battery_document.PICTURES.items():
        assert DOCUMENT.with_name(f"battery-{name}.png").exists()
        folder = ROOT / "examples" / name
        command = f"config.json --cell {cell} --sleep-ua {sleep_ua}"
        assert command in (folder / "README.md").read_text(encoding="utf-8")
        # So the command needs no --board.
        assert json.loads((folder / "config.json").read_text())["board"] == board


def test_the_documents_example_is_what_the_command_prints(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "92")
    printed = run(ROOT / "examples" / "greenhouse", "--sleep-ua", "70:150")
    text = DOCUMENT.read_text(encoding="utf-8")
    assert "\n".join(line.rstrip() for line in printed.rstrip().splitlines()) in text


def test_a_sensor_that_is_always_on_empties_the_battery_in_a_day_and_not_in_a_year(
    tmp_path: Path,
) -> None:
    sensors = [{"type": "pms5003", "tx": 11, "rx": 12}]
    path = write(tmp_path, {"mode": "duty_cycle", "sample_s": 300, "sensors": sensors})
    said = run_json(path, "--board", "esp32", "--cell", "18650", "--sleep-ua", "100")
    assert said["not_counted"] == []
    assert 0.5 < said["cases"]["middle"]["days"] < 1.5


def test_what_nobody_can_know_is_named_and_not_silently_nothing(tmp_path: Path) -> None:
    sensors = [
        {"type": "driver", "driver": "mine:Thing", "name": "mine", "prefix": True},
        {"type": "internal"},
    ]
    path = write(tmp_path, {"mode": "duty_cycle", "sample_s": 300, "sensors": sensors})
    arguments = (path, "--board", "esp32", "--cell", "18650")
    assert run_json(*arguments)["not_counted"] == ["mine"]
    assert "mine: draw not known, not counted" in run(*arguments)
