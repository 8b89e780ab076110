"""A capacitive soil moisture probe on an analogue input, calibrated at two points."""

# A probe that is broken or pulled out gives a voltage far from both points.
_OUTSIDE_PERCENT = 25


class Soil:
    """`adc` is an object with `read_uv()`, microvolts at the pin.

    Field: 0 (%) at `dry_mv`, 100 at `wet_mv` (which is the lower one of most probes), straight in
    between, to 0.1. A little outside counts as the end, more raises ValueError. `oversample`
    measurements are averaged.
    """

    def __init__(self, adc, dry_mv, wet_mv, oversample=16, field="soil_moisture"):
        if dry_mv == wet_mv:
            raise ValueError("dry_mv and wet_mv are the same")
        self._adc = adc
        self._dry_uv = dry_mv * 1000
        self._span_uv = (wet_mv - dry_mv) * 1000
        self._oversample = oversample
        self.FIELDS = (field,)

    def start(self):
        return 0

    def read(self):
        total_uv = 0
        for _ in range(self._oversample):
            total_uv += self._adc.read_uv()
        average_uv = total_uv // self._oversample
        tenths = (average_uv - self._dry_uv) * 1000 // self._span_uv
        if not -10 * _OUTSIDE_PERCENT <= tenths <= 1000 + 10 * _OUTSIDE_PERCENT:
            raise ValueError(f"{average_uv // 1000} mV is far outside dry and wet, no probe?")
        return (min(max(tenths, 0), 1000) / 10,)
