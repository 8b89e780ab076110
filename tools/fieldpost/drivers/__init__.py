"""Drivers of somebody's own: a folder outside of this tree, as files for a board."""
