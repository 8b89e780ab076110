"""A node's console and its messages on one screen."""
