"""What is wired to the pins of an emulated Pico W."""
