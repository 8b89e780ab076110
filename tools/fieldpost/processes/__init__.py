"""Programs of this machine, and what ends with whoever started it."""
