"""A sensor's `fields`, `calibration`, `median`, `every`: what is published, at what cost."""

import sys

import pytest

from fakes.scripted import recipe_of
from firmware.config import check as config
from firmware.readings.sensors import Sensors

PLAIN = {
    "ranges": {"*": [-1e30, 1e30]},
    "fields": [],
    "calibration": [],
    "median": 1,
    "every": 1,
    "prefix": "",
}


class Scripted:
    """A driver whose measurements are given: tuples, or exceptions to raise."""

    FIELDS = ("temperature", "humidity")

    def __init__(self, script, wait_ms):
        self.script = script
        self.wait_ms = wait_ms
        self.started = 0

    def start(self):
        self.started += 1
        return self.wait_ms

    def read(self):
        outcome = self.script.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


@pytest.fixture
def bench(monkeypatch):
    """Makes the layer of one scripted sensor; `bench.drivers` has every driver that was built."""

    def make(script, wait_ms=20, **keys):
        def build():
            make.drivers.append(Scripted(script, wait_ms))
            return make.drivers[-1]

        name = f"scripted{len(make.drivers)}"
        recipe = recipe_of(monkeypatch, name, build)
        return Sensors([{**PLAIN, "recipe": recipe, "name": "one", **keys}], None)

    make.drivers = []
    return make


def take(layer, seq=0):
    """One reading: (fields, errors, how long each wait was)."""
    waits = [layer.start(seq)]
    wait_ms = layer.again()
    while wait_ms:
        waits.append(wait_ms)
        wait_ms = layer.again()
    fields, errors = layer.collect()
    return dict(fields), errors, waits


def test_only_the_chosen_fields_are_published_in_their_order(bench):
    layer = bench([(21.5, 40)], fields=["humidity"], prefix="out_")
    assert take(layer)[:2] == ({"out_humidity": 40}, [])
    layer = bench([(21.5, 40)], fields=["humidity", "temperature"])
    layer.start()
    assert layer.collect()[0] == [("humidity", 40), ("temperature", 21.5)]


def test_what_is_not_chosen_can_be_wrong_without_harm(bench):
    layer = bench([(21.5, float("nan"))], fields=["temperature"])
    assert take(layer)[:2] == ({"temperature": 21.5}, [])


def test_a_chosen_field_that_the_device_has_not_is_an_error(bench):
    # A BMP280 in the place of a BME280.
    fields, errors, _ = take(bench([(21.5, 40)], fields=["temperature", "pressure"]))
    assert fields == {"temperature": 21.5}
    assert errors == [("one", "pressure: ValueError is none of the driver's fields")]


def test_a_correction_scales_first_and_then_shifts(bench):
    correction = [{"field": "temperature", "scale": 2.0, "offset": -0.5}]
    assert take(bench([(21.5, 40)], calibration=correction))[0] == {
        "temperature": 42.5,
        "humidity": 40,
    }


def test_the_median_of_several_measurements_leaves_a_stray_one_out(bench):
    script = [(21, 40), (85, 41), (22, 0)]
    fields, errors, waits = take(bench(script, median=3))
    assert (fields, errors) == ({"temperature": 22, "humidity": 40}, [])
    assert waits == [20, 20, 20]
    assert script == []


def test_a_sensor_that_needs_no_time_measures_at_once(bench):
    fields, _, waits = take(bench([(1, 5), (2, 4), (3, 3), (4, 2), (5, 1)], wait_ms=0, median=5))
    assert (fields, waits) == ({"temperature": 3, "humidity": 3}, [0])
    _, _, waits = take(bench([(1, 5), (2, 4), (3, 3)], wait_ms=1, median=3))
    assert waits == [1, 1, 1], "the least that it can want is waited for"


def test_a_measurement_that_fails_is_left_out_while_the_others_are_the_majority(bench):
    script = [OSError(110), (21, 40), (22, 41)]
    layer = bench(script, median=3)
    assert take(layer)[:2] == ({"temperature": 22, "humidity": 41}, [])
    assert len(bench.drivers) == 2  # as after any failure, it was built anew
    script += [(21, 40), (22, 41), OSError(110)]
    assert take(layer)[:2] == ({"temperature": 22, "humidity": 41}, [])


def test_half_of_the_measurements_are_no_majority(bench):
    script = [(21, 40), (22, 41), OSError(110), OSError(110)]
    fields, errors, _ = take(bench(script, median=4))
    assert (fields, errors) == ({}, [("one", "OSError 110 timed out")])


def test_a_sensor_that_is_gone_costs_no_more_measurements_than_prove_it(bench):
    script = [OSError(19)] * 9
    fields, errors, _ = take(bench(script, median=5))
    assert (fields, errors) == ({}, [("one", "OSError 19 no such device")])
    assert len(script) == 9 - 3


def test_a_field_that_is_mostly_wrong_is_an_error_and_leaves_the_other(bench):
    script = [(21, OSError(19, "gone")), (22, OSError(19, "gone")), (23, 40)]
    fields, errors, _ = take(bench(script, median=3))
    assert fields == {"temperature": 22}
    assert errors == [("one", "humidity: OSError 19 gone")]


def test_a_sensor_is_read_with_every_nth_reading_by_the_readings_number(bench):
    script = [(21, 40), (22, 41), (23, 42)]
    layer = bench(script, every=3)
    taken = [take(layer, seq) for seq in range(7)]
    published = [fields.get("temperature") for fields, _, _ in taken]
    assert published == [21, None, None, 22, None, None, 23]
    assert all(errors == [] for _, errors, _ in taken)
    assert bench.drivers[0].started == 3
    # After a deep sleep nothing is left but the number: no error, and no measurement.
    assert take(bench([], every=3), 4) == ({}, [], [0])


def test_an_error_stands_in_health_until_the_sensor_is_read_again(bench):
    layer = bench([OSError(19), (21, 40)], every=2)
    assert take(layer, 0)[1] == [("one", "OSError 19 no such device")]
    assert take(layer, 1)[1] == []
    assert layer.errors == {"one": "OSError 19 no such device"}
    take(layer, 2)
    assert layer.errors == {}


def test_sensors_that_measure_once_and_often_make_one_reading(bench, monkeypatch):
    bench([])
    quick = [(value, 0) for value in (1, 3, 2)]
    slow_recipe = recipe_of(monkeypatch, "slow", lambda: Scripted([(9, 9)], 50))
    quick_recipe = recipe_of(monkeypatch, "quick", lambda: Scripted(quick, 20))
    slow = {**PLAIN, "recipe": slow_recipe, "name": "slow", "prefix": "slow_"}
    often = {**PLAIN, "recipe": quick_recipe, "name": "quick", "median": 3}
    layer = Sensors([slow, often], None)
    fields, errors, waits = take(layer)
    assert (fields["slow_temperature"], fields["temperature"], errors) == (9, 2, [])
    assert waits == [50, 20, 20]


def test_a_node_that_uses_none_of_it_does_not_load_it(bench, monkeypatch):
    monkeypatch.delitem(sys.modules, "firmware.readings.conditioning", raising=False)
    assert take(bench([(21.5, 40)]))[0] == {"temperature": 21.5, "humidity": 40}
    assert "firmware.readings.conditioning" not in sys.modules
    assert take(bench([(21.5, 40)], fields=["humidity"]))[0] == {"humidity": 40}
    assert "firmware.readings.conditioning" in sys.modules


def errors_of(sensor, **top):
    found = {"node": "n", "mqtt": {"host": "h"}, "sensors": [{"type": "simulated", **sensor}]}
    secrets = {"wifi": [{"ssid": "home", "password": "correct horse"}]}
    return config.check({**found, **top}, secrets)[1]


@pytest.mark.parametrize(
    ("sensor", "expected"),
    [
        (
            {"fields": ["humidty"]},
            'sensors[0].fields[0]: found "humidty", must be one of the type',
        ),
        ({"fields": ["humidity", "humidity"]}, 'sensors[0].fields[1]: "humidity" is there twice'),
        ({"fields": "humidity"}, 'sensors[0].fields: found "humidity", must be a list of 0 to 16'),
        ({"fields": ["1"]}, "sensors[0].fields: found a list, must be a list of 0 to 16 names"),
        (
            {"fields": ["humidity"], "calibration": [{"field": "temperature", "offset": 1}]},
            'sensors[0].calibration[0].field: found "temperature", must be one of the sensor\'s',
        ),
        (
            {"calibration": [{"field": "humidity", "scale": 0}]},
            "sensors[0].calibration[0].scale: found 0, which leaves nothing",
        ),
        ({"calibration": [{}]}, "sensors[0].calibration[0].field: missing, must be 1 to 48"),
        ({"median": 0}, "sensors[0].median: found 0, must be a whole number from 1 to 9"),
        ({"every": "2"}, 'sensors[0].every: found "2", must be a whole number from 1 to 1000'),
        ({"alarms": [{"field": "humidity"}]}, "sensors[0].alarms[0]: has no threshold, must have"),
        (
            {"alarms": [{"field": "temprature", "above": 30}]},
            'sensors[0].alarms[0].field: found "temprature", must be one of '
            "the sensor's published fields: temperature, humidity",
        ),
        ({"type": "pulses", "pin": 4, "median": 3}, "sensors[0].median: found 3, must be 1: each"),
    ],
)
def test_a_key_that_does_not_fit_its_sensor_is_an_error(sensor, expected):
    (error,) = errors_of(sensor)
    assert error.startswith(expected)


def test_what_a_type_may_publish_by_many_names_can_be_chosen_by_each():
    probes = {"type": "ds18x20", "pin": 4, "fields": ["temperature_00000a1b2c3d"]}
    assert errors_of(probes) == []
    by_name = {"type": "driver", "driver": "m:C", "fields": ["tvoc"]}
    assert errors_of({**by_name, "alarms": [{"field": "tvoc", "above": 300}]}) == []


def test_two_sensors_with_one_field_need_no_prefix_if_one_of_them_keeps_it_back():
    other = {"type": "dht", "pin": 4, "fields": ["humidity"]}
    both = [{"type": "simulated", "fields": ["temperature"]}, other]
    assert errors_of({}, sensors=both) == []


def test_the_shortest_interval_counts_what_a_sensor_really_does():
    probe = {"type": "dht", "pin": 4}
    (error,) = errors_of({**probe, "median": 3}, sample_s=5)
    assert error == 'sample_s: found 5, must be at least 6 for the type "dht" of sensors[0]'
    assert errors_of({**probe, "median": 3, "every": 2}, sample_s=3) == []
    assert errors_of({**probe, "every": 2}, sample_s=1) == []
    assert errors_of({"type": "analog", "pin": 34, "median": 9}, sample_s=1) == []
