"""What a node does without as its battery runs down. Loaded if `low_battery` is configured."""


class BatteryPolicy:
    """below_mv: supply under which readings are taken `stretch` times as seldom. stop_mv: supply
    under which nothing is delivered. A supply that cannot be measured (None) is not low."""

    def __init__(self, below_mv, stretch, stop_mv):
        self._below_mv = below_mv
        self._stretch = stretch
        self._stop_mv = stop_mv

    def stretch(self, supply_mv):
        """How many times the configured interval lies between two readings."""
        return 1 if supply_mv is None or supply_mv >= self._below_mv else self._stretch

    def may_deliver(self, supply_mv):
        """Whether the supply carries the radio."""
        return supply_mv is None or supply_mv >= self._stop_mv


def configured(board, settings):
    """(policy, supply_mv() of the board, or of the sensor that measures the supply)."""
    low = settings["low_battery"]
    policy = BatteryPolicy(low["below_mv"], low["stretch"], low["stop_mv"])
    for one in settings["sensors"]:
        if one.get("measures_supply"):
            return policy, _divider(board, one)
    return policy, board.supply_mv


def _divider(board, config):
    """supply_mv() of a board that measures its supply as the sensor of `config` does."""
    from analog import Analog

    def supply_mv():
        try:
            return Analog(board.adc(config["pin"]), config["scale"] * 1000, decimals=0).read()[0]
        except (OSError, ValueError):
            return None  # The sensor's own error is in health; what is unknown is not low.

    return supply_mv
