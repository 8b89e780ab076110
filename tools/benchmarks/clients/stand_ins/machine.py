"""`machine` for mqtt_as in MicroPython's unix port: the one function that it uses."""


def unique_id():
    return b"benchmrk"
