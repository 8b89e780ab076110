"""The PMS5003 driver: the latest whole frame, and none whose sum is wrong."""

import pytest
from pms5003 import PMS5003

from fakes.uart import FakePms5003


class Bench:
    """One sensor and a clock."""

    def __init__(self, **options):
        self.elapsed_ms = 0
        self.sensor = FakePms5003(lambda: self.elapsed_ms, **options)
        self.driver = PMS5003(self.sensor)

    def measure(self):
        self.elapsed_ms += self.driver.start()
        return self.driver.read()


def test_the_three_masses_of_a_frame_are_read():
    bench = Bench(pm=(5, 300, 999))
    assert len(bench.sensor.frame()) == 32
    assert bench.driver.FIELDS == ("pm1", "pm25", "pm10")
    assert bench.measure() == (5, 300, 999)


def test_what_waited_in_the_buffer_for_an_hour_is_not_believed():
    bench = Bench(pm=(1, 1, 1))
    bench.elapsed_ms += 3_600_000
    # Here the buffer runs over.
    assert bench.sensor.any() == 256
    bench.sensor.pm = (7, 8, 9)
    assert bench.measure() == (7, 8, 9)


def test_of_several_frames_the_latest_counts():
    bench = Bench(interval_ms=200)
    bench.driver.start()
    for value in (1, 2, 3):
        bench.sensor.pm = (value, value, value)
        bench.elapsed_ms += 200
        bench.sensor.any()
    assert bench.driver.read() == (3, 3, 3)


def test_a_torn_frame_before_or_after_a_whole_one_does_no_harm():
    bench = Bench()
    bench.driver.start()
    frame = bench.sensor.frame()
    bench.sensor.feed(frame[20:] + frame + frame[:9])
    assert bench.driver.read() == (5, 8, 9)


def test_bytes_that_look_like_a_head_inside_a_frame_are_none():
    bench = Bench(pm=(0x424D, 8, 9))
    assert bench.measure() == (0x424D, 8, 9)


def test_a_wrong_sum_is_a_value_error_and_the_next_reading_is_good():
    bench = Bench()
    bench.sensor.corrupt = True
    with pytest.raises(ValueError, match="bad checksum"):
        bench.measure()
    bench.sensor.corrupt = False
    assert bench.measure() == (5, 8, 9)


def test_noise_is_a_value_error_and_a_line_that_stays_low_too():
    for byte in (b"\x00", b"\x42"):
        bench = Bench()
        bench.driver.start()
        bench.sensor.feed(byte * 200)
        with pytest.raises(ValueError, match="bad checksum"):
            bench.driver.read()


def test_an_absent_sensor_and_half_a_frame_are_os_errors():
    bench = Bench()
    bench.sensor.present = False
    with pytest.raises(OSError, match="no frame"):
        bench.measure()
    bench.driver.start()
    bench.sensor.feed(bench.sensor.frame()[:31])
    with pytest.raises(OSError, match="no frame"):
        bench.driver.read()
