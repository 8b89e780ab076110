"""A fleet's file is checked whole, and every error told, before any board is touched."""

from pathlib import Path

import pytest
from rigs.update_keys import make_keys

from fieldpost.errors import CommandError
from fieldpost.fleet import file as fleet_file
from fieldpost.paths import ROOT

MARKER = "hunter2-marker"
COMMON = """
[config]
sample_s = 60
mqtt = { host = "192.168.1.10", port = 1884 }
[secrets]
wifi = [{ ssid = "home", password = { env = "WIFI" } }]
"""
TWO = """
[[node]]
id = "30:AE:A4:12:34:56"
name = "n1"
config.mqtt.port = 1885
[[node]]
id = "e661"
name = "n2"
"""


@pytest.fixture(autouse=True)
def wifi(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WIFI", MARKER)


def load(text: str, folder: Path) -> list[fleet_file.Node]:
    (folder / "fleet.toml").write_text(text)
    return fleet_file.load(folder / "fleet.toml")


def refused(text: str, folder: Path) -> str:
    with pytest.raises(CommandError, match="no board was touched") as raised:
        load(text, folder)
    assert MARKER not in str(raised.value)
    return str(raised.value)


def test_a_node_has_the_common_configuration_and_its_own_overrides(tmp_path: Path) -> None:
    one, two = load(COMMON + TWO, tmp_path)
    assert (one.id, one.name) == ("30aea4123456", "n1")
    assert one.config["mqtt"] == {"host": "192.168.1.10", "port": 1885}
    assert two.config == {
        "node": "n2",
        "sample_s": 60,
        "mqtt": {"host": "192.168.1.10", "port": 1884},
    }
    assert two.secrets == {"wifi": [{"ssid": "home", "password": MARKER}]}
    assert MARKER not in repr(two)


def test_secrets_come_from_files_too_and_an_override_takes_the_place_of_a_reference(
    tmp_path: Path,
) -> None:
    (tmp_path / "pw").write_text("from-a-file\n")
    (tmp_path / "all.json").write_text('{"wifi": [{"ssid": "s", "password": "12345678"}]}')
    own = 'secrets.mqtt = { user = "u", password = { env = "WIFI" } }\n'
    common = COMMON + 'mqtt = { user = "u", password = { file = "pw" } }\n'
    one, two = load(common + TWO + own, tmp_path)
    assert one.secrets["mqtt"]["password"] == "from-a-file"
    assert two.secrets["mqtt"]["password"] == MARKER
    whole = load(COMMON + TWO + 'secrets = { file = "all.json" }\n', tmp_path)
    assert whole[1].secrets == {"wifi": [{"ssid": "s", "password": "12345678"}]}


def test_tools_7_a_password_in_the_file_itself_is_refused(tmp_path: Path) -> None:
    text = COMMON.replace('{ env = "WIFI" }', f'"{MARKER}"') + TWO
    assert "secrets.wifi[0].password stands in the file itself" in refused(text, tmp_path)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ('[[node]]\nid = "E6:61"\nname = "n3"', "id e661 stands in several entries: n2, n3"),
        ('[[node]]\nid = "77"\nname = "n1"', "name n1 stands in several entries: 30aea4123456"),
        ('[[node]]\nid = "77"\nname = "n3"\nfoo = 1', "unknown key foo"),
        ('[[node]]\nid = "77"\nname = "n3"\nconfg.x = 1', "did you mean config?"),
        (
            '[[node]]\nid = "77"\nname = "n3"\nconfig.sampel_s = 1',
            "(n3): sampel_s: unknown key; did you",
        ),
        ('[[node]]\nid = "77"\nname = "n3"\nconfig.node = "x"', "config.node"),
        ('[[node]]\nid = "77"\nname = "N 3"', "node"),
        ('[[node]]\nname = "n3"', "id must be a text (`fieldpost boards --json`"),
        ('[[node]]\nid = 77\nname = "n3"', "id must be a text"),
        ('[[node]]\nid = "77"\nname = "n3"\nconfig.ntp = 2026-01-01', "dates"),
        ('[[node]]\nid = "77"\nname = "n3"\nconfig = 3', "config must be a table"),
        ('[[node]]\nid = "77"\nname = "n3"\nmicropython.image = "no.bin"', "no file"),
        ('[[node]]\nid = "77"\nname = "n3"\nmicropython.version = 1', "must be a text"),
        ('[[node]]\nid = "77"\nname = "n3"\nfiles = {"firmware/x" = "y"}', "no place"),
        ('[[node]]\nid = "77"\nname = "n3"\nfiles = {"certs/../boot.py" = "y"}', "no place"),
        ('[[node]]\nid = "77"\nname = "n3"\nfiles = {"certs/ca.der" = "no"}', "cannot read"),
        ('[[node]]\nid = "77"\nname = "n3"\nsecrets.mqtt.user = {env = "NO_SUCH"}', "NO_SUCH"),
        ('[[node]]\nid = "77"\nname = "n3"\nsecrets.mqtt.user = {file = "no"}', "cannot read"),
    ],
)
def test_each_error_is_named(more: str, said: str, tmp_path: Path) -> None:
    assert said in refused(COMMON + TWO + more, tmp_path)


def test_all_errors_are_told_at_once(tmp_path: Path) -> None:
    said = refused("colour = 1\n" + COMMON + TWO + "frob = 1\n[[node]]\nname = 3", tmp_path)
    assert "3 errors" in said


@pytest.mark.parametrize("text", ["", "node = 3", "[[node]", "node = [1]", "[node]\nid = '1'"])
def test_a_file_that_is_no_fleet_is_an_error_and_no_traceback(text: str, tmp_path: Path) -> None:
    with pytest.raises(CommandError):
        load(text, tmp_path)


def test_null_is_written_as_a_table(tmp_path: Path) -> None:
    nodes = load(COMMON + TWO + "config.ntp.host = { null = true }\n", tmp_path)
    assert nodes[1].config["ntp"] == {"host": None}


def test_files_of_a_node_are_found_by_its_name(tmp_path: Path) -> None:
    for name in ("n1", "n2"):
        (tmp_path / name).write_bytes(name.encode())
    one, two = load(COMMON + '[files]\n"certs/key.der" = "{name}"\n' + TWO, tmp_path)
    assert (one.files, two.files) == ({"certs/key.der": b"n1"}, {"certs/key.der": b"n2"})


def test_a_node_chooses_its_own_micropython(tmp_path: Path) -> None:
    (tmp_path / "x.uf2").touch()
    text = '[micropython]\nversion = "1.29.0"\n' + COMMON + TWO
    one, two = load(text + 'micropython.image = "x.uf2"\n', tmp_path)
    assert (one.micropython.version, one.micropython.image) == ("1.29.0", None)
    assert (two.micropython.version, two.micropython.image) == (None, tmp_path / "x.uf2")
    both = 'micropython = {version = "1", image = "x.uf2"}\n'
    assert "leave one out" in refused(COMMON + TWO + both, tmp_path)


def test_the_example_is_right(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("GREENHOUSE_WIFI", "FREEZER_MQTT"):
        monkeypatch.setenv(name, MARKER)
    (tmp_path / "mqtt.password").write_text("x")
    assert len(load((ROOT / "examples" / "fleet.toml").read_text(), tmp_path)) == 3


def test_a_fleet_or_one_node_has_keys_for_updates(tmp_path: Path) -> None:
    common, own = make_keys(tmp_path / "common"), make_keys(tmp_path / "own", which=1)
    one, two = load('keys = "common"\n' + COMMON + TWO + 'keys = "own"\n', tmp_path)
    assert one.files == {"update.keys": common.node_file()}
    assert two.files == {"update.keys": own.node_file()}
    assert "fieldpost keys new" in refused('keys = "none"\n' + COMMON + TWO, tmp_path)
    assert "must be the path" in refused("keys = 1\n" + COMMON + TWO, tmp_path)
    files = '[files]\n"update.keys" = "x"\n'
    assert "no place for a file" in refused(COMMON + files + TWO, tmp_path)
