"""What an ESP32's port answers, question by question, as JSON lines: [question, answer].

Runs on a board and, with the fakes in the place of the port's modules, under CPython. An answer
that is an error is its type and text. ssid: of an open network that is there.
"""

import json


def ask(machine, network, esp32, time, ssid, say):
    def asked(question, answer):
        try:
            value = answer()
        except AttributeError:
            value = "there is none"
        except Exception as error:
            value = [type(error).__name__, str(error)]
        say(json.dumps([question, value]))

    wlan = network.WLAN(network.WLAN.IF_STA)

    def joins(name, limit_ms=12000):
        """Each status that it shows, once, until it is up or has failed for good."""
        found = []
        before = wlan.status()
        wlan.connect(name, None)
        for _ in range(limit_ms // 50):
            status = wlan.status()
            if status not in found:
                found.append(status)
            # A reason that was there before says nothing of this attempt.
            if status == 1010 or (status != before and status in (201, 210, 211, 212)):
                break
            time.sleep_ms(50)
        return found

    def is_text(value, longest):
        return isinstance(value, str) and 0 < len(value) <= longest

    asked("off: active", wlan.active)
    asked("off: status", wlan.status)
    asked("off: address", lambda: wlan.ifconfig()[0])
    asked("off: rssi", lambda: wlan.status("rssi"))
    asked("off: scan", wlan.scan)
    asked("off: disconnect", wlan.disconnect)
    asked("off: config(pm)", lambda: wlan.config(pm=network.WLAN.PM_NONE))
    asked("off: config(reconnects)", lambda: wlan.config(reconnects=0))
    asked("off: connect", lambda: wlan.connect(ssid, None))
    asked("hostname, 33 bytes", lambda: network.hostname("h" * 33))
    asked("hostname", lambda: network.hostname("a-node"))
    asked("hostname is", network.hostname)
    asked("country", lambda: network.country("DE"))

    asked("on", lambda: wlan.active(True))
    asked("on: active", wlan.active)
    asked("on: reconnects", lambda: wlan.config(reconnects=0))
    asked("on: status", wlan.status)
    asked("on: rssi", lambda: wlan.status("rssi"))
    asked("on: disconnect", wlan.disconnect)
    asked("on: pm", lambda: [wlan.config(pm=one) for one in (0, 1, 2)])

    asked("joining a network that is not there", lambda: joins("nobody has it")[-1])
    asked("failed: rssi", lambda: wlan.status("rssi"))
    asked("failed: leave", wlan.disconnect)
    asked("failed: status is kept", lambda: wlan.status() in (201, 210, 211, 212))
    asked("joining", lambda: wlan.connect(ssid, None))
    asked("joining: the reason before is kept", lambda: wlan.status() in (201, 210, 211, 212))
    asked("joining: a second connect", lambda: wlan.connect(ssid, None))
    asked("leave", wlan.disconnect)
    time.sleep_ms(500)
    asked("joining to the end", lambda: joins(ssid)[-1])
    asked("up: has an address", lambda: wlan.ifconfig()[0] != "0.0.0.0")
    asked("up: rssi is a number", lambda: isinstance(wlan.status("rssi"), int))
    asked("up: channel is a number", lambda: isinstance(wlan.config("channel"), int))
    asked("up: a second connect", lambda: wlan.connect(ssid, None))
    asked("up: leave", wlan.disconnect)
    time.sleep_ms(1000)
    asked("left: status", wlan.status)
    asked("left: rssi", lambda: wlan.status("rssi"))
    asked("left: address is kept", lambda: wlan.ifconfig()[0] != "0.0.0.0")
    asked("off again", lambda: wlan.active(False))
    asked("off again: status", wlan.status)
    asked("off again: address", lambda: wlan.ifconfig()[0])

    asked("off again: pm", lambda: wlan.config(pm=0))
    asked("off again: connect", lambda: wlan.connect(ssid, None))

    point = network.WLAN(network.WLAN.IF_AP)
    asked("access point, off: config", lambda: point.config(ssid="set-up"))
    asked("access point: on", lambda: point.active(True))
    asked("access point: config", lambda: point.config(ssid="set-up", key="eight characters"))
    asked("access point: off", lambda: point.active(False))

    asked("LED", lambda: machine.Pin("LED", machine.Pin.OUT))
    asked("RTC memory at first", lambda: len(machine.RTC().memory()))
    asked("RTC memory, 2049 bytes", lambda: machine.RTC().memory(b"\0" * 2049))
    asked("RTC memory, 2048 bytes", lambda: machine.RTC().memory(b"\1" * 2048))
    asked("RTC memory then", lambda: len(machine.RTC().memory()))
    asked("RTC memory, none", lambda: machine.RTC().memory(b""))
    asked("clock", machine.freq)
    asked("clock, 80 MHz", lambda: machine.freq(80000000))
    asked("clock then", machine.freq)
    asked("clock, as before", lambda: machine.freq(160000000))
    asked("wake reason", machine.wake_reason)
    asked("temperature in Celsius", lambda: hasattr(esp32, "mcu_temperature"))
    asked("temperature in Fahrenheit", lambda: hasattr(esp32, "raw_temperature"))
    for unit in ("ext0", "ext1", "gpio"):
        asked("wakes by " + unit, lambda unit=unit: hasattr(esp32, "wake_on_" + unit))
    asked("wakes by gpio 4", lambda: esp32.wake_on_gpio((machine.Pin(4, machine.Pin.IN),), True))
    asked("wakes by gpio 8", lambda: esp32.wake_on_gpio((machine.Pin(8, machine.Pin.IN),), True))
    asked("year at the start", lambda: time.gmtime()[0])


def ask_board(ssid):
    import time

    import esp32
    import machine
    import network

    # At the end and with pauses: what is on its way while the clock changes is lost, and so is
    # what an emulated serial line is given faster than it is read.
    said = []
    ask(machine, network, esp32, time, ssid, said.append)
    for line in said:
        time.sleep_ms(20)
        print(line)
