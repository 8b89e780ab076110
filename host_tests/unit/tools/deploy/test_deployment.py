"""A board's files become the project's; nothing else on it is touched."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from rigs.deploy import CONFIG, Bench, Quiet, project
from rigs.update_keys import make_keys
from typer.testing import CliRunner

from fieldpost.board.link import open_link
from fieldpost.deploy import build as deploy_build
from fieldpost.deploy import deployment
from fieldpost.deploy.command import deploy as deploy_command
from fieldpost.deploy.deployment import Wish, deploy
from fieldpost.errors import CommandError

_KEPT = {
    "config.json": b'{"node": "tester", "mqtt": {"host": "192.168.1.10"}}',
    "secrets.json": b'{"wifi": [{"ssid": "a", "password": "marker-secret"}]}',
    "outbox/00000000.seg": b"readings",
    "boot.count": b"7",
    "crash.txt": b"Traceback",
    "trial.json": b"{}",
    "notes.txt": b"mine",
    "lib/mine.py": b"mine = 1",
    "firmware_of_mine/a.py": b"mine = 2",
}


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with Bench(tmp_path) as bench:
        yield bench


def _put(bench: Bench, files: dict[str, bytes]) -> None:
    for name, data in files.items():
        path = bench.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def test_a_node_without_settings_is_no_failure_and_how_to_set_it_up_is_said(
    bench: Bench, tmp_path: Path
) -> None:
    root = project(tmp_path / "one", "one")
    app = root / "firmware" / "app.py"
    say = "set-up: join the Wi-Fi network fieldpost-2f35 with the password x, then open y"
    app.write_text(app.read_text().replace("       0.1 ready: tester, boot 1", say))
    done = bench.deploy(root)
    assert done.ok and done.ready is None, done
    assert done.text.endswith(
        "fieldpost provision, or with a phone," + say.removeprefix("set-up:")
    )


@pytest.mark.slow
def test_tools_3_deploying_twice_sends_nothing_and_one_change_sends_one_module(
    bench: Bench, tmp_path: Path
) -> None:
    root = project(tmp_path / "one", "one")
    _put(bench, _KEPT)
    first = bench.deploy(root)
    assert first.ok, first
    assert bench.ran() == ["one"] * 5
    assert (first.was, first.now) == (None, "one")
    assert "ready: tester, boot 1" in str(first.ready)
    # Times say nothing: a checkout has new ones.
    for path in root.rglob("*.py"):
        os.utime(path, (1, 1))
    again = bench.deploy(root)
    assert again.ok and not again.sent and not again.removed, again
    assert again.unchanged == len(first.sent)
    assert bench.ran() == ["one"] * 5, "the node was not set going again"
    (root / "lib" / "helper.py").write_text("MARK = 'another'\n")
    changed = bench.deploy(root)
    assert list(changed.sent) == ["firmware.pack"] and changed.modules == 1
    # That module, and what says where each one stands: the rest the board had.
    assert changed.sent["firmware.pack"] < first.sent["firmware.pack"] / 2
    assert bench.ran()[4] == "another"
    files = bench.files()
    assert {name: files[name] for name in _KEPT} == _KEPT
    assert [name for name in files if name.startswith(".deploy/")] == [".deploy/installed"]


def test_a_deployment_ends_an_update_that_is_on_trial_before_its_pack_goes(
    bench: Bench, tmp_path: Path
) -> None:
    root = project(tmp_path / "one", "one")
    assert bench.deploy(root).ok
    staged = {f".deploy/{name}": b"x" for name in ("0123456789abcdef", "failed", "offer", "trial")}
    _put(bench, staged)
    with open_link(str(bench.port)) as link:
        todo = deployment.compare(link, Wish(root))[2]
    assert todo.leftovers[:2] == ["/.deploy/trial", "/.deploy/failed"]
    assert sorted(todo.leftovers) == [f"/{path}" for path in sorted(staged)]
    assert bench.deploy(root).ok
    assert bench.ran() == ["one"] * 5
    assert not staged.keys() & bench.files().keys()


def test_keys_for_updates_are_brought_and_stay_until_others_are(
    bench: Bench, tmp_path: Path
) -> None:
    root = project(tmp_path / "one", "one")
    keys = make_keys(tmp_path / "keys")
    wish = Wish(root, ready_s=10, reading_s=10)
    assert not deployment.deploy(str(bench.port), wish, Quiet()).sent.get("update.keys")
    assert bench.ran() == ["one"] * 5
    with_keys = replace(wish, keys=keys.node_file())
    outcome = deployment.deploy(str(bench.port), with_keys, Quiet())
    assert outcome.ok and "keys for updates were written" in outcome.text and outcome.ready
    assert list(outcome.sent) == ["update.keys"]
    assert bench.files()["update.keys"] == keys.node_file()
    for again in wish, with_keys:
        outcome = deployment.deploy(str(bench.port), again, Quiet())
        assert outcome.ok and not outcome.sent, outcome
        assert bench.files()["update.keys"] == keys.node_file()


def test_tools_4_a_stale_source_that_would_shadow_the_new_bytecode_is_removed(
    bench: Bench, tmp_path: Path
) -> None:
    # As `mpremote fs cp -r` leaves it: sources, one of them of an older version.
    root = project(tmp_path / "two", "two")
    old = {
        path.relative_to(root).as_posix(): path.read_bytes()
        for folder in ("firmware", "lib")
        for path in (root / folder).rglob("*.py")
        if path.name not in ("module_pack.py", "pack_trial.py")
    }
    old["firmware/part.py"] = b"MARK = 'stale'\n"
    old["main.py"] = b"print('my own program')\n"
    old["lib/helper.py"] = b"MARK = 'mine, not yours'\n"
    _put(bench, old)
    done = bench.deploy(root)
    assert done.ok, done
    assert bench.ran() == ["two"] * 5
    files = bench.files()
    sources = {name for name in files if name.endswith(".py")}
    # umqtt was the user's own, and does.
    assert sources == {"boot.py", "main.py", "lib/umqtt/simple.py"}
    # What may be somebody's work is kept beside: it is not of this project.
    kept = {name.partition(".before")[0]: files[name] for name in done.kept}
    assert kept == {"main.py": old["main.py"], "lib/helper.py": old["lib/helper.py"]}


def test_tools_3_the_tree_that_an_older_fieldpost_deployed_makes_way_for_the_pack(
    bench: Bench, tmp_path: Path
) -> None:
    names = [
        "main.py",
        "firmware/app.mpy",
        "firmware/net/link.mpy",
        "lib/gone.mpy",
        "lib/wire.mpy",
    ]
    _put(bench, dict.fromkeys(names, b"old"))
    journal = "# Fieldpost 0.0.9\n" + "".join(f"= /{name}\n" for name in names)
    _put(bench, {".deploy/installed": journal.encode(), "lib/mine.py": b"mine = 1"})
    done = bench.deploy(project(tmp_path / "one", "one"))
    assert done.ok, done
    assert bench.ran() == ["one"] * 5
    assert sorted(done.removed) == sorted(names[1:]) and not done.kept
    assert not (bench.folder / "firmware").exists()
    assert (bench.folder / "lib" / "mine.py").exists()


@pytest.mark.slow
def test_a_module_put_there_by_hand_comes_before_the_pack_and_is_told_of(
    bench: Bench, tmp_path: Path
) -> None:
    root = project(tmp_path / "one", "one")
    assert bench.deploy(root).ok
    assert bench.ran() == ["one"] * 5
    by_hand = {"firmware/part.py": b"MARK = 'tried'\n", "lib/helper.py": b"MARK = 'mine'\n"}
    _put(bench, by_hand)
    done = bench.deploy(root)
    assert all(f"/{name} " in line for name, line in zip(by_hand, done.warnings, strict=True))
    with open_link(bench.board.port) as link:
        link.restart()
        heard = b"".join(link.console(1))
        link.close(resume=False)
    assert bench.ran() == ["one", "one", "tried", "one", "mine"]
    assert b"by hand: /firmware/part.py" in heard and b"by hand: /lib/helper.py" in heard, heard
    # A deployment that changes something leaves them alone, too.
    (root / "firmware" / "part.py").write_text("MARK = 'two'\n")
    done = bench.deploy(root)
    assert done.ok and len(done.warnings) == 2 and not done.removed, done
    assert {name: bench.files()[name] for name in by_hand} == by_hand


def test_tools_4_bytecode_of_another_version_is_refused_before_anything_is_sent() -> None:
    deploy_build.check_mpy(6 | 3 << 8 | 5 << 10, "1.25.0")
    for mpy, advice in ((5, "fieldpost flash"), (None, "fieldpost flash"), (7, "mpy-cross")):
        with pytest.raises(CommandError, match=advice):
            deploy_build.check_mpy(mpy, "1.18.0")


def test_what_is_found_before_our_modules_is_named_and_left_alone(
    bench: Bench, tmp_path: Path
) -> None:
    _put(bench, {"helper.py": b"MARK = 'in front'\n"})
    done = bench.deploy(project(tmp_path / "one", "one"))
    (warning,) = done.warnings
    assert "/helper.py" in warning and "mpremote rm" in warning
    assert (bench.folder / "helper.py").exists()


def test_a_board_without_a_configuration_is_told_what_comes_next(
    bench: Bench, tmp_path: Path
) -> None:
    (bench.folder / "config.json").unlink()
    done = bench.deploy(project(tmp_path / "one", "one"))
    assert done.ok and "fieldpost provision" in done.text
    assert not (bench.folder / "ran").exists()


@pytest.mark.slow
def test_what_a_node_that_is_ready_measures_and_what_it_does_not_is_said(
    bench: Bench, tmp_path: Path
) -> None:
    root = project(tmp_path / "one", "one")
    done = bench.deploy(root)
    assert done.ok and not done.warnings
    assert done.text.endswith("ready: tester, boot 1. Its first reading: temperature 21.5")
    app = root / "firmware" / "app.py"
    good = app.read_text()
    failed = """print("       0.2 sensor uv: OSError 110 timed out")
    print('       0.2 first reading: {"failed":["uv"]}')"""
    line = """print('       0.2 first reading: {"temperature":21.5}')"""
    assert line in good
    app.write_text(good.replace(line, failed))
    done = bench.deploy(root)
    assert done.ok and done.text.endswith("Its first reading: no field at all")
    (warning,) = done.warnings
    assert warning.startswith("no values from uv (sensor uv: OSError 110 timed out): look at")
    assert f"fieldpost scan --port {bench.port}" in warning
    app.write_text(good.replace(line, failed.replace("OSError 110", "NameError (uv.py, line 5)")))
    assert "what stands at that line" in bench.deploy(root).warnings[0]
    app.write_text(good.replace(line, "pass"))
    (warning,) = bench.deploy(root, reading_s=1).warnings
    assert warning.startswith("no reading came in time") and "fieldpost monitor" in warning


@pytest.mark.slow
def test_a_node_that_does_not_get_ready_is_a_failure_that_shows_its_console(
    bench: Bench, tmp_path: Path
) -> None:
    root = project(tmp_path / "one", "one")
    (root / "lib" / "helper.py").write_text("raise ValueError('no such pin')\n")
    done = bench.deploy(root, ready_s=2)
    assert not done.ok
    assert any("no such pin" in line for line in done.console), done


def test_a_board_of_another_kind_is_refused(bench: Bench, tmp_path: Path) -> None:
    bench.board._names["platform"] = "samd"
    bench.replug()
    done = bench.deploy(project(tmp_path / "one", "one"))
    assert not done.ok and "samd" in done.text
    assert set(bench.files()) == {"config.json"}


def test_the_command_has_a_status_and_json_for_scripts(tmp_path: Path) -> None:
    import typer

    app = typer.Typer()
    app.command()(deploy_command)
    said = CliRunner().invoke(app, ["--port", str(tmp_path / "none"), "--wait", "0", "--json"])
    assert said.exit_code == 1
    (outcome,) = json.loads(said.stdout)["boards"]
    assert not outcome["ok"] and "fieldpost boards" in outcome["text"]


_DRIVER = """
class Mine:
    FIELDS = ("x",)

    def start(self):
        return 0

    def read(self):
        return (1,)
"""


@pytest.mark.slow
def test_drivers_of_ones_own_are_sent_and_stay_until_they_are_erased(
    bench: Bench, tmp_path: Path
) -> None:
    root, folder = project(tmp_path / "one", "one"), tmp_path / "mine"
    folder.mkdir()
    (folder / "mine.py").write_text(_DRIVER)
    first = deploy(str(bench.port), Wish(root, drivers=folder, ready_s=10), Quiet())
    assert first.ok and "lib/mine.mpy" in first.sent, first
    again = deploy(str(bench.port), Wish(root, drivers=folder, ready_s=10), Quiet())
    assert again.ok and not again.sent, again
    # Without the folder they stay, and stay known as what deploy has put there.
    (root / "lib" / "helper.py").write_text("MARK = 'another'\n")
    assert bench.deploy(root).removed == []
    assert "= /lib/mine.mpy" in (bench.folder / ".deploy" / "installed").read_text()
    (folder / "mine.py").write_text(_DRIVER + "\n\nCHANGED = 1\n")
    changed = deploy(str(bench.port), Wish(root, drivers=folder, ready_s=10), Quiet())
    assert list(changed.sent) == ["lib/mine.mpy"]


def test_a_configuration_that_names_no_driver_of_the_folder_is_refused_and_nothing_is_sent(
    bench: Bench, tmp_path: Path
) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "mine.py").write_text(_DRIVER)
    sensors = [{"type": "driver", "driver": "mien:Mine"}]
    (bench.folder / "config.json").write_text(json.dumps({**CONFIG, "sensors": sensors}))
    root = project(tmp_path / "one", "one")
    done = deploy(str(bench.port), Wish(root, drivers=folder, ready_s=10), Quiet())
    assert not done.ok and "did you mean mine.py?" in done.text, done
    assert set(bench.files()) == {"config.json"}
