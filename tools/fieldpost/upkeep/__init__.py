"""The small commands for a board at hand: shell, reset, erase, pull, boards."""
