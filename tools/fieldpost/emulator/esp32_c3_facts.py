"""What QEMU calls the parts of an ESP32-C3, the flash that it is given, and who names it."""

MACHINE = "esp32c3-picsimlab"
# As a network card, and as the device that stands behind it.
RADIO = "esp32c3_wifi"
RADIO_DEVICE = "esp32_wifi"
# In the environment: the QEMU that knows them.
VARIABLE = "FIELDPOST_QEMU"
FLASH_BYTES = 4 * 1024 * 1024
