"""Which emulated sensors are wired to a node, and what they measure: on the desk, on a board."""
