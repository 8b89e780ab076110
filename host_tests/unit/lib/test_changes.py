"""The input that is minded: no change between two readings is missed, and bounce is none."""

from changes import Changes

from emulated.pin import FakePin

_WRAP = 1 << 30


class MovingPin(FakePin):
    """One that goes to `coming`, if that is not None, right after it was read."""

    coming: int | None = None

    def value(self, level=None):
        found = super().value(level)
        if self.coming is not None and level is None:
            coming, self.coming = self.coming, None
            self.drive(coming)
        return found


class Bench:
    """A contact that bounces, and its tally: `[changed, told, edges, level]`."""

    def __init__(self, level=1, told=None):
        self.now_ms = 1000
        self.pin = MovingPin(level)
        self.tally = [0, told, 0, None]
        self.driver = Changes(self.pin, self, True, "door", self.tally)

    def ticks_ms(self):
        return self.now_ms % _WRAP

    def ticks_diff(self, end, start):
        return (end - start + _WRAP // 2) % _WRAP - _WRAP // 2

    def move(self, level, bounces=0):
        for _ in range(bounces):
            self.pin.drive(level)
            self.pin.drive(1 - level)
            self.now_ms += 1
        self.pin.drive(level)

    def read(self):
        """A reading, after which its level is what was told."""
        value = self.driver.read()[0]
        self.tally[1] = self.tally[3]
        return value


def test_the_level_is_read_as_of_any_input():
    bench = Bench()
    assert bench.driver.FIELDS == ("door",)
    assert bench.read() == 0
    bench.move(0)
    assert bench.read() == 1
    assert bench.read() == 1


def test_a_knock_between_two_readings_is_in_the_next_and_not_in_the_one_after():
    bench = Bench()
    assert bench.read() == 0
    bench.move(0)
    bench.now_ms += 60
    bench.move(1)
    assert (bench.read(), bench.read()) == (1, 0)


def test_a_knock_that_begins_while_the_input_is_read_is_in_the_next_reading():
    bench = Bench()
    bench.read()
    bench.pin.coming = 0
    assert bench.read() == 0
    bench.now_ms += 20
    bench.move(1)
    assert [bench.read() for _ in range(3)] == [1, 0, 0]


def test_a_change_while_the_input_is_read_is_no_knock():
    bench = Bench()
    bench.read()
    bench.pin.coming = 0
    assert [bench.read() for _ in range(4)] == [0, 1, 1, 1]


def test_bounce_is_one_change_whenever_it_is_read():
    for early_ms in (0, 5, 200):
        bench = Bench()
        bench.read()
        bench.move(0, bounces=8)
        assert bench.read() == 1
        bench.now_ms += early_ms
        bench.move(0, bounces=2)
        bench.now_ms += 300
        assert [bench.read() for _ in range(3)][-1] == 1
        bench.move(1, bounces=8)
        assert bench.read() == 0


def test_every_edge_is_there_for_whoever_asks_what_woke_the_board():
    bench = Bench()
    bench.move(0, bounces=3)
    assert bench.tally[:3] == [1, None, 7]
