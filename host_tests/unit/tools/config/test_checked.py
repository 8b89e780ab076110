"""What the host has checked a board takes as checked, until somebody changes a file by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from rigs.deploy import Bench, project
from rigs.port import run_port

from fieldpost.config import checked
from fieldpost.config import files as config_files
from fieldpost.provision import node_files
from fieldpost.provision.node_files import Answers
from firmware.config import load as loading
from firmware.config import verify as checking
from firmware.portal import run as portal_run

_ANSWERS = Answers("net-marker", "pass-marker", "mqtt://me:login-marker@192.168.1.10", "bench-1")
_LOAD = """
import json, sys
from firmware.app import read_settings
settings, errors = read_settings()
checked = "firmware.config.verify" in sys.modules
print(json.dumps({"settings": settings, "errors": errors, "checked": checked}))
"""


def _load(folder: Path) -> dict[str, Any]:
    """What a board with these files does at its start."""
    return json.loads(run_port(_LOAD, cwd=folder))


def _provisioned(folder: Path) -> Path:
    analog = {"type": "analog", "pin": 26, "scale": 0.1}
    config = {"sensors": [{"type": "simulated", "prefix": True}, analog]}
    node_files.put_in_folder(folder, node_files.make(_ANSWERS, config=config))
    return folder


def test_a_provisioned_board_takes_the_hosts_word_and_gets_the_same_settings(
    tmp_path: Path,
) -> None:
    found = _load(_provisioned(tmp_path))
    settings, errors = config_files.load(tmp_path)
    assert errors == found["errors"] == [] and not found["checked"]
    assert found["settings"] == json.loads(json.dumps(settings))
    # The board, asked to check by itself, keeps the very same.
    by_host = json.loads((tmp_path / "config.checked").read_text())
    (tmp_path / "config.checked").unlink()
    assert _load(tmp_path)["checked"]
    assert json.loads((tmp_path / "config.checked").read_text()) == by_host


@pytest.mark.parametrize("name", ["config.json", "secrets.json"])
def test_a_file_changed_by_hand_is_checked_on_the_board_again(tmp_path: Path, name: str) -> None:
    path = _provisioned(tmp_path) / name
    path.write_text(path.read_text().replace("bench-1", "bench-2").replace("net-marker", "other"))
    found = _load(tmp_path)
    assert found["checked"] and found["errors"] == []
    assert ("other" in str(found["settings"])) == (name == "secrets.json")
    assert not _load(tmp_path)["checked"], "it was not kept"
    path.write_text(path.read_text().replace("{", '{"unknown": 1,', 1))
    found = _load(tmp_path)
    assert found["checked"] and "unknown key" in found["errors"][0]


@pytest.mark.parametrize("spoilt", ["", "{", "[]", "1", '{"mark": 1}'])
def test_a_spoilt_file_is_as_good_as_none(tmp_path: Path, spoilt: str) -> None:
    path = _provisioned(tmp_path) / "config.checked"
    mark = json.loads(path.read_text())["mark"]
    for text in (spoilt, json.dumps({"mark": mark}), json.dumps({"mark": mark, "settings": 1})):
        path.write_text(text)
        found = _load(tmp_path)
        assert found["checked"] and found["errors"] == []


@pytest.mark.parametrize("name", ["config.json", "secrets.json"])
def test_a_file_that_flash_does_not_give_is_not_taken_for_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Without settings a board sleeps for days; a start that fails is made again in seconds."""
    monkeypatch.chdir(_provisioned(tmp_path))
    (tmp_path / name).unlink()
    assert loading.load_checked() is None
    assert checking.check_and_keep()[1] == [f"{name}: {checking.MISSING}"]
    (tmp_path / name).mkdir()  # Which cannot be opened, and is there.
    with pytest.raises(OSError):
        loading.load_checked()
    with pytest.raises(OSError):
        checking.check_and_keep()
    with pytest.raises(OSError):
        portal_run._read_dict(name)


def test_no_credential_is_in_it(tmp_path: Path) -> None:
    folder = _provisioned(tmp_path)
    assert "marker" in (folder / "secrets.json").read_text()
    assert "marker" not in (folder / "config.checked").read_text()


@pytest.mark.parametrize("config", [b"{", b'{"node": "n"}', b'{"node": "n", "node": "m"}'])
def test_what_does_not_pass_is_left_for_the_board_to_refuse(config: bytes) -> None:
    files = {"config.json": config, "secrets.json": b'{"wifi": []}'}
    assert checked.with_checked(files) == files


@pytest.mark.slow
def test_a_deployment_renews_it_for_the_firmware_that_it_brings(tmp_path: Path) -> None:
    secrets = {"wifi": [{"ssid": "net", "password": "eight characters"}]}
    with Bench(tmp_path) as bench:
        path = bench.folder / "config.checked"
        path.write_text("of the firmware before")
        (bench.folder / "secrets.json").write_text(json.dumps(secrets))
        root = project(tmp_path / "project", "1")
        assert bench.deploy(root, start=False).ok
        mark = json.loads(path.read_text())["mark"]
        (bench.folder / "config.json").write_text("{}")
        (root / "firmware" / "part.py").write_text("MARK = 2\n")
        assert bench.deploy(root, start=False).ok
        assert mark and not path.exists(), "a configuration that is no good is called checked"


@pytest.mark.slow
def test_a_deployment_leaves_what_the_new_firmware_would_check_the_same(tmp_path: Path) -> None:
    secrets = {"wifi": [{"ssid": "net", "password": "eight characters"}]}
    with Bench(tmp_path) as bench:
        path = bench.folder / "config.checked"
        (bench.folder / "secrets.json").write_text(json.dumps(secrets))
        root = project(tmp_path / "project", "1")
        assert bench.deploy(root, start=False).ok
        written_ns, text = path.stat().st_mtime_ns, path.read_text()
        (root / "firmware" / "part.py").write_text("MARK = 2\n")
        assert bench.deploy(root, start=False).modules == 1
        assert (path.stat().st_mtime_ns, path.read_text()) == (written_ns, text)
        path.write_text(text.replace("tester", "toaster"))
        (root / "firmware" / "part.py").write_text("MARK = 3\n")
        assert bench.deploy(root, start=False).modules == 1
        assert path.read_text() == text


@pytest.mark.parametrize("name", ["config.json", "secrets.json"])
def test_a_file_that_is_no_json_is_named_with_who_shows_where(tmp_path: Path, name: str) -> None:
    (_provisioned(tmp_path) / name).write_text('{"node": ')
    (error,) = _load(tmp_path)["errors"]
    assert error == f"{name}: is not JSON (fieldpost config check shows where)"


_CHECK = """
import json, sys
from firmware.config.verify import check_and_keep, check_settings
import firmware.config
settings, errors = check_and_keep()
again, more = check_settings(json.load(open("config.json")))
left = [one for one in ("check", "keys", "keys_sensors") if hasattr(firmware.config, one)]
loaded = [one for one in sys.modules if one.startswith("firmware.config.")]
print(json.dumps([errors + more, again == settings, left, sorted(loaded)]))
"""


def test_a_board_that_has_checked_gives_the_schemas_memory_back_and_knows_its_secrets(
    tmp_path: Path,
) -> None:
    errors, is_same, left, loaded = json.loads(run_port(_CHECK, cwd=_provisioned(tmp_path)))
    assert errors == [] and is_same, "a change by command is checked with the board's own secrets"
    assert left == [] and loaded == ["firmware.config.load", "firmware.config.verify"]
