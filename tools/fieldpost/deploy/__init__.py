"""The firmware of a checkout brought to a board."""
