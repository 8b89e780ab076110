"""The schema of config.json and secrets.json: every key with its kind, default and limits.

`firmware/config.py` checks by it; the host tools load this same file. A row is `(key, kind,
default, ...)`; what follows depends on the kind:
  "bool" "country" "passphrase" "prefix" "ip" "pin" "adc" "scl" "sda" "type" "ids"
  "int" "float" "bus hz"                                         lowest, highest
  "text" "name" "field" "topic" "host" "hostname"                fewest, most bytes
  "one of" "address"                                             tuple of what is allowed
  "section"                                                      the rows of the object
  "list"                                                         rows, fewest, most objects
  "sensors"                                                      fewest, most objects
A text after these ends the error, to say why. A default of `...` means that the key is required, a
default of None, or a `?` after the kind, that null is allowed; a section's default is `()` (the
defaults of its own keys) or None.

Above each row stands its text for people, as a comment: comments cost nothing on the board, and
`fieldpost` and docs/configuration.md are made from them. A row without a text fails a test.

To add a key, add a row. To add a sensor type, add an entry to SENSORS. A wire's kind says who may
share it: "pin" is for one sensor alone, "adc" may be read by several, "scl", "sda" and "bus hz"
must be the same for all sensors with the same `bus`, and an "address" may be there only once.
"""

NETWORK = (
    # Name of the network, as the access point announces it; upper and lower case matter.
    ("ssid", "text", ..., 1, 32),
    # Its password; "" for an open network.
    ("password", "passphrase", ...),
)

LOGIN = (
    # User name at the broker. Leave it out for a broker that lets everyone in.
    ("user", "text", None, 1, 128),
    # Password at the broker; needs a user.
    ("password", "text", None, 1, 256),
)

# secrets.json holds every credential, and nothing else. Errors never show what it says.
SECRETS = (
    # Wi-Fi networks in order of preference.
    ("wifi", "list", ..., NETWORK, 1, 8),
    # Credentials for the broker.
    ("mqtt", "section", (), LOGIN),
)

STATIC = (
    # The node's own IPv4 address.
    ("address", "ip", ...),
    # Network mask.
    ("mask", "ip", "255.255.255.0"),
    # The router; must lie in the same network as the address.
    ("gateway", "ip", ...),
    # Name server; null: the gateway.
    ("dns", "ip", None),
)

WIFI = (
    # Name shown by the router. null: the node's name, with "-" for "_".
    ("hostname", "hostname", None, 1, 32),
    # Country whose channels and power limits apply, as its two-letter code.
    ("country", "country", None),
    # Power management of the radio. "none" answers fastest, "powersave" draws least.
    ("power", "one of", "performance", ("none", "performance", "powersave")),
    # How long to try one network before the next.
    ("join_timeout_s", "int", 20, 5, 120),
    # A fixed address, which saves the second that DHCP takes at each join. null: DHCP.
    ("static", "section", None, STATIC),
)

TLS = (
    # File on the board with the certificate of the authority that signed the broker's: DER, which
    # `fieldpost certs` makes, or PEM. Required, unless nothing is to be checked.
    ("ca_file", "text", None, 1, 64),
    # File with the node's own certificate, for a broker that asks for one.
    ("cert_file", "text", None, 1, 64),
    # File with the key of that certificate, without a password.
    ("key_file", "text", None, 1, 64),
    # The name that the broker's certificate must bear. null: `mqtt.host`.
    ("server_name", "host", None, 1, 253),
    # INSECURE: true accepts any certificate, so that anybody between node and broker can read
    # and change everything. The node says so at each start and in its health reports.
    ("insecure_skip_verify", "bool", False),
)

MQTT = (
    # Host name or address of the broker. An address spares the look-up at each connection.
    ("host", "host", ..., 1, 253, "without mqtt:// before it; credentials go into secrets.json"),
    # TCP port of the broker. null: 1883, with TLS 8883.
    ("port", "int", None, 1, 65535),
    # TLS to the broker (docs/tls.md). null: none.
    ("tls", "section", None, TLS),
    # The broker declares the node offline after one and a half times this without a packet.
    (
        "keepalive_s",
        "int",
        60,
        5,
        65535,
        "0 would switch off the broker's check for dead nodes, and some brokers refuse it",
    ),
    # Start each session afresh. false: the broker keeps commands for the node while it is away.
    # null: true in "always_on", false in "duty_cycle".
    ("clean", "bool", None),
    # First part of every topic: `<base>/<node>/telemetry` and so on.
    ("base", "topic", "fieldpost", 1, 64),
    # Send waiting readings together with CONNECT instead of after the broker's answer: one round
    # trip less.
    ("early", "bool", True),
    # Longest wait for the broker's answer to anything; must be less than `keepalive_s`.
    ("timeout_s", "int", 10, 1, 120),
    # Readings that may be on their way at once, sent and not yet acknowledged.
    ("window", "int", 512, 1, 1024),
)

OUTBOX = (
    # Readings held in RAM until they are acknowledged or written to flash.
    ("ram_readings", "int", 64, 1, 1024),
    # Flash for readings that wait through an outage, 8 at least. 0: none, so that a reset loses
    # what waits.
    ("flash_kib", "int", 256, 0, 8192),
    # When readings go to flash: "outage": while the link is down and before a sleep or reset;
    # "reading": each one at once, which survives any power cut and wears the flash more.
    ("durability", "one of", "outage", ("outage", "reading")),
)

NTP = (
    # Time server; null: the clock is never set, and readings carry their age instead.
    ("host", "host?", "pool.ntp.org", 1, 253),
    # How often to set the clock again.
    ("interval_s", "int", 86400, 600, 2592000),
)

RETRY = (
    # Longest pause before the first new attempt to connect; it doubles with each failure.
    ("base_s", "int", 1, 1, 300),
    # The pause grows no longer than this.
    ("cap_s", "int", 300, 1, 3600),
    # The pause starts from `base_s` again after a connection has held this long.
    ("stable_s", "int", 60, 1, 3600),
    # The radio is switched off and on after this long without a connection.
    ("radio_s", "int", 900, 60, 86400),
    # The board is reset after this long without a connection; must be more than `radio_s`.
    ("reset_s", "int", 3600, 120, 604800),
)

ALARM = (
    # Name of the field, as it is published.
    ("field", "field", ..., 1, 48),
    # Deliver at once when the value rises above this, and when it has come back.
    ("above", "float", None, -1e6, 1e6),
    # Deliver at once when the value falls below this, and when it has come back.
    ("below", "float", None, -1e6, 1e6),
    # Deliver at once when the value differs by so much from the one delivered last.
    ("change", "float", None, 0, 1e6),
)

LOW_BATTERY = (
    # Supply, in millivolts, below which the node measures and delivers less often.
    ("below_mv", "int", ..., 1000, 60000),
    # By what factor.
    ("stretch", "int", 4, 1, 100),
    # Supply below which it no longer uses the radio: readings are kept, on flash.
    ("stop_mv", "int", 0, 0, 60000),
)

CONFIG = (
    # The node's name, in its topics, client id and host name: unlike any other at this broker.
    ("node", "name", ..., 1, 32),
    # Pause at a cold start in which a tool can stop the node, before it does anything else.
    ("boot_window_s", "int", 3, 0, 60),
    # How the node joins Wi-Fi. The networks and their passwords go into secrets.json.
    ("wifi", "section", (), WIFI),
    # The broker and the session with it. User and password go into secrets.json.
    ("mqtt", "section", (), MQTT),
    # "always_on" stays connected and obeys commands at once; "duty_cycle" wakes, measures,
    # delivers when due and sleeps, for a life on batteries.
    ("mode", "one of", "always_on", ("always_on", "duty_cycle")),
    # Time from one reading to the next.
    ("sample_s", "int", 60, 1, 86400),
    # In the duty cycle: readings that are gathered for one delivery. 1 joins the network for each.
    ("deliver_every", "int", 1, 1, 1000),
    # In the duty cycle: a wake that takes longer keeps its readings for the next and sleeps.
    ("awake_limit_s", "int", 15, 3, 300),
    # In the duty cycle: fields whose reading is delivered at once when it crosses a threshold.
    ("alarms", "list", [], ALARM, 0, 16),
    # In the duty cycle: what to save when the battery runs low, by the board's own measurement.
    ("low_battery", "section", None, LOW_BATTERY),
    # In the duty cycle: how long an address from DHCP may be used again. 0: ask at each join.
    ("lease_s", "int", 3600, 0, 86400),
    # In the duty cycle: a pin that keeps the node awake while it is held low.
    ("awake_pin", "pin", None),
    # Log how long each part of a wake took, for `fieldpost battery --measured`.
    ("profile", "bool", False),
    # Time from one health report to the next.
    ("health_s", "int", 300, 10, 86400),
    # The queue that keeps readings until the broker has acknowledged them.
    ("outbox", "section", (), OUTBOX),
    # Where the time comes from.
    ("ntp", "section", (), NTP),
    # How the node behaves while it cannot connect.
    ("retry", "section", (), RETRY),
    # Prefix under which Home Assistant looks for devices, "homeassistant" as a rule. null: the
    # node does not announce itself.
    ("home_assistant", "topic", None, 1, 64),
    # Lines of the log from this level on are shown and kept.
    ("log_level", "one of", "info", ("debug", "info", "warning", "error")),
    # Whether the LED tells the node's state. null: in "always_on" only.
    ("led", "bool", None),
    # The hardware watchdog resets a node that is stuck this long. 0: off; else at least 5, of
    # which a Pico W takes 8. null: 60 on an ESP32; off on a Pico W, whose watchdog cannot be
    # stopped again and would cut a person off who works on the board.
    ("watchdog_s", "int", None, 0, 3600),
    # The sensors, read in this order. Left out: the chip's own temperature.
    ("sensors", "sensors", "internal", 0, 16),
)

# Keys of every sensor, whatever its type.
SENSOR = (
    # What it is; the types and their own keys are listed below.
    ("type", "type", ...),
    # Name of this sensor in errors and prefixes, unlike any other sensor's. null: its type.
    ("name", "field", None, 1, 24),
    # Put before its fields when two sensors publish the same one: true: the sensor's name
    # (`outdoor` makes `outdoor_temperature`); a text: that text.
    ("prefix", "prefix", False),
)

# What several types have in common; the rows are those of a sensor on I2C.
_CLIMATE = ("temperature", "humidity")
_BUS = ("bus", "int", 0, 0, 1)
_SCL = ("scl", "scl", ...)
_SDA = ("sda", "sda", ...)
_FREQ_HZ = ("freq_hz", "bus hz", 100000, 10000, 1000000)

# A sensor type: its fields, the shortest sample_s it bears, its own rows. A field `{key}` is named
# by that key's value; one that ends in `*` stands for any number of fields.
SENSORS = {
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
        (
            # Number of the I2C bus.
            _BUS,
            # The clock pin; the same for every sensor on this bus.
            _SCL,
            # The data pin; the same for every sensor on this bus.
            _SDA,
            # Address on the bus: 118 ("0x76") with SDO low, 119 ("0x77") with SDO high.
            ("address", "address", 0x76, (0x76, 0x77)),
            # Clock of the bus; the same for every sensor on it.
            _FREQ_HZ,
        ),
    ),
    # SHT30, SHT31 and SHT35 on I2C: degrees Celsius, percent relative humidity.
    "sht3x": (
        _CLIMATE,
        1,
        (
            # Number of the I2C bus.
            _BUS,
            # The clock pin; the same for every sensor on this bus.
            _SCL,
            # The data pin; the same for every sensor on this bus.
            _SDA,
            # Address on the bus: 68 ("0x44") with ADDR low, 69 ("0x45") with ADDR high.
            ("address", "address", 0x44, (0x44, 0x45)),
            # Clock of the bus; the same for every sensor on it.
            _FREQ_HZ,
        ),
    ),
    # SHT40, SHT41 and SHT45 on I2C: degrees Celsius, percent relative humidity.
    "sht4x": (
        _CLIMATE,
        1,
        (
            # Number of the I2C bus.
            _BUS,
            # The clock pin; the same for every sensor on this bus.
            _SCL,
            # The data pin; the same for every sensor on this bus.
            _SDA,
            # Address on the bus, by the part number: 68 ("0x44") for A, 69 for B, 70 for C.
            ("address", "address", 0x44, (0x44, 0x45, 0x46)),
            # Clock of the bus; the same for every sensor on it.
            _FREQ_HZ,
        ),
    ),
    # AHT20, AHT21 and AHT30 on I2C: degrees Celsius, percent relative humidity.
    "aht": (
        _CLIMATE,
        1,
        (
            # Number of the I2C bus.
            _BUS,
            # The clock pin; the same for every sensor on this bus.
            _SCL,
            # The data pin; the same for every sensor on this bus.
            _SDA,
            # Its address on the bus, the only one.
            ("address", "address", 0x38, (0x38,)),
            # Clock of the bus; the same for every sensor on it.
            _FREQ_HZ,
        ),
    ),
    # BH1750 on I2C: illuminance in lux.
    "bh1750": (
        ("illuminance",),
        1,
        (
            # Number of the I2C bus.
            _BUS,
            # The clock pin; the same for every sensor on this bus.
            _SCL,
            # The data pin; the same for every sensor on this bus.
            _SDA,
            # Address on the bus: 35 ("0x23") with ADDR low, 92 ("0x5c") with ADDR high.
            ("address", "address", 0x23, (0x23, 0x5C)),
            # Clock of the bus; the same for every sensor on it.
            _FREQ_HZ,
        ),
    ),
    # SCD40, SCD41 and SCD43 on I2C: carbon dioxide in ppm, degrees Celsius, percent relative
    # humidity.
    "scd4x": (
        ("co2", "temperature", "humidity"),
        10,
        (
            # Number of the I2C bus.
            _BUS,
            # The clock pin; the same for every sensor on this bus.
            _SCL,
            # The data pin; the same for every sensor on this bus.
            _SDA,
            # Its address on the bus, the only one.
            ("address", "address", 0x62, (0x62,)),
            # Clock of the bus; the same for every sensor on it.
            _FREQ_HZ,
        ),
    ),
    # INA219 on I2C: volts and amperes of a load.
    "ina219": (
        ("voltage", "current"),
        1,
        (
            # Number of the I2C bus.
            _BUS,
            # The clock pin; the same for every sensor on this bus.
            _SCL,
            # The data pin; the same for every sensor on this bus.
            _SDA,
            # Address on the bus: 64 ("0x40"); one more with A0 bridged, four more with A1.
            ("address", "address", 0x40, (0x40, 0x41, 0x44, 0x45)),
            # Clock of the bus; the same for every sensor on it.
            _FREQ_HZ,
            # The shunt in milliohms: 100 on most modules ("R100").
            ("shunt_mohm", "float", 100.0, 0.1, 100000),
        ),
    ),
    # SGP40 on I2C: the raw signal of the gas sensor, lower in worse air.
    "sgp40": (
        ("voc_raw",),
        1,
        (
            # Number of the I2C bus.
            _BUS,
            # The clock pin; the same for every sensor on this bus.
            _SCL,
            # The data pin; the same for every sensor on this bus.
            _SDA,
            # Its address on the bus, the only one.
            ("address", "address", 0x59, (0x59,)),
            # Clock of the bus; the same for every sensor on it.
            _FREQ_HZ,
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
    # Pulses to ground since the last reading, as of a rain gauge or a meter; not those during a
    # deep sleep.
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
            _BUS,
            # The clock pin of its I2C bus. null: it is at a pin.
            ("scl", "scl", None),
            # The data pin of its I2C bus. null: it is at a pin.
            ("sda", "sda", None),
            # Address on the bus, as a number. null: the driver knows it.
            ("address", "int", None, 8, 119),
            # Clock of the bus; the same for every sensor on it.
            _FREQ_HZ,
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
