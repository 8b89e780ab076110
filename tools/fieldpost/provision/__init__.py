"""A node's own files, made of a few answers."""
