"""What is wired to the pins of an emulated ESP32-C3."""
