"""The genuine Pico W image, running in an emulator."""
