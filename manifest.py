"""Freezes Fieldpost into a MicroPython image: `make FROZEN_MANIFEST=…/manifest.py` in a port.

main.py is left out, to stay on the board, where its owner can change it. See docs/deploy.md.
Made from the tree: PYTHONPATH=tools python -m fieldpost.deploy.package_json
"""

# ruff: noqa: F821
# The names are those that MicroPython's build runs this file with.
# The port's own manifest first: without it the image would lose its file system's set-up.
include("$(PORT_DIR)/boards/manifest.py")

require("umqtt.simple")
require("ssl")

package("firmware")
module("aht20.py", base_path="lib")
module("analog.py", base_path="lib")
module("bh1750.py", base_path="lib")
module("bme280.py", base_path="lib")
module("changes.py", base_path="lib")
module("dhtxx.py", base_path="lib")
module("digital.py", base_path="lib")
module("ds18b20.py", base_path="lib")
module("hcsr04.py", base_path="lib")
module("hx711.py", base_path="lib")
module("ina219.py", base_path="lib")
module("measured.py", base_path="lib")
module("pms5003.py", base_path="lib")
module("pms5003st.py", base_path="lib")
module("pulses.py", base_path="lib")
module("scd4x.py", base_path="lib")
module("sensirion.py", base_path="lib")
module("sgp40.py", base_path="lib")
module("sht3x.py", base_path="lib")
module("sht4x.py", base_path="lib")
module("simulated.py", base_path="lib")
module("sntp.py", base_path="lib")
module("soil.py", base_path="lib")
module("wire.py", base_path="lib")
module("wire_packets.py", base_path="lib")
module("wire_tls.py", base_path="lib")
