"""A board at a port: found, asked, and its files read and written."""
