"""Brokers and the way to them: addresses, TLS, a client, a broker of our own."""
