"""A node, a broker and an outage between them, to look at."""
