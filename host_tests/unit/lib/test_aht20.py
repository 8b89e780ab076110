"""The AHT20 driver: a chip's own frame, its calibration, and no frame believed that is damaged."""

from aht20 import AHT20

from emulated.i2c_commands import CommandI2C, FakeAht20


class Bench:
    """One chip and a clock."""

    def __init__(self, **options):
        self.elapsed_ms = 0
        self.chip = FakeAht20(lambda: self.elapsed_ms, **options)
        self.bus = CommandI2C({0x38: self.chip})
        self.driver = AHT20(self.bus, time=self)

    def sleep_ms(self, duration_ms):
        self.elapsed_ms += duration_ms

    def measure(self):
        self.sleep_ms(self.driver.start())
        return self.driver.read()


def test_a_frame_that_a_chip_sent_is_read_as_its_owner_read_it():
    # Published with its values, 23.191071 % and 31.674576 degC: it proves the checksum too.
    frame = b"\x1c\x3b\x5e\x86\x88\xb2\xd2"
    bench = Bench()
    bench.driver.start()
    bench.chip.read = lambda count: frame[:count]
    assert bench.driver.FIELDS == ("temperature", "humidity")
    assert bench.driver.read() == (31.67, 23.19)


def test_the_ends_and_the_middle_of_the_formulae():
    for humidity, temperature, expected in (
        (0, 0, (-50, 0)),
        (0x80000, 0x60000, (25, 50)),
        (0xFFFFF, 0xFFFFF, (150, 100)),
    ):
        assert Bench(humidity=humidity, temperature=temperature).measure() == expected


def test_a_chip_without_calibration_gets_it_and_its_time():
    bench = Bench(calibrated=False)
    assert bench.measure() == (25, 50)
    bench.chip.power_cycle()
    assert bench.measure() == (25, 50)
