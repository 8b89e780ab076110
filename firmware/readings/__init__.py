"""A reading's way: sensors, sampling, identity, the outbox, and delivery."""
