"""A fleet at a cluster of brokers, and what becomes of it when parts of that fail."""
