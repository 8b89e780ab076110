"""What goes over the broker: publish, listen, command, the account of readings."""
