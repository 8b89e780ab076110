"""What config.check promises: every error at once, each one precise, and no secret in any."""

from typing import Any

import pytest
from rigs.configurations import SECRET, SECRETS

from firmware.config import check as config
from firmware.config import keys as schema
from firmware.config import keys_sensors

CONFIG: dict[str, Any] = {"node": "greenhouse-1", "mqtt": {"host": "192.168.1.10"}}
MEASURED = ["measured:Measured", "die_temperature", {"die_temperature_c": None}]
MADE = {"recipe": MEASURED, "ranges": {"die_temperature": [-40, 150], "*": [-40, 150]}}
PLAIN: dict[str, Any] = {"fields": [], "calibration": [], "median": 1, "every": 1, "alarms": []}


def errors_of(change: dict[str, Any], secrets: Any = SECRETS) -> list[str]:
    """The errors of the shortest configuration with `change` laid over it."""
    return config.check(CONFIG | change, secrets)[1]


def only_error(change: dict[str, Any], secrets: Any = SECRETS) -> str:
    errors = errors_of(change, secrets)
    assert len(errors) == 1, errors
    return errors[0]


def mqtt(**keys: Any) -> dict[str, Any]:
    return {"mqtt": CONFIG["mqtt"] | keys}


def sensors(*found: Any) -> dict[str, Any]:
    return {"sensors": list(found)}


def test_the_shortest_configuration_gets_every_default() -> None:
    settings, errors = config.check(CONFIG, SECRETS)
    assert errors == []
    assert settings == {
        "node": "greenhouse-1",
        "board": None,
        "boot_window_s": 3,
        "commands": "safe",
        "setup_pin": None,
        "wifi": {
            "hostname": "greenhouse-1",
            "country": None,
            "power": "performance",
            "join_timeout_s": 20,
            "static": None,
            "networks": [("home", "correct horse")],
        },
        "mqtt": {
            "host": "192.168.1.10",
            "port": 1883,
            "tls": None,
            "keepalive_s": 60,
            "clean": True,
            "base": "fieldpost",
            "early": True,
            "timeout_s": 10,
            "window": 512,
            "user": None,
            "password": None,
        },
        "mode": "always_on",
        "sample_s": 60,
        "deliver_every": 1,
        "pace": False,
        "awake_limit_s": 15,
        "low_battery": None,
        "lease_s": 3600,
        "awake_pin": None,
        "home_assistant": None,
        "log_level": "info",
        "led": True,
        "profile": False,
        "health_s": 300,
        "outbox": {"ram_readings": 64, "flash_kib": 256, "durability": "outage"},
        "ntp": {"host": "pool.ntp.org", "interval_s": 86400},
        "retry": {"base_s": 1, "cap_s": 300, "stable_s": 60, "radio_s": 900, "reset_s": 3600},
        "watchdog_s": None,
        "sensors": [{"type": "internal", "name": "internal", "prefix": "", **PLAIN, **MADE}],
    }


def test_credentials_come_from_the_secrets() -> None:
    secrets = {
        "wifi": [{"ssid": "a", "password": ""}, {"ssid": "b", "password": "12345678"}],
        "mqtt": {"user": "u", "password": "p"},
    }
    settings, errors = config.check(CONFIG, secrets)
    assert errors == []
    assert settings["wifi"]["networks"] == [("a", ""), ("b", "12345678")]
    assert (settings["mqtt"]["user"], settings["mqtt"]["password"]) == ("u", "p")


def test_every_error_is_reported_at_once_and_there_are_no_settings() -> None:
    wrong = {
        "node": "Green House",
        "mqtt": {"port": "1883", "keepalive_s": 0},
        "sampel_s": 5,
        "sensors": [{"type": "dht", "pin": "4"}, {"type": "dhd", "pin": 5}],
    }
    settings, errors = config.check(wrong, {"wifi": []})
    assert settings is None
    assert [error.split(":")[0] for error in sorted(errors)] == [
        "mqtt.host",
        "mqtt.keepalive_s",
        "mqtt.port",
        "node",
        "sampel_s",
        "secrets.json wifi",
        "sensors[0].pin",
        "sensors[1].type",
    ]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"sample_s": True}, "sample_s: found true, must be a whole number from 1 to 86400"),
        ({"sample_s": 0}, "sample_s: found 0, must be a whole number from 1 to 86400"),
        ({"sample_s": 1.5}, "sample_s: found 1.5, must be a whole number from 1 to 86400"),
        ({"sample_s": "60"}, 'sample_s: found "60", must be a whole number from 1 to 86400'),
        ({"sample_s": None}, "sample_s: found null, must be a whole number from 1 to 86400"),
        ({"sample_s": [60]}, "sample_s: found a list, must be a whole number from 1 to 86400"),
        (mqtt(clean=1), "mqtt.clean: found 1, must be true or false"),
        ({"wifi": {"country": "gb"}}, 'wifi.country: found "gb", must be two capital letters'),
        ({"wifi": {"power": "max"}}, 'wifi.power: found "max", must be one of "none", "perf'),
        ({"wifi": []}, "wifi: found a list, must be an object with keys hostname, country"),
        ({"wifi": {"hostname": "a_b"}}, 'wifi.hostname: found "a_b", must be 1 to 32 letters'),
        ({"ntp": {"host": "a b"}}, 'ntp.host: found "a b", must be 1 to 253 characters'),
        (mqtt(base="a/+"), 'mqtt.base: found "a/+", must be 1 to 64 bytes'),
        (mqtt(base="$SYS"), 'mqtt.base: found "$SYS", must be'),
        (mqtt(base="/a"), 'mqtt.base: found "/a", must be'),
        (mqtt(keepalive_s=0), "mqtt.keepalive_s: found 0, must be a whole number from 5 to 65535"),
        (mqtt(host="mqtt://broker"), 'mqtt.host: found "mqtt://broker", must be'),
        ({"node": "x" * 33}, 'node: found "' + "x" * 33 + '", must be 1 to 32 characters'),
        ({"node": "\x1b[2J"}, 'node: found "?[2J", must be'),
        ({"node": 10**4400}, "node: found a number beyond all limits, must be"),
        ({"sensors": {}}, "sensors: found an object, must be a list of 0 to 16 objects"),
        ({"sensors": [1] * 17}, "sensors: found a list, must be a list of 0 to 16 objects"),
        (sensors("dht"), 'sensors[0]: found "dht", must be an object with keys type, name, pref'),
        (sensors({"pin": 4}), "sensors[0].type: missing, must be one of aht, analog, bh1750"),
        (sensors({"type": "dht"}), "sensors[0].pin: missing, must be a GPIO number from 0 to 56"),
        (sensors({"type": "dht", "pin": 57}), "sensors[0].pin: found 57, must be a GPIO number"),
    ],
)
def test_an_error_names_the_key_what_was_found_and_what_is_allowed(
    change: dict[str, Any], expected: str
) -> None:
    assert only_error(change).startswith(expected)


def test_a_keepalive_of_zero_is_refused_with_the_reason() -> None:
    assert "some brokers refuse it" in only_error(mqtt(keepalive_s=0))


@pytest.mark.parametrize(
    ("change", "meant"),
    [
        ({"sample": 5}, "sample_s"),
        (mqtt(keepalive=30), "keepalive_s"),
        (mqtt(kepalive_s=30), "keepalive_s"),
        ({"outbox": {"flash_kb": 64}}, "flash_kib"),
        (sensors({"type": "ds18b20", "pin": 4}), "ds18x20"),
        (sensors({"type": "DHT22", "pin": 4}), "dht"),
        (sensors({"type": "dht", "pin": 4, "modle": "DHT11"}), "model"),
    ],
)
def test_what_is_misspelt_is_recognised(change: dict[str, Any], meant: str) -> None:
    assert only_error(change).endswith(f'did you mean "{meant}"?')


def test_what_resembles_nothing_is_told_what_there_is() -> None:
    assert only_error({"colour": 1}).startswith(
        "colour: unknown key; allowed: node, board, boot_window_s"
    )


@pytest.mark.parametrize("top", [None, [], "text", 5, 1.5, True, [CONFIG], float("nan"), b"x"])
def test_a_file_that_is_no_object_is_a_plain_error(top: Any) -> None:
    assert config.check(top, SECRETS)[1][0].startswith("config.json: found ")
    assert config.check(CONFIG, top)[1][0].startswith("secrets.json: found ")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (mqtt(timeout_s=60), "mqtt.timeout_s: found 60, must be less than mqtt.keepalive_s"),
        ({"retry": {"base_s": 9, "cap_s": 8}}, "retry.base_s: found 9, must be at most retry.cap"),
        ({"retry": {"radio_s": 3600}}, "retry.radio_s: found 3600, must be less than retry.reset"),
        ({"outbox": {"flash_kib": 4}}, "outbox.flash_kib: found 4, must be 0 (none), or 8"),
        (
            {"outbox": {"flash_kib": 0, "durability": "reading"}},
            'outbox.durability: found "reading", but outbox.flash_kib is 0',
        ),
        ({"watchdog_s": 2}, "watchdog_s: found 2, must be 0 (off), or 5 to 3600"),
        (
            {"wifi": {"static": {"address": "192.168.1.9", "gateway": "192.168.2.1"}}},
            'wifi.static.gateway: found "192.168.2.1", must be in the same network as',
        ),
        (
            {"wifi": {"static": {"address": "1.2.3.4", "gateway": "1.2.3.1", "mask": "1.2.3.4"}}},
            'wifi.static.mask: found "1.2.3.4", must be a network mask',
        ),
        (
            {"sample_s": 1} | sensors({"type": "dht", "pin": 4}),
            'sample_s: found 1, must be at least 2 for the type "dht" of sensors[0]',
        ),
    ],
)
def test_keys_that_contradict_each_other_are_an_error(
    change: dict[str, Any], expected: str
) -> None:
    assert only_error(change).startswith(expected)


def test_what_a_type_needs_counts_by_how_often_it_is_measured() -> None:
    slow = {"type": "dht", "pin": 4}  # once in two seconds
    for keys, least_s in (
        ({}, 2),
        ({"every": 2}, 1),
        ({"median": 3}, 6),
        ({"median": 3, "every": 4}, 2),
        ({"median": 3, "every": 5}, 2),
    ):
        assert errors_of({"sample_s": least_s} | sensors(slow | keys)) == []
        if least_s > 1:
            error = only_error({"sample_s": least_s - 1} | sensors(slow | keys))
            assert error.startswith(f"sample_s: found {least_s - 1}, must be at least {least_s} ")


@pytest.mark.parametrize("field", ["temperature2", "temperatur", "temperaturx"])
def test_a_name_that_is_only_almost_a_field_is_none(field: str) -> None:
    error = only_error(sensors({"type": "simulated", "alarms": [{"field": field, "above": 1}]}))
    assert error.startswith(f'sensors[0].alarms[0].field: found "{field}", must be one of')


def test_what_counts_is_measured_once_for_a_reading() -> None:
    error = only_error(sensors({"type": "pulses", "pin": 4, "median": 2}))
    assert error.startswith("sensors[0].median: found 2, must be 1: each measurement would")
    error = only_error(sensors({"type": "pulses", "pin": 4, "median": "x"}))
    assert error.startswith('sensors[0].median: found "x"'), "and nothing is made up of it"


def test_what_fits_in_the_limits_is_taken() -> None:
    good = {
        "boot_window_s": 5.0,
        "wifi": {"static": {"address": "10.0.0.2", "gateway": "10.0.0.1"}, "country": "GB"},
        "mqtt": {"host": "broker.example.", "timeout_s": 59},
        "ntp": {"host": None},
        "retry": {"base_s": 8, "cap_s": 8},
        "watchdog_s": 5,
        "sensors": [],
    }
    settings, errors = config.check(CONFIG | good, SECRETS)
    assert errors == []
    assert settings["boot_window_s"] == 5
    assert type(settings["boot_window_s"]) is int
    assert settings["wifi"]["static"] == {
        "address": "10.0.0.2",
        "mask": "255.255.255.0",
        "gateway": "10.0.0.1",
        "dns": "10.0.0.1",
    }
    assert settings["ntp"]["host"] is None
    assert settings["sensors"] == []


def test_a_node_name_with_underscores_becomes_a_legal_host_name() -> None:
    settings, _ = config.check(CONFIG | {"node": "green_house_"}, SECRETS)
    assert settings["wifi"]["hostname"] == "green-house"


def test_every_sensor_type_gets_its_defaults() -> None:
    settings, errors = config.check(
        CONFIG
        | sensors(
            {"type": "internal"},
            {"type": "supply", "pin": 34, "scale": 2},
            {"type": "analog", "pin": 34},
            {"type": "dht", "pin": 4},
            {"type": "ds18x20", "pin": 5, "prefix": True},
            {"type": "bme280", "scl": 22, "sda": 21, "address": "0x77", "prefix": "box"},
            {"type": "simulated", "name": "fake", "prefix": True},
        ),
        SECRETS,
    )
    assert errors == []
    recipes = [one.pop("recipe") for one in settings["sensors"]]
    assert recipes[0] == MEASURED
    meters = [one.pop("measures_supply", None) for one in settings["sensors"]]
    assert meters[:3] == [None, True, None]
    ranges = [one.pop("ranges") for one in settings["sensors"]]
    assert ranges[1]["supply_mv"] == [0, 1e30]
    assert ranges[2]["*"] == [-1e30, 1e30]
    assert ranges[4]["*"] == [-55, 125]
    assert [ranges[5][one] for one in ("temperature", "pressure")] == [[-40, 85], [300, 1100]]
    assert ranges[5]["humidity"] == [0, 100]
    assert recipes[1] == ["analog:Analog", {"adc": [34]}, 2000.0, 0, 16, "supply_mv", 0]
    assert recipes[5] == ["bme280:BME280", {"i2c": [0, 22, 21, 100000]}, 0x77]
    common = {"prefix": "", **PLAIN}
    assert settings["sensors"] == [
        common | {"type": "internal", "name": "internal"},
        common | {"type": "supply", "name": "supply", "pin": 34, "scale": 2.0},
        common
        | {"type": "analog", "name": "analog", "pin": 34, "scale": 1.0, "offset": 0.0}
        | {"oversample": 16, "field": "value"},
        common | {"type": "dht", "name": "dht", "pin": 4, "model": "DHT22"},
        {**PLAIN, "type": "ds18x20", "name": "ds18x20", "prefix": "ds18x20_", "pin": 5}
        | {"resolution": 12, "devices": None},
        {**PLAIN, "type": "bme280", "name": "bme280", "prefix": "box_"}
        | {"bus": 0, "scl": 22, "sda": 21}
        | {"address": 0x77, "freq_hz": 100000},
        {**PLAIN, "type": "simulated", "name": "fake", "prefix": "fake_"}
        | {"seed": 1, "period_s": 86400}
        | {"fail_every": 0},
    ]


MINE = {"type": "driver", "driver": "mine:Mine", "pin": 4}


def test_a_driver_of_ones_own_can_be_given_the_ranges_of_its_fields() -> None:
    given = [{"field": "speed", "lowest": 0, "highest": 60}, {"field": "gust", "lowest": 0}]
    settings, errors = config.check(CONFIG | sensors({**MINE, "ranges": given}), SECRETS)
    assert errors == []
    assert settings["sensors"][0]["ranges"] == {
        "speed": [0, 60],
        "gust": [0, 1e30],
        "*": [-1e30, 1e30],
    }


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ([{"field": "speed"}], "sensors[0].ranges[0]: has no end, must have lowest or highest"),
        (
            [{"field": "speed", "lowest": 5, "highest": 5}],
            "sensors[0].ranges[0].highest: found 5, must be above lowest, 5",
        ),
        (
            [{"field": "speed", "lowest": 0}, {"field": "speed", "highest": 1}],
            'sensors[0].ranges[1].field: "speed" is there twice',
        ),
        ([{"lowest": 0}], "sensors[0].ranges[0].field: missing, must be 1 to 48 characters"),
        ([5], "sensors[0].ranges[0]: found 5, must be an object with keys field, lowest, highest"),
        (5, "sensors[0].ranges: found 5, must be a list of 0 to 16 objects"),
    ],
)
def test_a_range_that_cannot_be_meant_is_an_error(given: object, error: str) -> None:
    settings, errors = config.check(CONFIG | sensors({**MINE, "ranges": given}), SECRETS)
    assert settings is None
    assert len(errors) == 1
    assert errors[0].startswith(error)


def test_a_built_in_type_has_its_range_declared_and_takes_no_other() -> None:
    given = {"type": "internal", "ranges": [{"field": "die_temperature", "lowest": 0}]}
    _, errors = config.check(CONFIG | sensors(given), SECRETS)
    assert "sensors[0].ranges: unknown key" in errors[0]


def test_two_sensors_cannot_have_one_name_or_publish_one_field() -> None:
    twice = sensors({"type": "dht", "pin": 4}, {"type": "dht", "pin": 5})
    assert errors_of(twice) == [
        'sensors[1].name: "dht" is the name of sensors[0] too: give each a name of its own',
        'sensors[1]: publishes "temperature" as sensors[0] does: give one of them "prefix": true; '
        'for this one that makes "dht_temperature"',
    ]
    twice["sensors"][1] |= {"name": "outdoor", "prefix": True}
    assert errors_of(twice) == []


def test_a_field_cannot_take_the_place_of_a_later_device_or_of_the_reading_itself() -> None:
    probes = {"type": "ds18x20", "pin": 4}
    analog = {"type": "analog", "pin": 34, "field": "temperature_2"}
    assert 'publishes "temperature_2" as sensors[0] does' in only_error(sensors(probes, analog))
    assert 'publishes "temperature_2" as sensors[0] does' in only_error(sensors(analog, probes))
    reserved = sensors({"type": "analog", "pin": 34, "field": "seq"})
    assert only_error(reserved).startswith('sensors[0]: publishes "seq", which every reading')


def test_what_a_star_stands_for_is_said_where_a_driver_of_ones_own_clashes() -> None:
    own = {"type": "driver", "driver": "mine:Mine", "pin": 5}
    assert only_error(sensors({"type": "dht", "pin": 4}, own)) == (
        'sensors[1]: publishes any field ("*"), so those of sensors[0]: give this one '
        '"prefix": true, so its fields begin with "driver_"'
    )
    assert errors_of(sensors({"type": "dht", "pin": 4}, {**own, "prefix": True})) == []


@pytest.mark.parametrize(
    ("given", "address"), [(72, 72), ("0x48", 72), ("0x8", 8), ("0x77", 119), (None, None)]
)
def test_the_address_of_a_driver_of_ones_own_is_written_as_any_other(
    given: Any, address: int | None
) -> None:
    one = {"type": "driver", "driver": "mine:Mine", "scl": 5, "sda": 4, "address": given}
    settings, errors = config.check(CONFIG | sensors(one), SECRETS)
    assert errors == [] and settings["sensors"][0]["address"] == address


@pytest.mark.parametrize("given", ["0x78", "0x07", "72", "0x", "0x048", 7, 120, 72.5, True, ""])
def test_what_is_no_address_is_refused_with_what_is(given: Any) -> None:
    one = {"type": "driver", "driver": "mine:Mine", "scl": 5, "sda": 4, "address": given}
    assert 'a whole number from 8 to 119, or the same as "0x42", or null' in only_error(
        sensors(one)
    )


BME = {"type": "bme280", "scl": 22, "sda": 21}


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        ({"type": "ds18x20", "pin": 22}, "sensors[1].pin: pin 22 is taken by sensors[0].scl"),
        ({"type": "analog", "pin": 21}, "sensors[1].pin: pin 21 is taken by sensors[0].sda"),
        (BME, "sensors[1].address: address 118 of I2C bus 0 is taken by sensors[0].address"),
        (BME | {"address": 119, "scl": 20}, "sensors[1].scl: found 20, but sensors[0].scl has 22"),
        (BME | {"address": 119, "freq_hz": 400000}, "sensors[1].freq_hz: found 400000, but sens"),
        (BME | {"bus": 1, "sda": 19}, "sensors[1].scl: pin 22 is taken by sensors[0].scl"),
        (BME | {"address": 119}, None),
        (BME | {"bus": 1, "scl": 18, "sda": 19}, None),
    ],
)
def test_wires_are_shared_only_where_that_works(
    second: dict[str, Any], expected: str | None
) -> None:
    errors = errors_of(sensors(BME, second | {"name": "second", "prefix": True}))
    assert [error[: len(expected or "")] for error in errors] == ([expected] if expected else [])


def test_one_sensor_cannot_use_a_pin_twice() -> None:
    assert only_error(sensors(BME | {"sda": 22})) == (
        "sensors[0].sda: pin 22 is taken by sensors[0].scl"
    )


@pytest.mark.parametrize(
    "devices", [[], [5], ["28-00000a1b2c3"], ["28-00000a1b2c3g"], "28-00000a1b2c3d", [None]]
)
def test_device_ids_are_checked(devices: Any) -> None:
    probe = {"type": "ds18x20", "pin": 4}
    assert only_error(sensors(probe | {"devices": devices})).startswith("sensors[0].devices: ")
    assert errors_of(sensors(probe | {"devices": ["28-00000a1b2c3d"]})) == []


@pytest.mark.parametrize(
    ("change", "path"),
    [
        (mqtt(password=SECRET), "mqtt.password"),
        (mqtt(user=SECRET), "mqtt.user"),
        (mqtt(pasword=SECRET), "mqtt.pasword"),
        ({"wifi": {"ssid": "home", "password": SECRET}}, "wifi.password"),
        ({"wifi": [{"ssid": "home", "psk": SECRET}]}, "wifi[0].psk"),
        ({"wifi": {"networks": [["home", SECRET]]}}, "wifi.networks"),
        ({"PASSWORD": SECRET}, "PASSWORD"),
        ({"broker": {"login": {"password": SECRET}}}, "broker.login"),
        (sensors({"type": "?", "x": {"token": SECRET}}), "sensors[0].x.token"),
    ],
)
def test_a_credential_in_config_json_is_told_where_it_belongs_and_not_shown(
    change: dict[str, Any], path: str
) -> None:
    errors = errors_of(change)
    assert any(error.startswith(f"{path}: belongs in secrets.json") for error in errors), errors
    assert SECRET not in str(errors)


def test_credentials_in_the_brokers_address_are_not_shown() -> None:
    error = only_error(mqtt(host=f"mqtt://me:{SECRET}@broker"))
    assert SECRET not in error
    assert "credentials go into secrets.json" in error


@pytest.mark.parametrize(
    ("secrets", "expected"),
    [
        ({}, "secrets.json wifi: missing, must be a list of 1 to 8 objects with keys ssid, pass"),
        ({"wifi": [{"ssid": SECRET}]}, "secrets.json wifi[0].password: missing, must be 8 to 63"),
        (
            {"wifi": [{"ssid": "", "password": SECRET}]},
            "secrets.json wifi[0].ssid: found a text of 0 characters, must be 1 to 32 bytes",
        ),
        (
            {"wifi": [{"ssid": "ü" * 17, "password": SECRET}]},
            "secrets.json wifi[0].ssid: found a text of 17 characters, must be 1 to 32 bytes",
        ),
        (
            {"wifi": [{"ssid": "a", "password": SECRET[:7]}]},
            "secrets.json wifi[0].password: found a text of 7 characters, must be 8 to 63 bytes",
        ),
        (
            {"wifi": [{"ssid": "a", "password": SECRET * 8}]},
            "secrets.json wifi[0].password: found a text of 72 characters, must be 8 to 63",
        ),
        (
            {"wifi": [{"ssid": "a", "password": 12345678}]},
            "secrets.json wifi[0].password: found no text, must be",
        ),
        ({"wifi": {"ssid": SECRET}}, "secrets.json wifi: found an object, must be a list of 1"),
        ({"wifi": [{SECRET: SECRET}]}, "secrets.json wifi[0].(a key not shown): unknown key; all"),
        (
            SECRETS | {"mqtt": {"pasword": SECRET}},
            'secrets.json mqtt.pasword: unknown key; did you mean "password"?',
        ),
        (SECRETS | {"mqtt": SECRET}, "secrets.json mqtt: found a text of 9 characters, must be"),
        (
            SECRETS | {"mqtt": {"password": SECRET}},
            "secrets.json mqtt.user: missing: MQTT allows no password without a user",
        ),
    ],
)
def test_an_error_in_the_secrets_never_shows_them(secrets: Any, expected: str) -> None:
    errors = errors_of({}, secrets)
    assert any(error.startswith(expected) for error in errors), errors
    assert SECRET not in str(errors)
    assert SECRET[:7] not in str(errors)
    assert "12345678" not in str(errors)


def test_every_default_is_itself_allowed() -> None:
    """Writing each default out comes to the same as leaving it out."""

    def written_out(rows: Any) -> dict[str, Any]:
        return {
            row[0]: written_out(row[3]) if row[1] == "section" else row[2]
            for row in rows
            if row[2] not in (..., None) and row[1] != "sensors"
        }

    required = {"scl": 22, "sda": 21, "pin": 4}
    required |= {
        "trigger": 5,
        "echo": 6,
        "clock": 7,
        "data": 8,
        "tx": 9,
        "rx": 10,
        "driver": "m:C",
    }
    explicit = written_out(schema.CONFIG) | {"node": "n"}
    explicit["mqtt"]["host"] = "h"
    for kind in keys_sensors.NAMES:
        rows, least_s = (
            getattr(keys_sensors.declaration(kind), key) for key in ("KEYS", "LEAST_S")
        )
        needed = {row[0]: required[row[0]] for row in rows if row[2] is ...}
        for keys in ({}, written_out(rows)):
            found = explicit | sensors({"type": kind} | needed | keys) | {"sample_s": least_s}
            short = {"node": "n", "mqtt": {"host": "h"}, "sample_s": least_s}
            settings, errors = config.check(found, SECRETS)
            assert errors == []
            plain = config.check(short | sensors({"type": kind} | needed), SECRETS)[0]
            assert settings == plain
