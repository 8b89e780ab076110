"""What people and scripts see of a command: harmless text, its width, and `--json`."""
