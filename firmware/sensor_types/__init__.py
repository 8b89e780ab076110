"""The sensor types, each declared in one file: fields, keys, wiring. A wake loads none."""
