"""A certificate authority for one broker and its nodes."""
