"""`fieldpost new-sensor`: the files that a new sensor type needs, to be filled in."""
