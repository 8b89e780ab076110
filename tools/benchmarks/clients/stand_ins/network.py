"""`network` for mqtt_as in MicroPython's unix port: the machine's network is always there."""

STA_IF = 0


class WLAN:
    """A station that is connected from the moment it is asked to be."""

    def __init__(self, interface):
        self._connected = False

    def active(self, on=None):
        return True

    def config(self, **settings):
        pass

    def connect(self, ssid, password):
        self._connected = True

    def disconnect(self):
        self._connected = False

    def isconnected(self):
        return self._connected
