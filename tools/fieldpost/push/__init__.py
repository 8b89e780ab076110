"""A configuration from a folder to a node, and back."""
