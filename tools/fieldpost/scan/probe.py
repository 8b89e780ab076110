"""Runs on the board, not here: `fieldpost scan` sends it. It writes no file, and leaves every pin
that it touched as an input.

`_probe(do, ...)` prints one line of JSON. MicroPython, on whatever board: nothing of Fieldpost's
need be there.
"""


def _probe(do, *arguments):
    import json
    import time

    import machine
    from machine import Pin

    def level(pin, pull):
        """What a pin reads as an input with that resistor of its own."""
        Pin(pin, Pin.IN, pull)
        time.sleep_ms(1)
        return Pin(pin).value()

    def let_go(*pins):
        for pin in pins:
            Pin(pin, Pin.IN, None)

    def levels(pins):
        """pin -> "up" (held high from outside), "low" (held low), "free"; drives nothing."""
        found = {}
        for pin in pins:
            if level(pin, Pin.PULL_DOWN):
                found[pin] = "up"
            else:
                found[pin] = "free" if level(pin, Pin.PULL_UP) else "low"
            let_go(pin)
        return found

    def clock_out(scl, sda):
        """Nine clocks, and a stop: a device that was interrupted in the middle of an answer lets
        go of SDA (I2C specification, UM10204, section 3.1.16)."""
        clock = Pin(scl, Pin.OPEN_DRAIN, Pin.PULL_UP, value=1)
        data = Pin(sda, Pin.OPEN_DRAIN, Pin.PULL_UP, value=1)
        for _ in range(9):
            clock.value(0)
            time.sleep_us(10)
            clock.value(1)
            time.sleep_us(10)
        data.value(0)
        time.sleep_us(10)
        data.value(1)

    def i2c(scl, sda):
        """The bus's state, and who acknowledges."""
        found = {"state": "ok", "freed": False, "addresses": []}
        if not level(scl, Pin.PULL_UP):
            found["state"] = "scl low"
        elif not level(sda, Pin.PULL_UP):
            clock_out(scl, sda)
            found["freed"] = bool(level(sda, Pin.PULL_UP))
            if not found["freed"]:
                found["state"] = "sda low"
        if found["state"] == "ok":
            found["addresses"] = list(bus(scl, sda).scan())
        let_go(scl, sda)
        return found

    def bus(scl, sda):
        # In software: on any pins, and no peripheral that a program has set up is changed.
        return machine.SoftI2C(scl=Pin(scl), sda=Pin(sda), freq=100000, timeout=5000)

    def ask(scl, sda, questions):
        """[[address, hex to write, ms to wait, bytes to read], ...] -> [hex or None, ...]."""
        wire = bus(scl, sda)
        told = []
        for address, text, wait_ms, count in questions:
            answer = bytearray(count)
            try:
                wire.writeto(address, bytes.fromhex(text))
                time.sleep_ms(wait_ms)
                wire.readfrom_into(address, answer)
                told.append(answer.hex())
            except OSError:
                told.append(None)
        let_go(scl, sda)
        return told

    def onewire(pin):
        """The bus's state, and the ROM codes with a good checksum, as hex."""
        from onewire import OneWire

        found = {"state": "ok", "roms": []}
        # The search takes a line held low for 255 devices.
        if not level(pin, Pin.PULL_UP):
            found["state"] = "low"
        else:
            wire = OneWire(Pin(pin))
            if wire.reset() and wire.readbit():
                found["roms"] = [bytes(rom).hex() for rom in wire.scan() if not wire.crc8(rom)]
        let_go(pin)
        return found

    jobs = {"levels": levels, "i2c": i2c, "ask": ask, "onewire": onewire}
    print(json.dumps(jobs[do](*arguments)))
