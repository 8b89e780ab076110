"""Reading from NATS: its connection, its consumer, and what of that loses readings."""
