"""What is typed into the page becomes settings, whole, or an error at its field."""

from __future__ import annotations

import json
import random
import re
import string
from typing import Any
from urllib.parse import urlencode

import pytest
from rigs.portal import GOOD, form

from firmware.config.verify import check_settings
from firmware.portal.form import decode
from firmware.portal.run import networks, passphrase


def submitted(change: dict[str, str], config: Any = None, secrets: Any = None) -> Any:
    made = form(config, secrets)
    found = made.submit({**GOOD, **change})
    return found if found else made.errors


def test_a_bare_board_gets_the_two_files() -> None:
    config, secrets = submitted({})
    assert config == {"node": "kitchen", "mqtt": {"host": "192.168.1.10"}}
    assert secrets == {"wifi": [{"ssid": "Home", "password": "correct horse"}]}
    assert check_settings(config, secrets)[1] == []


@pytest.mark.parametrize(("port", "tls"), [(1883, None), (8883, {"insecure_skip_verify": True})])
def test_a_login_stays_where_the_usual_port_was_written_out(port: int, tls: Any) -> None:
    config: dict[str, Any] = {"node": "old", "mqtt": {"host": "10.0.0.1", "port": port}}
    if tls:
        config["mqtt"]["tls"] = tls
    login = {"user": "ann", "password": "broker-word"}
    secrets = {"wifi": [{"ssid": "Barn", "password": "barn-barn"}], "mqtt": login}
    for typed, kept in ((str(port), True), ("", True), ("1999", False)):
        found = submitted({"host": "10.0.0.1", "port": typed}, config, secrets)
        assert (found[1].get("mqtt") == login) == kept, typed


def test_whatever_else_the_node_knows_is_kept() -> None:
    config = {
        "node": "old",
        "sample_s": 5,
        "mqtt": {"host": "10.0.0.1", "port": 1884, "base": "farm"},
        "sensors": [{"type": "dht", "pin": 4}],
    }
    secrets = {
        "wifi": [
            {"ssid": "Barn", "password": "barn-barn"},
            {"ssid": "Home", "password": "former1"},
        ],
        "mqtt": {"user": "ann", "password": "broker-word"},
    }
    before = json.dumps([config, secrets])
    made = form(config, secrets)
    assert made.values == {"ssid": "Barn", "host": "10.0.0.1", "port": "1884", "node": "old"}
    new_config, new_secrets = made.submit({**GOOD, "host": "10.0.0.1", "port": "1884"})
    assert json.dumps([config, secrets]) == before
    assert made.topic == "farm/kitchen/telemetry"
    assert new_config == {**config, "node": "kitchen"}
    assert new_secrets == {
        "wifi": [{"ssid": "Home", "password": "correct horse"}, secrets["wifi"][0]],
        "mqtt": secrets["mqtt"],
    }


def test_a_stored_password_stays_for_the_same_network_and_broker_alone() -> None:
    config = {"node": "old", "mqtt": {"host": "10.0.0.1"}}
    secrets = {
        "wifi": [{"ssid": "Home", "password": "correct horse"}],
        "mqtt": {"user": "ann", "password": "broker-word"},
    }
    same = {"key": "", "host": "10.0.0.1"}
    assert submitted(same, config, secrets)[1] == secrets
    assert submitted({**same, "user": "ann"}, config, secrets)[1] == secrets
    assert submitted({**same, "user": "bob"}, config, secrets)[1]["mqtt"] == {"user": "bob"}
    assert "mqtt" not in submitted({**same, "host": "10.0.0.2"}, config, secrets)[1]
    assert "mqtt" not in submitted({**same, "port": "1884"}, config, secrets)[1]
    changed = submitted({**same, "user": "bob", "secret": "x"}, config, secrets)[1]
    assert changed["mqtt"] == {"user": "bob", "password": "x"}


def test_a_broker_that_is_taken_away_or_changed_leaves_nothing_of_the_old_one() -> None:
    config = {"node": "old", "mqtt": {"host": "10.0.0.1", "port": 1884, "base": "farm"}}
    assert "missing" in submitted({"host": "", "port": ""}, config)["host"]
    changed, _ = submitted({"host": "10.0.0.2", "port": ""}, config)
    assert changed["mqtt"] == {"host": "10.0.0.2", "base": "farm"}


def test_of_many_networks_the_new_one_and_the_seven_before_it_are_kept() -> None:
    known = [{"ssid": f"Barn {number}", "password": "barn-barn"} for number in range(8)]
    config, secrets = submitted({}, {}, {"wifi": known})
    assert [one["ssid"] for one in secrets["wifi"]] == ["Home"] + [
        one["ssid"] for one in known[:7]
    ]
    assert check_settings(config, secrets)[1] == []


@pytest.mark.parametrize("wifi", [["Barn"], [{"ssid": 5}], [{}], [None], "Barn", {"ssid": "Barn"}])
def test_a_list_of_networks_that_is_none_gives_way_to_the_new_one(wifi: Any) -> None:
    made = form({}, {"wifi": wifi})
    assert made.values["ssid"] == "" and not made.has_networks
    assert made.submit(GOOD)[1]["wifi"] == [{"ssid": "Home", "password": "correct horse"}]


def test_an_open_network_needs_no_password_and_another_does() -> None:
    assert submitted({"ssid": "Open", "key": ""})[1]["wifi"][0]["password"] == ""
    assert "has a password" in submitted({"key": ""})["key"]
    hidden = submitted({"ssid": "", "other": " hidden ", "key": ""})
    assert hidden[1]["wifi"] == [{"ssid": " hidden ", "password": ""}]


@pytest.mark.parametrize(
    ("change", "field", "told"),
    [
        ({"key": "short"}, "key", "a text of 5 characters, must be 8 to 63"),
        ({"ssid": "", "other": ""}, "ssid", "choose one"),
        ({"ssid": "", "other": "x" * 33}, "ssid", "must be 1 to 32"),
        ({"host": ""}, "host", "missing, must be"),
        ({"host": "mqtts://h"}, "host", "without mqtt://"),
        ({"host": "192.168.1.10:1883"}, "host", 'must be "192.168.1.10"; the port goes into'),
        ({"host": "fd00::1"}, "host", "no IPv6"),
        ({"host": "192.168.1.300"}, "host", "four numbers up to 255"),
        ({"host": ".."}, "host", "between its dots"),
        ({"host": "0.0.0.0"}, "host", "one host"),
        ({"port": "x"}, "port", "from 1 to 65535"),
        ({"port": "0"}, "port", "from 1 to 65535"),
        ({"secret": "word"}, "user", "missing"),
        ({"user": "u" * 129}, "user", "must be"),
        ({"node": "Ki tchen"}, "node", "a-z, 0-9"),
        ({"node": ""}, "node", "1 to 32"),
    ],
)
def test_an_error_stands_at_its_field_and_stores_nothing(
    change: dict[str, str], field: str, told: str
) -> None:
    errors = submitted(change)
    assert list(errors) == [field] and told in errors[field]
    assert "correct horse" not in json.dumps(errors)


def test_an_error_elsewhere_in_the_configuration_is_told_by_its_key() -> None:
    errors = submitted({}, {"node": "x", "sampel_s": 5, "health_s": 1})
    assert list(errors) == [""]
    assert "sampel_s: unknown key" in errors[""] and "health_s: found 1" in errors[""]


def test_what_phones_add_is_taken_away() -> None:
    config, _ = submitted(
        {"host": " mqtt://192.168.1.10/ ", "node": " Kitchen ", "port": " 1883 "}
    )
    assert config == {"node": "kitchen", "mqtt": {"host": "192.168.1.10"}}


def test_any_text_survives_the_form() -> None:
    rng = random.Random(7)
    letters = string.printable + "äß€😀\u2028"
    for _ in range(200):
        fields = {
            "a" + str(n): "".join(rng.choices(letters, k=rng.randrange(20))) for n in range(4)
        }
        assert decode(urlencode(fields).encode()) == fields
    for bad in (b"a=%", b"a=%zz", b"a=%ff", b"%g1=1"):
        with pytest.raises(ValueError):
            decode(bad)
    assert decode(b"") == decode(b"&&x") == {}
    # A browser writes %3D; whoever writes "=" can have meant nothing else.
    assert decode(b"key=a=b=c") == {"key": "a=b=c"}


def test_networks_are_sorted_named_once_and_printable() -> None:
    found = [
        (b"weak", -80, False),
        (b"both", -70, False),
        (b"", -20, False),
        (b"\xff\xfe", -20, False),
        (b"bell\x07", -20, False),
        (b"delete\x7f", -20, False),
        ("\x9fc1".encode(), -20, False),
        ("grün 😀".encode(), -60, True),
        (b"both", -50, False),
        (b"both", -55, False),
        (b"both", -50, True),
        ("two words\xa0".encode(), -90, False),
    ]
    assert networks(found) == [
        ("both", -50, False),
        ("grün 😀", -60, True),
        ("weak", -80, False),
        ("two words\xa0", -90, False),
    ]


def test_the_password_of_the_access_point_is_the_boards_own() -> None:
    one = passphrase("e6614c311b5a2f35", b"12345678")
    # It may stand on a label: a later version has to come to the same.
    assert one == "2a57-j67v-syga"
    assert re.fullmatch("[a-km-np-z2-9]{4}-[a-km-np-z2-9]{4}-[a-km-np-z2-9]{4}", one)
    others = {passphrase(f"{n:016x}", b"12345678") for n in range(500)}
    others |= {passphrase("e6614c311b5a2f35", n.to_bytes(8, "big")) for n in range(500)}
    assert len(others | {one}) == 1001
