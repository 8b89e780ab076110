"""Asks the emulated sensors of an ESP32-C3 through its stand-in for `machine`, as drivers do."""

import time

import machine
from bme280 import BME280
from machine import ADC, I2C, Pin, SoftI2C
from sht3x import SHT3x

print("pulled up:", sorted(Pin.driven.items()))
print("the image's own:", machine.unique_id())
i2c = I2C(0, scl=Pin(5), sda=Pin(4))
print(i2c, [hex(one) for one in i2c.scan()], i2c.readfrom_mem(0x76, 0xD0, 1))
print(SoftI2C(scl=Pin(7), sda=Pin(6)).scan())
for sensor in (BME280(i2c, 0x76), SHT3x(i2c, 0x44)):
    time.sleep_ms(sensor.start() or 0)
    print(sensor.read())
answer = bytearray(1)
i2c.readfrom_mem_into(0x76, 0xD0, answer)
i2c.writevto(0x76, (b"\xd0", b""))
print(answer == i2c.readfrom(0x76, 1))
i2c.writeto_mem(0x76, 0xF5, b"\x10")
print(i2c.readfrom_mem(0x76, 0xF5, 1))
for attempt in (lambda: i2c.readfrom(0x40, 1), lambda: I2C(1, scl=Pin(5), sda=Pin(4))):
    try:
        attempt()
    except (OSError, ValueError) as error:
        print(repr(error))
adc = ADC(Pin(0), atten=ADC.ATTN_11DB)
print(adc, adc.read_uv(), adc.read_u16(), adc.read())
esp32 = __import__("esp32")
print(esp32.mcu_temperature(), esp32.Partition)
