"""The SGP40 driver: the raw signal, and no word believed whose checksum is wrong."""

from sgp40 import SGP40

from emulated.i2c_commands import CommandI2C, FakeSgp40, words


class Bench:
    """One chip and a clock."""

    def __init__(self, raw=0x7C93):
        self.elapsed_ms = 0
        self.chip = FakeSgp40(lambda: self.elapsed_ms, raw)
        self.bus = CommandI2C({0x59: self.chip})
        self.driver = SGP40(self.bus)

    def measure(self):
        self.elapsed_ms += self.driver.start()
        return self.driver.read()


def test_the_command_of_the_data_sheet_is_sent_and_its_answer_read():
    # 'Measure raw signal': 50 %RH is 0x8000 with 0xA2, 25 degC is 0x6666 with 0x93.
    assert words(0x8000, 0x6666) == b"\x80\x00\xa2\x66\x66\x93"
    bench = Bench(0x7C93)
    assert bench.driver.FIELDS == ("voc_raw",)
    assert bench.measure() == (0x7C93,)
