"""What is missing on this machine, or at the broker."""
