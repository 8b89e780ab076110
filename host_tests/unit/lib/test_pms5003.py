"""The drivers of PMS5003 and its kin: the latest whole frame, and none whose sum is wrong."""

import pytest
from pms5003 import PMS5003
from pms5003st import PMS5003ST

from emulated.uart import FakePms5003


class Bench:
    """One sensor and a clock."""

    def __init__(self, model=None, **options):
        self.elapsed_ms = 0
        self.sensor = FakePms5003(lambda: self.elapsed_ms, **options)
        self.driver = PMS5003ST(self.sensor, model) if model else PMS5003(self.sensor)

    def read(self, frame):
        """What the driver makes of these bytes."""
        self.driver.start()
        self.sensor.feed(bytes.fromhex(frame))
        return self.driver.read()

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


# Frames of real sensors, from the captures that PyPMS has in tests/captured_data; what they say is
# in the CSV files beside them.
OF_3003 = "424d0014 000100010001 000100010001 000000000051 00fa"
OF_5003 = "424d001c 000000080008 000000080008 00d20046002d001e00000000 9700 02c5"
OF_5003T = "424d001c 001700270029 001600230029 100804a90116000c 00d4 00e0 9a00 04aa"
DRIER_5003T = "424d001c 00160024002a 00150021002a 0eaf0456011a0016 00d4 00df 9a00 0504"


def test_a_pms3003_has_shorter_frames_with_the_masses_in_the_same_places():
    assert Bench().read(OF_3003) == (1, 1, 1)


def test_frames_of_real_sensors_come_out_as_others_read_them():
    assert Bench().read(OF_5003) == (0, 8, 8)
    assert Bench().read(OF_5003T) == (22, 35, 41)
    bench = Bench("PMS5003T")
    assert bench.driver.FIELDS == ("pm1", "pm25", "pm10", "temperature", "humidity")
    assert bench.read(OF_5003T) == (22, 35, 41, 21.2, 22.4)
    assert bench.read(DRIER_5003T) == (21, 33, 42, 21.2, 22.3)


# Words after the masses: six counts, then what the model has (its data sheet, appendix A).
COUNTS = (900, 260, 41, 4, 1, 0)
ST = (*COUNTS, 12, 212, 224, 0, 0x9A00)


def test_a_pms5003st_has_longer_frames_with_formaldehyde_temperature_and_humidity():
    bench = Bench("PMS5003ST", more=ST)
    assert len(bench.sensor.frame()) == 40
    assert (
        *PMS5003.FIELDS,
        "formaldehyde",
        "temperature",
        "humidity",
    ) == bench.driver.FIELDS
    assert bench.measure() == (5, 8, 9, 12, 21.2, 22.4)
    bench.sensor.more = (*COUNTS, 0, -37 & 0xFFFF, 999, 0, 0x9A00)
    assert bench.measure() == (5, 8, 9, 0, -3.7, 99.9)
    # For one who wants the particles alone it is a PMS5003.
    assert Bench(more=ST).measure() == (5, 8, 9)


def test_a_pms5003s_has_formaldehyde_in_the_last_place():
    bench = Bench("PMS5003S", more=(*COUNTS, 87))
    assert (*PMS5003.FIELDS, "formaldehyde") == bench.driver.FIELDS
    assert bench.measure() == (5, 8, 9, 87)


def test_a_frame_of_another_model_is_named_and_not_read():
    with pytest.raises(ValueError, match="a frame of 32 bytes, none of a PMS5003ST"):
        Bench("PMS5003ST").measure()
    with pytest.raises(ValueError, match="a frame of 40 bytes, none of a PMS5003T"):
        Bench("PMS5003T", more=ST).measure()
    with pytest.raises(ValueError, match="a frame of 42 bytes, of an unknown model"):
        Bench(more=(*ST, 0)).measure()


@pytest.mark.parametrize("more", [(0, 0, 0x51), FakePms5003.MORE, ST])
def test_no_part_of_a_longer_frame_is_taken_for_a_shorter_one(more):
    bench = Bench(more=more)
    frame = bench.sensor.frame()
    for size in range(len(frame)):
        bench.driver.start()
        bench.sensor.feed(frame[:size])
        with pytest.raises(OSError, match="no frame"):
            bench.driver.read()
    bench.sensor.corrupt = True
    with pytest.raises(ValueError, match="bad checksum"):
        bench.measure()
