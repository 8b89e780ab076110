"""Devices as their data sheets have them, for sensors that are wired to nothing but a program."""
