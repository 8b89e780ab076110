"""What several declarations say alike: the wires of a bus, and a climate's fields.

A declaration, `firmware/sensor_types/<type>.py`, is loaded when the configuration is checked, on a
board or a host, and then dropped. It has
- a docstring, which is the type's text in docs/configuration.md;
- FIELDS: (name, unit, lowest, highest, decimals, Home Assistant's device class) in the order of
  the driver's own FIELDS. What lies outside lowest and highest is beyond what the device can give,
  and is never published; None: its range depends on the user's scale. A name `{key}` is that key's
  value, and one that ends in `*` stands for any number of fields;
- LEAST_S: the shortest `sample_s` that the sensor bears;
- KEYS: rows as in `firmware/config/keys.py`. A wire's kind says who may share it: "pin" is for one
  sensor alone, "adc" may be read by several, "scl", "sda" and "bus hz" must be the same for all
  sensors with the same `bus`, and an "address" may be there only once;
- `recipe(one)`: of a checked sensor, "module:Class" of its driver and the driver's arguments. A
  dict stands for a part of the board: `{"pin": [4, "in"]}` is `board.pin(4, "in")`, and
  `{"time": None}` is `board.time` itself;
- COUNTS, only where it is True: a reading has what was counted since the last one. So the sensor
  is not measured several times for one reading;
- `in_sleep(one)`, only where a node that sleeps has to know more of the type. Of a checked sensor,
  a dict with some of
  - "watched": how its pin is minded while the node sleeps, and None if it is not: `pin`, `pull`
    and `debounce_ms`; of an input also `field` and `pause_s`, the seconds before it may wake the
    node again. What minds the pin keeps a tally, which becomes the driver's last argument;
  - "sends": True if it may send bytes while it measures. A light sleep would lose them;
  - "measures_supply": True if its first field is the supply in millivolts, from a pin.

What follows the line "For the host alone" is for the host tools, and no board gets it compiled:
- `draw(one, supply_v)`: (title, ms that a measurement takes, (least, most) mA meanwhile, (least,
  most) uA in between), or None where nobody can know; DRAW_SOURCE says where that is from;
- DRIVES, PULLED_UP: keys of the pins that the driver drives, beside the lines of an I2C bus, and
  that it needs pulled up, if there are any;
- SCAN, for what answers to a scan on I2C: (bytes to write, ms to wait, bytes to read, who it is).
  The last is the chips' name if the answer is words with Sensirion's checksum, or else a function
  of the answer: the chip's name, "" for perhaps, None for no.
"""

# Of every sensor on I2C.
I2C = (
    # Number of the I2C bus.
    ("bus", "int", 0, 0, 1),
    # The clock pin; the same for every sensor on this bus.
    ("scl", "scl", ...),
    # The data pin; the same for every sensor on this bus.
    ("sda", "sda", ...),
    # Clock of the bus; the same for every sensor on it.
    ("freq_hz", "bus hz", 100000, 10000, 1000000),
)

# Of every sensor on a UART.
UART = (
    # Number of the UART; on an ESP32 number 0 is the console.
    ("uart", "int", 1, 0, 2),
    # The board's transmit pin, to the sensor's RXD.
    ("tx", "pin", ...),
    # The board's receive pin, to the sensor's TXD.
    ("rx", "pin", ...),
)


def i2c(one):
    return {"i2c": [one["bus"], one["scl"], one["sda"], one["freq_hz"]]}


def temperature(lowest, highest, decimals=2):
    return ("temperature", "°C", lowest, highest, decimals, "temperature")


def humidity(decimals=2):
    return ("humidity", "%", 0, 100, decimals, "humidity")
