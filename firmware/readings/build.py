"""The types of sensors that are devices: how each one's driver is built from its configuration.

Loaded with the first of them; `firmware/readings/sensors.py` has those that need none of it. To
add a type, add a row to TYPES, and an entry to TYPES of `firmware/config/keys_sensors.py`.
"""


def _supply(driver, config, board):
    adc = board.adc(config["pin"])
    return driver(adc, config["scale"] * 1000, field="supply_mv", decimals=0)


def _analog(driver, config, board):
    adc = board.adc(config["pin"])
    return driver(adc, config["scale"], config["offset"], config["oversample"], config["field"])


def _dht(driver, config, board):
    return driver(board.pin(config["pin"]), config["model"])


def _ds18x20(driver, config, board):
    return driver(board.onewire(config["pin"]), config["resolution"], config["devices"])


def _bus(config, board):
    return board.i2c(config["bus"], config["scl"], config["sda"], config["freq_hz"])


def _on_i2c(driver, config, board):
    return driver(_bus(config, board), config["address"])


def _on_i2c_with_pauses(driver, config, board):
    return driver(_bus(config, board), config["address"], board.time.sleep_ms)


def _ina219(driver, config, board):
    return driver(_bus(config, board), config["address"], config["shunt_mohm"])


def _digital(driver, config, board):
    pin = board.pin(config["pin"], "in", config["pull"])
    options = config["active_low"], config["field"]
    if "tally" in config:  # firmware/duty_cycle/watched_pins.py minds it
        from changes import Changes

        return Changes(pin, board.time, *options, config["tally"])
    return driver(pin, *options)


def _soil(driver, config, board):
    adc = board.adc(config["pin"])
    return driver(adc, config["dry_mv"], config["wet_mv"], config["oversample"], config["field"])


def _pulses(driver, config, board):
    pin = board.pin(config["pin"], "in", "up")
    options = config["scale"], config["debounce_ms"], config["field"]
    return driver(pin, board.time, *options, config.get("tally"))


def _hcsr04(driver, config, board):
    trigger = board.pin(config["trigger"], "out")
    return driver(trigger, board.pin(config["echo"], "in"), board.time, config["samples"])


def _hx711(driver, config, board):
    clock = board.pin(config["clock"], "out")
    data = board.pin(config["data"], "in", "up")
    return driver(clock, data, board.time, config["scale"], config["offset"], config["field"])


def _pms5003(driver, config, board):
    return driver(board.uart(config["uart"], 9600, config["tx"], config["rx"]))


def _by_name(driver, config, board):
    module, name = config["driver"].split(":")
    # The fourth argument makes it the module itself and not the package around it.
    driver = getattr(__import__(module, None, None, (name,)), name)
    if config["scl"] is not None and config["sda"] is not None:
        bus = _bus(config, board)
        return driver(bus) if config["address"] is None else driver(bus, config["address"])
    return driver() if config["pin"] is None else driver(board.pin(config["pin"]))


# type: (module, class, how to build it from its configuration and the board)
TYPES = {
    "supply": ("analog", "Analog", _supply),
    "analog": ("analog", "Analog", _analog),
    "dht": ("dhtxx", "DHT", _dht),
    "ds18x20": ("ds18b20", "DS18B20", _ds18x20),
    "bme280": ("bme280", "BME280", _on_i2c),
    "sht3x": ("sht3x", "SHT3x", _on_i2c),
    "sht4x": ("sht4x", "SHT4x", _on_i2c),
    "aht": ("aht20", "AHT20", _on_i2c_with_pauses),
    "bh1750": ("bh1750", "BH1750", _on_i2c),
    "scd4x": ("scd4x", "SCD4x", _on_i2c_with_pauses),
    "ina219": ("ina219", "INA219", _ina219),
    "sgp40": ("sgp40", "SGP40", _on_i2c),
    "digital": ("digital", "Digital", _digital),
    "soil": ("soil", "Soil", _soil),
    "pulses": ("pulses", "Pulses", _pulses),
    "hcsr04": ("hcsr04", "HCSR04", _hcsr04),
    "hx711": ("hx711", "HX711", _hx711),
    "pms5003": ("pms5003", "PMS5003", _pms5003),
    "driver": (None, None, _by_name),
}


def build(config, board):
    """The driver of a configured sensor. ImportError if it is not on this board."""
    module, name, make = TYPES[config["type"]]
    return make(getattr(__import__(module), name) if module else None, config, board)
