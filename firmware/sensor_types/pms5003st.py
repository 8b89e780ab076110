"""PMS5003T, PMS5003S and PMS5003ST on a UART: particles as a PMS5003, and what else the model has:
degrees Celsius and percent relative humidity, formaldehyde in ug/m3.
"""

from firmware.sensor_types.pms5003 import FIELDS as PARTICLES
from firmware.sensor_types.shared import UART, humidity, temperature

# The data sheets have 0 to 99 degrees; below zero the number is signed, and the sensor may be kept
# at -40. They call 2000 the largest range of formaldehyde, which has 16 bits.
FIELDS = PARTICLES + (
    ("formaldehyde", "µg/m³", 0, 65535, 0, None),
    temperature(-40, 99, 1),
    humidity(1),
)
LEAST_S = 3
KEYS = UART + (
    # Which of the three it is. A PMS5003 or PMS7003 is none of them.
    ("model", "one of", "PMS5003ST", ("PMS5003T", "PMS5003S", "PMS5003ST")),
)


def recipe(one):
    uart = {"uart": [one["uart"], 9600, one["tx"], one["rx"]]}
    return "pms5003st:PMS5003ST", uart, one["model"]


def in_sleep(one):
    return {"sends": True}


# For the host alone: `fieldpost deploy` leaves out what follows.
DRAW_SOURCE = "data sheets PMS5003T and PMS5003ST, page 3: at most; the fan is always on"
DRIVES = ("tx",)


def draw(one, supply_v):
    return one["model"], 2400, (100, 100), (100000, 100000)
