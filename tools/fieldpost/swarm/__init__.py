"""Thousands of nodes in one process: the firmware's own code, on one event loop."""
