"""Whole nodes against the brokers of others: what each does, seen on the wire and written down."""
