"""The configuration: its keys, the check of them, and how it is loaded, kept and changed."""
