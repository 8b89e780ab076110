"""BME280 on I2C: degrees Celsius, hectopascals, percent relative humidity."""

from firmware.sensor_types.shared import I2C, humidity, i2c, temperature

FIELDS = (
    temperature(-40, 85),
    ("pressure", "hPa", 300, 1100, 2, "atmospheric_pressure"),
    humidity(),
)
LEAST_S = 1
KEYS = I2C + (
    # Address on the bus: 118 ("0x76") with SDO low, 119 ("0x77") with SDO high.
    ("address", "address", 0x76, (0x76, 0x77)),
)


def recipe(one):
    return "bme280:BME280", i2c(one), one["address"]


# For the host alone: `fieldpost deploy` leaves out what follows.
DRAW_SOURCE = (
    "data sheet BST-BME280-DS001, revision 1.2, page 7; the worst end asleep with the regulator "
    "that modules carry (attno.de, 2020-04-23)"
)
# Register 0xD0 names the chip.
_CHIPS = {
    0x60: "BME280",
    0x58: "BMP280",
    0x57: "BMP280 (engineering sample)",
    0x56: "BMP280 (engineering sample)",
}


def draw(one, supply_v):
    return "BME280", 10, (0.35, 0.71), (0.1, 6.3)


def _chip(answer):
    return _CHIPS.get(answer[0])


SCAN = (b"\xd0", 0, 1, _chip)
