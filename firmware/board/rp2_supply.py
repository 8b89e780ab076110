"""The supply of a Pico W or Pico 2 W, which shares its pins with the radio chip."""


def supply_mv(machine):
    """At VSYS, in millivolts. The radio chip must be off. machine: the port's module.

    The divider's pin, GPIO29, is the clock of the radio chip's bus, and GPIO25 its chip select:
    reading them while the chip is on gives 0.1 V or disturbs the radio. Pico W datasheet 2.1.
    """
    machine.Pin(25, machine.Pin.OUT, value=1)
    adc = machine.ADC(29)
    total = 0
    for _ in range(8):
        total += adc.read_u16()
    machine.Pin(25, machine.Pin.OUT, value=0, pull=machine.Pin.PULL_DOWN)
    machine.Pin(29, machine.Pin.ALT, pull=machine.Pin.PULL_DOWN, alt=7)
    return total * 3 * 3300 // (8 * 65535)
