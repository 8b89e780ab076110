"""Where things are on an emulated network."""

# This machine's loopback, as far as a port of it is let through (network.py).
GATEWAY = "10.0.0.1"
LOOPBACK = "127.0.0.1"
# The name of a Pico W's access point there.
PICO_W_SSID = "RP2040PY-GUEST"
