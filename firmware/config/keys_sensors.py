"""The sensors' part of the schema: what every sensor may say, and each type's fields and keys.

Rows, kinds and comments are as in `firmware/config/keys.py`. To add a sensor type, add an entry to
TYPES. A wire's kind says who may share it: "pin" is for one sensor alone, "adc" may be read by
several, "scl", "sda" and "bus hz" must be the same for all sensors with the same `bus`, and an
"address" may be there only once.
"""

CALIBRATION = (
    # The sensor's field, by its own name.
    ("field", "field", ..., 1, 48),
    # What its value is multiplied by.
    ("scale", "float", 1.0, -1e6, 1e6),
    # What is added then.
    ("offset", "float", 0.0, -1e6, 1e6),
)

ALARM = (
    # The sensor's field, by its own name.
    ("field", "field", ..., 1, 48),
    # Deliver at once when the value rises above this, and when it has come back.
    ("above", "float", None, -1e6, 1e6),
    # Deliver at once when the value falls below this, and when it has come back.
    ("below", "float", None, -1e6, 1e6),
    # Deliver at once when the value differs by so much from the one delivered last.
    ("change", "float", None, 0, 1e6),
)

# Keys of every sensor, whatever its type.
EVERY = (
    # What it is; the types and their own keys are listed below.
    ("type", "type", ...),
    # Name of this sensor in errors and prefixes, unlike any other sensor's. null: its type.
    ("name", "field", None, 1, 24),
    # Put before its fields when two sensors publish the same one: true: the sensor's name
    # (`outdoor` makes `outdoor_temperature`); a text: that text.
    ("prefix", "prefix", False),
    # The fields to publish, by the type's own names, in this order. []: all of them.
    ("fields", "names", []),
    # Corrections of fields: what is published is scale * value + offset.
    ("calibration", "list", [], CALIBRATION, 0, 16),
    # Measurements for one reading, one after the other, of which the median is published. Each
    # takes its time.
    ("median", "int", 1, 1, 9),
    # Read with every so many-th reading only, which alone has its fields; the first of each boot
    # has them.
    ("every", "int", 1, 1, 1000),
    # In the duty cycle: fields whose reading is delivered at once when it crosses a threshold.
    ("alarms", "list", [], ALARM, 0, 8),
)

# Of every sensor on I2C.
_I2C = (
    # Number of the I2C bus.
    ("bus", "int", 0, 0, 1),
    # The clock pin; the same for every sensor on this bus.
    ("scl", "scl", ...),
    # The data pin; the same for every sensor on this bus.
    ("sda", "sda", ...),
    # Clock of the bus; the same for every sensor on it.
    ("freq_hz", "bus hz", 100000, 10000, 1000000),
)

_CLIMATE = ("temperature", "humidity")

# A sensor type: its fields, the shortest sample_s it bears, its own rows. A field `{key}` is named
# by that key's value; one that ends in `*` stands for any number of fields.
TYPES = {
    # The chip's own temperature in degrees Celsius; some degrees above the air's.
    "internal": (("die_temperature",), 1, ()),
    # The supply or battery voltage in millivolts.
    "supply": (
        ("supply_mv",),
        1,
        (
            # ESP32: the pin that the supply reaches through a divider. null: the board's own
            # measurement (Pico W).
            ("pin", "adc", None),
            # What to multiply the measured voltage by: 2 for a divider of two equal resistors.
            ("scale", "float", 1.0, 0.01, 1000),
        ),
    ),
    # A voltage at an ADC pin, published as scale * volts + offset.
    "analog": (
        ("{field}",),
        1,
        (
            # The ADC pin.
            ("pin", "adc", ...),
            # What one volt stands for.
            ("scale", "float", 1.0, -1000000, 1000000),
            # What 0 V stands for.
            ("offset", "float", 0.0, -1000000, 1000000),
            # Measurements averaged into one reading.
            ("oversample", "int", 16, 1, 256),
            # Name of the published field.
            ("field", "field", "value", 1, 24),
        ),
    ),
    # DHT11 and DHT22 (AM2302): degrees Celsius and percent relative humidity.
    "dht": (
        _CLIMATE,
        2,
        (
            # The data pin.
            ("pin", "pin", ...),
            # Which of the two it is.
            ("model", "one of", "DHT22", ("DHT11", "DHT22")),
        ),
    ),
    # DS18B20 and its kin, all that hang on one 1-Wire bus: degrees Celsius. N is 2 for the
    # second device, and so on.
    "ds18x20": (
        ("temperature", "temperature_*"),
        1,
        (
            # The data pin of the bus.
            ("pin", "pin", ...),
            # Bits of each measurement: 9 takes 94 ms for 0.5 degrees, 12 takes 750 ms for 0.0625.
            ("resolution", "int", 12, 9, 12),
            # The devices to read, in this order, by their ids. null: all that are found. With a
            # list, a device that is added or replaced never moves the others' fields.
            ("devices", "ids", None),
        ),
    ),
    # BME280 on I2C: degrees Celsius, percent relative humidity, hectopascals.
    "bme280": (
        ("temperature", "humidity", "pressure"),
        1,
        _I2C
        + (
            # Address on the bus: 118 ("0x76") with SDO low, 119 ("0x77") with SDO high.
            ("address", "address", 0x76, (0x76, 0x77)),
        ),
    ),
    # SHT30, SHT31 and SHT35 on I2C: degrees Celsius, percent relative humidity.
    "sht3x": (
        _CLIMATE,
        1,
        _I2C
        + (
            # Address on the bus: 68 ("0x44") with ADDR low, 69 ("0x45") with ADDR high.
            ("address", "address", 0x44, (0x44, 0x45)),
        ),
    ),
    # SHT40, SHT41 and SHT45 on I2C: degrees Celsius, percent relative humidity.
    "sht4x": (
        _CLIMATE,
        1,
        _I2C
        + (
            # Address on the bus, by the part number: 68 ("0x44") for A, 69 for B, 70 for C.
            ("address", "address", 0x44, (0x44, 0x45, 0x46)),
        ),
    ),
    # AHT20, AHT21 and AHT30 on I2C: degrees Celsius, percent relative humidity.
    "aht": (
        _CLIMATE,
        1,
        _I2C
        + (
            # Its address on the bus, the only one.
            ("address", "address", 0x38, (0x38,)),
        ),
    ),
    # BH1750 on I2C: illuminance in lux.
    "bh1750": (
        ("illuminance",),
        1,
        _I2C
        + (
            # Address on the bus: 35 ("0x23") with ADDR low, 92 ("0x5c") with ADDR high.
            ("address", "address", 0x23, (0x23, 0x5C)),
        ),
    ),
    # SCD40, SCD41 and SCD43 on I2C: carbon dioxide in ppm, degrees Celsius, percent relative
    # humidity.
    "scd4x": (
        ("co2", "temperature", "humidity"),
        10,
        _I2C
        + (
            # Its address on the bus, the only one.
            ("address", "address", 0x62, (0x62,)),
        ),
    ),
    # INA219 on I2C: volts and amperes of a load.
    "ina219": (
        ("voltage", "current"),
        1,
        _I2C
        + (
            # Address on the bus: 64 ("0x40"); one more with A0 bridged, four more with A1.
            ("address", "address", 0x40, (0x40, 0x41, 0x44, 0x45)),
            # The shunt in milliohms: 100 on most modules ("R100").
            ("shunt_mohm", "float", 100.0, 0.1, 100000),
        ),
    ),
    # SGP40 on I2C: the raw signal of the gas sensor, lower in worse air.
    "sgp40": (
        ("voc_raw",),
        1,
        _I2C
        + (
            # Its address on the bus, the only one.
            ("address", "address", 0x59, (0x59,)),
        ),
    ),
    # A digital input, such as a door contact or a motion sensor: 1 or 0, as it is when it is read.
    "digital": (
        ("{field}",),
        1,
        (
            # The pin.
            ("pin", "pin", ...),
            # The board's own resistor: "up" to 3.3 V for a switch to ground, "down" to ground.
            ("pull", "one of", None, ("up", "down")),
            # 0 V means 1, as of a switch to ground.
            ("active_low", "bool", False),
            # Name of the published field.
            ("field", "field", "active", 1, 24),
            # In the duty cycle: a change wakes the board, and is read and delivered at once.
            ("wake", "bool", False),
            # But not again before so long: an input that flaps must not empty the battery.
            ("wake_pause_s", "int", 60, 1, 86400),
        ),
    ),
    # A capacitive soil probe at an ADC pin: percent between two points of your own.
    "soil": (
        ("{field}",),
        1,
        (
            # The ADC pin.
            ("pin", "adc", ...),
            # Millivolts at the pin with the probe in dry soil: 0 %.
            ("dry_mv", "int", 2600, 0, 5000),
            # Millivolts at the pin with the probe in water: 100 %. Unlike dry_mv.
            ("wet_mv", "int", 1000, 0, 5000),
            # Measurements averaged into one reading.
            ("oversample", "int", 16, 1, 256),
            # Name of the published field.
            ("field", "field", "soil_moisture", 1, 24),
        ),
    ),
    # Pulses to ground since the last reading, as of a rain gauge or a meter.
    "pulses": (
        ("{field}",),
        1,
        (
            # The pin; it is pulled up.
            ("pin", "pin", ...),
            # What one pulse stands for.
            ("scale", "float", 1.0, -1000000, 1000000),
            # A pulse so soon after the last one is contact bounce.
            ("debounce_ms", "int", 10, 0, 1000),
            # Name of the published field.
            ("field", "field", "pulses", 1, 24),
            # In the duty cycle: count what falls while the board sleeps, too. An ESP32 wakes for
            # each pulse.
            ("wake", "bool", True),
        ),
    ),
    # HC-SR04 and JSN-SR04T: distance in centimetres by ultrasound.
    "hcsr04": (
        ("distance",),
        1,
        (
            # The trigger pin.
            ("trigger", "pin", ...),
            # The echo pin, behind a divider if the sensor runs on 5 V.
            ("echo", "pin", ...),
            # Measurements, 60 ms apart, of which the median is published.
            ("samples", "int", 3, 1, 9),
        ),
    ),
    # HX711: a load cell's weight in the unit of your calibration.
    "hx711": (
        ("{field}",),
        1,
        (
            # The clock pin (SCK).
            ("clock", "pin", ...),
            # The data pin (DT).
            ("data", "pin", ...),
            # Counts for one unit of weight; negative if the cell is mounted the other way.
            ("scale", "float", 1.0, -10000000, 10000000),
            # Counts with nothing on the cell.
            ("offset", "float", 0.0, -8388608, 8388607),
            # Name of the published field.
            ("field", "field", "weight", 1, 24),
        ),
    ),
    # PMS5003 and its kin on a UART: particles up to 1, 2.5 and 10 micrometres, in ug/m3.
    "pms5003": (
        ("pm1", "pm25", "pm10"),
        3,
        (
            # Number of the UART; on an ESP32 number 0 is the console.
            ("uart", "int", 1, 0, 2),
            # The board's transmit pin, to the sensor's RXD.
            ("tx", "pin", ...),
            # The board's receive pin, to the sensor's TXD.
            ("rx", "pin", ...),
        ),
    ),
    # Any other driver by name, which is given an I2C bus or a pin. N stands for the names in its
    # FIELDS; give it a prefix beside other sensors.
    "driver": (
        ("*",),
        1,
        (
            # Module and class, as in "package.module:Class".
            ("driver", "text", ..., 3, 64),
            # Number of the I2C bus.
            ("bus", "int", 0, 0, 1),
            # The clock pin of its I2C bus. null: it is at a pin.
            ("scl", "scl", None),
            # The data pin of its I2C bus. null: it is at a pin.
            ("sda", "sda", None),
            # Address on the bus, as a number. null: the driver knows it.
            ("address", "int", None, 8, 119),
            # Clock of the bus; the same for every sensor on it.
            ("freq_hz", "bus hz", 100000, 10000, 1000000),
            # Its pin, if it is on no bus.
            ("pin", "pin", None),
        ),
    ),
    # No hardware: a daily curve with noise, to try a node before its sensors have come.
    "simulated": (
        _CLIMATE,
        1,
        (
            # The same seed makes the same readings.
            ("seed", "int", 1, 0, 1000000000),
            # Length of the simulated day.
            ("period_s", "int", 86400, 2, 604800),
            # A read fails whenever so many have been made, to try how that looks. 0: none.
            ("fail_every", "int", 0, 0, 1000000),
        ),
    ),
}
