"""What a configured sensor draws, by the declaration of its type."""

from typing import Any, NamedTuple

from fieldpost.battery.ranges import Range
from firmware.config import keys_sensors


class Sensor(NamedTuple):
    """What a sensor asks of a wake: time in ms, current in mA meanwhile and in uA asleep.

    is_known: nobody can say what a driver of one's own draws, and then it counts for nothing.
    """

    title: str
    sample_ms: float
    active_ma: Range
    standby_ua: Range
    is_known: bool = True


def sensor(settings: dict[str, Any], supply_v: float) -> Sensor:
    """Return a configured sensor's demands; `settings` is one entry of the checked `sensors`.

    One that is read with every n-th reading takes an n-th of its time in each, on the average.
    """
    one = _measured_once(settings, supply_v)
    return one._replace(
        sample_ms=one.sample_ms * settings.get("median", 1) / settings.get("every", 1)
    )


def _measured_once(settings: dict[str, Any], supply_v: float) -> Sensor:
    """Return what one measurement asks, by the declaration of the sensor's type."""
    drawn = keys_sensors.declaration(settings["type"]).draw(settings, supply_v)
    if drawn is None:
        title = settings.get("name") or settings["type"]
        return Sensor(title, 1, Range(0, 0), Range(0, 0), is_known=False)
    title, sample_ms, active_ma, standby_ua = drawn
    return Sensor(title, sample_ms, Range(*active_ma), Range(*standby_ua))
